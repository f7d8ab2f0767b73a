"""Features of every dtype and order in memory, read where they are: the same as a plain copy."""

import subprocess
import sys

import numpy as np
import pytest

from quant_ops.linear import LinearSolver, survey
from quant_ops.linear.matrix import TYPES, described

N, D = 700, 37  # several tiles; columns that fill no vector
INTEGERS = np.random.default_rng(0).integers(-100, 100, (N, D))
Y = np.random.default_rng(1).standard_normal(N)
ORDERS = {
    "rows": lambda x: x,
    "columns": np.asfortranarray,
    "rows apart": lambda x: np.repeat(x, 3, axis=0)[::3],
    "columns apart": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "mirrored": lambda x: x[:, ::-1].copy()[:, ::-1],
    "other bytes": lambda x: x.astype(x.dtype.newbyteorder()),
    "unaligned": lambda x: unaligned(x),
}


def unaligned(x):
    memory = np.zeros(x.nbytes + 1, np.uint8)
    shifted = memory[1:].view(x.dtype).reshape(x.shape)
    shifted[:] = x
    return shifted


def numbers(dtype):
    """Integers that the dtype holds."""
    return (np.abs(INTEGERS) if dtype[0] == "u" else INTEGERS).astype(dtype)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ORDERS)
def test_what_is_known_of_the_columns(dtype, order):
    x = ORDERS[order](numbers(dtype))
    exact = numbers(dtype).astype(np.int64)
    for n_threads in (1, 3):
        found = survey(x, n_threads)
        np.testing.assert_array_equal(found.low, exact.min(axis=0))
        np.testing.assert_array_equal(found.high, exact.max(axis=0))
        np.testing.assert_array_equal(found.squares, np.square(exact).sum(axis=0))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_same_fit(dtype, order):
    """Integers are the same numbers in any dtype: to the last bit the same as from float64."""
    plain, other = (
        LinearSolver(x, Y, loss="squared", intercept=True, n_threads=2)
        for x in (numbers(dtype).astype(float), ORDERS[order](numbers(dtype)))
    )
    assert plain.largest_row == other.largest_row
    assert plain.largest_eigenvalue(0, N) == other.largest_eigenvalue(0, N)
    for solver in (plain, other):
        solver.epoch(1e-5, 20)
    np.testing.assert_array_equal(plain.weights(), other.weights())


def test_every_half_precision_number():
    """Subnormal numbers, too, and those near the end of the range; NaN and infinity are refused."""
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)][:, None]
    found = survey(finite)
    assert (found.low[0], found.high[0]) == (-65504.0, 65504.0)
    np.testing.assert_allclose(found.squares, np.square(finite.astype(float)).sum(), rtol=1e-12)
    for value in finite[::997, 0]:
        alone = survey(np.array([[value]]))
        assert alone.low[0] == alone.high[0] == float(value)
    for bad in every[~np.isfinite(every)][::101]:
        assert not np.isfinite(survey(np.array([[1], [bad]], np.float16)).squares[0])


@pytest.mark.parametrize("data_bits", [4, 8, 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_centres_and_scales(data_bits, dtype):
    """(x - centre) * scale is what is quantized: as if it had been given so."""
    x = INTEGERS.astype(dtype)
    centres, scales = np.arange(D) - 7.0, 2.0 ** (np.arange(D) % 5)
    changed = (x.astype(float) - centres) * scales
    options = {"loss": "squared", "data_bits": data_bits, "intercept": True, "word_bits": 8}
    squares = np.square(x - centres).sum(axis=0)
    columns = survey(x)
    given = LinearSolver(
        x, Y, column_centres=centres, column_scales=scales,
        columns=type(columns)(columns.low, columns.high, squares), **options,
    )  # fmt: skip
    made = LinearSolver(changed, Y, **options)
    for solver in (given, made):
        solver.epoch(1e-6, 30)
    np.testing.assert_array_equal(given.weights()[:, :-1] / scales, made.weights()[:, :-1])
    assert given.weights()[0, -1] == made.weights()[0, -1]


def test_eigenvalues_against_numpy():
    """Power iteration finds at least 90 % of the largest; never more than there is."""
    draw = np.random.default_rng(3)
    x = draw.standard_normal((400, 20)) @ np.diag(np.linspace(1, 5, 20))
    s = draw.random(400) + 0.5
    for algorithm, tolerance in (("svrg", 1e-9), ("halp", 2e-3)):
        solver = LinearSolver(
            x, Y[:400], loss="squared", sample_weights=s, algorithm=algorithm, data_bits=16
        )
        exact = np.linalg.eigvalsh((x.T * (s / s.mean())) @ x / 400)[-1]
        found = solver.largest_eigenvalue(0, 400)
        assert 0.9 * exact < found <= exact * (1 + tolerance)
        exact_row = np.max(s / s.mean() * np.square(x).sum(axis=1))
        assert solver.largest_row == pytest.approx(exact_row, rel=tolerance)


def test_pages_of_a_mapped_file_are_given_back_only_where_nothing_is_lost(tmp_path):
    np.arange(24, dtype=np.float32).reshape(6, 4).tofile(tmp_path / "x")
    maps = {mode: np.memmap(tmp_path / "x", np.float32, mode, shape=(6, 4)) for mode in "rc"}
    assert described(maps["r"]).drops_pages and described(np.asarray(maps["r"])[1:]).drops_pages
    assert not described(maps["r"].T).drops_pages  # its rows are not pages
    maps["c"][2, 2] = 99.0
    assert not described(maps["c"]).drops_pages
    assert survey(maps["c"]).high[2] == 99.0 and maps["c"][2, 2] == 99.0


MAPPED = """
import resource, sys
import numpy as np
from quant_ops.linear import LinearSolver
assert "tensorflow" not in sys.modules
x = np.memmap(sys.argv[1], np.float32, "r", shape=(200_000, 256))
y = np.arange(200_000.0) % 2
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
solver = LinearSolver(x, y, loss="logistic", n_threads=2)
solver.epoch(0.01, 500)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / x.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in KiB on Linux")
def test_a_mapped_file_is_never_in_memory_as_a_whole(tmp_path):
    path = tmp_path / "x"
    with path.open("wb") as file:
        block = np.random.default_rng(0).standard_normal((2000, 256)).astype(np.float32)
        for _ in range(100):
            file.write(block.tobytes())
    done = subprocess.run(
        [sys.executable, "-c", MAPPED, str(path)], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 0.4
