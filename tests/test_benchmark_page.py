"""The page of experiments/benchmarks: its tables from made-up rows, its C++ against the core."""

import subprocess
from pathlib import Path

import pytest

from experiments.benchmarks import tables
from quant_ops import build
from tq_halp.commands.bench.op_cases import CASES

FOLDER = Path(__file__).resolve().parent.parent / "experiments" / "benchmarks"


def row(ratio, size=1 << 24, isa="avx512", op="fixed_point", rounding="nearest_even"):
    """One of `ops.csv`, where the copy does 2,000 Melem/s."""
    numbers = dict.fromkeys(("of_copy", "looped_of_copy"), ratio)
    numbers |= dict.fromkeys(("melem_per_s", "looped_melem_per_s"), 2000.0 * ratio)
    numbers |= {"elements": float(size), "of_composite": 12.34, "of_fake_quant": None}
    return numbers | dict(isa=isa, op=op, arguments="8, 4", rounding=rounding, dtype="float32")


def both_sizes(large, small, **names):
    return [row(large, 1 << 24, **names), row(small, 1 << 16, **names)]


@pytest.mark.parametrize(
    "op, rounding, goal",
    [
        ("fixed_point", "up", 0.9),
        ("scaled_integer", "stochastic", 0.7),
        ("mx", "nearest_even", 0.5),
        ("sparse", "", None),
    ],
)
def test_goals(op, rounding, goal):
    assert tables.goal(row(1.0, op=op, rounding=rounding)) == goal
    small = tables.goal(row(1.0, 1 << 16, op=op, rounding=rounding))
    assert small == (None if goal is None else 0.5)


def test_targets():
    rows = both_sizes(0.896, 0.5) + both_sizes(0.89, 0.3, isa="avx2")
    rows += both_sizes(0.1, 0.1, op="sparse") + both_sizes(0.1, 0.1, op="sparse", isa="avx2")
    head, rule, fixed_point, sparse = tables.targets(rows).splitlines()
    assert head.count("|") == rule.count("|") == fixed_point.count("|")
    # What is printed as 0.90 is judged as 0.90.
    expected = "| 0.9 / 0.5 | 0.90 | 0.89 | 0.50 | 0.30 | no: 16 Mi avx2, 64 Ki avx2 |"
    assert fixed_point == f"| fixed_point 8, 4 | nearest_even {expected}"
    assert sparse.endswith("|  | 0.10 | 0.10 | 0.10 | 0.10 |  |")
    assert tables.verdict(rows) == "Targets met: 2 of 2 with avx512, 0 of 2 with avx2."


def test_profile_is_about_what_falls_short():
    cost = row(1.0) | {"nanoseconds": 1.8, "cycles": 2.6, "instructions": 7.0}
    rows = both_sizes(0.5, 0.9)
    _, _, line = tables.profile(rows, [cost]).splitlines()
    # 2,000 Melem/s are 0.5 ns per element; the op takes 1 ns, so 1.8 ns need two threads, nearly.
    counts, times = "7.00 | 2.60", "1.800 | 0.500 | 1.000"
    assert line.endswith(f"| 16 Mi | avx512 | {counts} | {times} | 1.80 |")
    assert "falls short" in tables.profile(both_sizes(0.9, 0.5), [cost])


def test_dtypes_and_copies():
    rows = both_sizes(0.5, 0.25) + [row(0.25) | {"dtype": "float64"}]
    head, _, line = tables.dtypes(rows).splitlines()
    assert "| float32 | float64 |" in head
    assert line.endswith("| 1,000 | 0.50 | 0.25 | 12.3 |  |")
    assert list(tables.copy_rates(rows).values()) == [2000.0, 2000.0]


def test_read(tmp_path):
    path = tmp_path / "ops.csv"
    path.write_text("isa,rounding,elements,of_fake_quant\navx2,,65536,\n")
    assert tables.read(path) == [
        {"isa": "avx2", "rounding": "", "elements": 65536.0, "of_fake_quant": None}
    ]


def test_cycles_has_the_cases_of_the_benchmark():
    """The page joins the two by these names; an own threshold is computed by TensorFlow."""
    source = (FOLDER / "cycles.cc").read_text(encoding="utf-8")
    named = [case for case in CASES if f'{{"{case.op}", "{case.variant}"' in source]
    assert [case.label for case in CASES if case not in named] == ["ternary own threshold"]


def test_cycles_fits_the_core():
    try:
        cxx = build.compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    command = [*cxx, *build.FLAGS, "-Werror", "-fsyntax-only", "-I", str(build.SOURCES)]
    done = subprocess.run([*command, FOLDER / "cycles.cc"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
