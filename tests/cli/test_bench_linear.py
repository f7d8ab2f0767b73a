"""The benchmark of linear models: tiny sizes, so that what is tested is that it works."""

import csv
import math

import numpy as np
import pytest

from tq_halp.commands import bench
from tq_halp.commands.bench import linear, linear_data_sets, memory_bandwidth
from tq_halp.commands.bench.linear_race import BASELINE, Contender, contenders, figures

TINY = ["linear", "--scale", "0.001", "--epochs", "2", "--threads", "1"]


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_figure_of_every_contender(tmp_path, capsys):
    path = tmp_path / "linear.csv"
    sets = ["--datasets", "400000x256,25000x4096", "--threads", "1,3", "--batch-sizes", "64,1"]
    sets += ["--passes", "2"]
    assert bench.main([*TINY, *sets, "--csv", str(path)]) == 0
    rows = read(path)
    assert tuple(rows[0]) == linear.FIELDS
    assert len(rows) == 2 * 2 * 2 * 5
    assert {(r["word_bits"], r["data_bits"]) for r in rows} == {
        ("32", "32"),
        ("8", "4"),
        ("8", "8"),
        ("8", "16"),
        ("16", "16"),
    }
    for row in rows:
        assert all(row[name] for name in linear.FIELDS)
        assert all(float(row[name]) > 0 for name in linear.FIELDS[6:])
        assert int(row["steps"]) == 2 * -(-int(row["samples"]) // int(row["batch_size"]))
        passed = 3 * float(row["data_bytes"]) / float(row["total_seconds"])
        assert float(row["bytes_per_s"]) == pytest.approx(passed)
        if row["algorithm"] == "svrg":
            assert {row[name] for name in ("total_ratio", "norm_worst", "norm_last")} == {"1.0"}
    printed = capsys.readouterr().out
    for expected in ("400000x256", "float32", "16/16", "Geometric means", "instructions"):
        assert expected in printed


def test_chosen_bits(tmp_path):
    path = tmp_path / "linear.csv"
    words = ["--datasets", "25000x4096", "--word-bits", "16", "--data-bits", "8,4"]
    assert bench.main([*TINY, *words, "--csv", str(path)]) == 0
    assert [(r["word_bits"], r["data_bits"]) for r in read(path)] == [
        ("32", "32"),
        ("16", "8"),
        ("16", "4"),
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--datasets", "mnits"], "did you mean 'mnist'"),
        (["--data-bits", "5"], "Received: '5'; known: 4, 8, 16"),
        (["--word-bits", "4"], "Received: '4'; known: 8, 16"),
        (["--threads", "0"], "at least 1. Received: '0'"),
        (["--batch-sizes", "64,x"], "at least 1. Received: 'x'"),
        (["--scale", "0"], "above 0 and at most 1. Received: '0'"),
        (["--scale", "nan"], "above 0 and at most 1. Received: 'nan'"),
        (["--epochs", "0"], "at least 1. Received: '0'"),
        (["--csv", "no/such/folder/linear.csv"], "folder that exists"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(["linear", *arguments])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed and "Traceback" not in printed


def test_wrong_instruction_set(monkeypatch, capsys):
    monkeypatch.setenv("QUANT_OPS_ISA", "sse")
    assert bench.main(TINY) == 2
    expected = "error: QUANT_OPS_ISA must be portable, avx2 or avx512. Received: 'sse'\n"
    assert capsys.readouterr().err == expected


def test_no_native_library(monkeypatch, capsys):
    import quant_ops

    def missing(*_, **__):
        raise RuntimeError("there is no native library")

    monkeypatch.setattr(quant_ops, "LinearSolver", missing)
    assert bench.main([*TINY, "--datasets", "25000x4096"]) == 2
    assert capsys.readouterr().err.strip().endswith("error: there is no native library")


def test_mnist_is_left_out_where_it_is_not(monkeypatch, capsys):
    monkeypatch.setattr(linear_data_sets, "locate", lambda known: None)
    assert bench.main([*TINY, "--datasets", "25000x4096,mnist"]) == 0
    assert "Left out, because they were not found or fetched: mnist." in capsys.readouterr().out
    assert bench.main([*TINY, "--datasets", "mnist"]) == 2
    assert "error: --datasets: mnist was not found" in capsys.readouterr().err


def test_mnist_is_softmax_of_a_part_of_it(tmp_path, monkeypatch):
    x, labels = np.arange(6.0, dtype=np.float32).reshape(3, 2), np.array([7.0, 3.0, 1.0])
    parts = {(tmp_path, "train"): (x, labels)}
    monkeypatch.setattr(linear_data_sets, "locate", lambda known: tmp_path)
    monkeypatch.setattr(linear_data_sets, "read_flat", lambda folder, part: parts[folder, part])
    data = linear_data_sets.load("mnist", 0.5)
    np.testing.assert_array_equal(data.x, x[:2])
    assert (data.targets.tolist(), data.loss, data.outputs) == ([7, 3], "softmax", 10)
    assert len(linear_data_sets.load("mnist").x) == 3


def test_synthetic_labels_follow_a_linear_model_with_noise():
    data = linear_data_sets.load("400000x256", 0.01)
    assert (data.x.shape, data.x.dtype) == ((4000, 256), np.float32)
    w, *_ = np.linalg.lstsq(data.x, data.targets - 0.5, rcond=None)
    # Of 4000 labels from logits N(0, 4), the best weights tell 0.5 + E|p - 0.5| = 0.78, and those
    # found are close to them; a share of 4000 deviates by less than 0.03 = 4 sqrt(0.25 / 4000).
    agreement = np.mean((data.x @ w > 0) == data.targets)
    assert 0.73 < agreement < 0.83


def test_default_contenders():
    assert contenders(None, (4, 8, 16)) == (
        BASELINE,
        Contender("halp", 8, 4),
        Contender("halp", 8, 8),
        Contender("halp", 8, 16),
        Contender("halp", 16, 16),
    )
    assert contenders((16,), (4,)) == (BASELINE, Contender("halp", 16, 4))


def epoch(inner, gradient, norm):
    return {"inner_seconds": inner, "gradient_seconds": gradient, "gradient_norm": norm}


def test_figures():
    """By hand: the start's record counts for norms only."""
    baseline = [epoch(0, 0, 9), epoch(4, 4, 8), epoch(3, 6, 4)]
    own = [epoch(0, 0, 9), epoch(1, 3, 12), epoch(2, 1, 2)]
    row = figures(own, baseline)
    assert (row["inner_seconds"], row["gradient_seconds"], row["total_seconds"]) == (1, 1, 3)
    assert (row["inner_median"], row["gradient_median"], row["total_median"]) == (1.5, 2, 3.5)
    assert (row["inner_ratio"], row["gradient_ratio"], row["total_ratio"]) == (3, 4, 8 / 3)
    assert row["median_ratio"] == 8.5 / 3.5
    assert (row["norm_worst"], row["norm_last"]) == (1.5, 0.5)
    assert (row["first_norm"], row["last_norm"]) == (9, 2)


def test_norms_of_zero_are_equal():
    records = [epoch(1, 1, 0)] * 2
    assert figures(records, records)["norm_worst"] == 1
    assert figures([epoch(1, 1, 1)] * 2, records)["norm_worst"] == math.inf


def test_geometric_means():
    def row(data, ratio, algorithm="halp"):
        numbers = dict.fromkeys(("total_ratio", "inner_ratio", "gradient_ratio"), ratio)
        names = {"isa": "avx2", "word_bits": 8, "data_bits": 4, "batch_size": 64, "threads": 1}
        extra = {"median_ratio": ratio, "norm_worst": ratio}
        return {"data": data, "algorithm": algorithm} | numbers | names | extra

    (group,) = linear.summarize([row("a", 2.0), row("a", 1.0, "svrg"), row("b", 8.0)])
    assert (group["total_ratio"], group["norm_worst"]) == (pytest.approx(4.0), 8.0)
    assert (group["data_sets"], group["data_bits"]) == (2, 4)


def test_reading_memory():
    reader = memory_bandwidth.MemoryReader(threads=2)
    reader.turn()
    first = reader.best
    reader.turn()
    assert reader.best >= first > 0
