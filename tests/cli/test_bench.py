"""The benchmark command: small sizes, so that what is tested is that it works."""

import csv

import pytest

from tq_halp.commands import bench
from tq_halp.commands.bench import matmul, ops
from tq_halp.commands.bench.arguments import size_text, sizes
from tq_halp.commands.bench.op_cases import BLOCK, CASES, OPS, ROUNDINGS, shape

SMALL = ["ops", "--sizes", "64Ki", "--repeats", "1"]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_ops_prints_a_ratio_for_every_op(capsys):
    assert bench.main([*SMALL, "--dtypes", "bfloat16", "--no-composite"]) == 0
    printed = capsys.readouterr().out
    for expected in (*OPS, "nearest_even", "stochastic", "bfloat16", "composite", "64 Ki"):
        assert expected in printed


def test_ops_writes_every_figure(tmp_path, monkeypatch):
    monkeypatch.setenv("QUANT_OPS_BACKEND", "native")
    path = tmp_path / "ops.csv"
    arguments = ["--ops", "fixed_point", "--roundings", "nearest_up,stochastic", "--csv", str(path)]
    assert bench.main([*SMALL, "--dtypes", "float32,float64", *arguments]) == 0
    rows = read(path)
    assert tuple(rows[0]) == ops.FIELDS
    assert [(row["dtype"], row["rounding"]) for row in rows] == [
        ("float32", "nearest_up"),
        ("float32", "stochastic"),
        ("float64", "nearest_up"),
        ("float64", "stochastic"),
    ]
    for row in rows:
        # Only one of them does the same work.
        assert bool(row["of_fake_quant"]) == (row is rows[0])
        assert all(float(row[name]) > 0 for name in ops.FIELDS[4:-1])
        assert (row["elements"], row["loops"]) == ("65536", "64")


def test_ops_on_the_composite_backend(tmp_path, monkeypatch, capsys):
    """There is nothing to compare it with; the title says what was timed."""
    monkeypatch.setenv("QUANT_OPS_BACKEND", "composite")
    path = tmp_path / "ops.csv"
    assert bench.main([*SMALL, "--ops", "sparse", "--csv", str(path)]) == 0
    (row,) = read(path)
    assert row["of_copy"] and not row["of_composite"]
    assert capsys.readouterr().out.startswith("composite backend")


def test_matmul(tmp_path):
    path = tmp_path / "matmul.csv"
    arguments = ["--shape", "9,8,8", "--every", "1,8", "--repeats", "1", "--csv", str(path)]
    assert bench.main(["matmul", *arguments]) == 0
    rows = read(path)
    assert tuple(rows[0]) == matmul.FIELDS and len(rows) == 8
    assert {(row["rows"], row["terms"], row["columns"]) for row in rows} == {("9", "8", "8")}
    assert all(float(row[name]) > 0 for row in rows for name in matmul.FIELDS[5:])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["layers"], "choose from"),
        (["ops", "--ops", "fixed_pont"], "did you mean 'fixed_point'"),
        (["ops", "--ops", ""], "known: fixed_point"),
        (["ops", "--roundings", "nearest"], "'nearest'"),
        (["ops", "--dtypes", "float32,int8"], "known: float32, float64"),
        (["ops", "--sizes", "0"], "multiple of 1024"),
        (["ops", "--sizes", "1000"], "multiple of 1024"),
        (["ops", "--sizes", "16Gi"], "such as 16Mi"),
        (["ops", "--repeats", "0"], "at least 1. Received: '0'"),
        (["matmul", "--shape", "8,8"], "three sizes M,K,N. Received: '8,8'"),
        (["matmul", "--every", "0"], "at least 1. Received: '0'"),
        (["step", "--repeats", "few"], "at least 1. Received: 'few'"),
        (["ops", "--csv", "no/such/folder/ops.csv"], "folder that exists"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed


def test_wrong_backend(monkeypatch, capsys):
    monkeypatch.setenv("QUANT_OPS_BACKEND", "gpu")
    assert bench.main(SMALL) == 2
    assert "error: QUANT_OPS_BACKEND must be native or composite" in capsys.readouterr().err


def test_sizes_in_words_and_back():
    assert sizes(1024)("16Mi,64Ki,1024,3072,65536") == (1 << 24, 1 << 16, 1 << 10, 3 << 10)
    assert list(map(size_text, (1 << 24, 1 << 16, 3 << 10, 1000))) == [
        "16 Mi",
        "64 Ki",
        "3 Ki",
        "1000",
    ]


@pytest.mark.parametrize("size", [1024, 3072, 1 << 15, 1 << 16, 5 << 20, 1 << 24])
def test_blocks_divide_either_axis(size):
    rows, columns = shape(size)
    assert rows * columns == size
    assert rows % BLOCK == columns % BLOCK == 0
    assert columns <= rows


def test_shape_is_square_where_it_can_be():
    assert shape(1 << 24) == (4096, 4096)
    assert shape(1 << 16) == (256, 256)


def test_a_rounding_that_an_op_lacks_is_replaced():
    by_op = {case.op: case for case in CASES}
    wanted = ("nearest_even", "down", "stochastic")
    assert by_op["mx"].roundings(wanted) == wanted
    assert by_op["binary"].roundings(wanted) == ("nearest_up", "stochastic")
    assert by_op["sparse"].roundings(wanted) == ("",)
    assert by_op["fixed_point"].roundings(ROUNDINGS) == ROUNDINGS
