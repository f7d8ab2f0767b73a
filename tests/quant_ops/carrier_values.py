"""What the tests of quant_ops share: bit views, values over all magnitudes."""

import os

import numpy as np
import tensorflow as tf

ROUNDINGS = (
    "nearest_even",
    "nearest_away",
    "nearest_up",
    "down",
    "up",
    "toward_zero",
    "stochastic",
)
DETERMINISTIC = ROUNDINGS[:-1]
OVERFLOWS = ("saturate", "wrap")
DTYPES = ("float16", "bfloat16", "float32", "float64")
BACKENDS = tuple(os.environ.get("QUANT_OPS_TEST_BACKENDS", "native,composite").split(","))
BITS = {"float16": np.uint16, "bfloat16": np.uint16, "float32": np.uint32, "float64": np.uint64}
MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}


def to_bits(x) -> np.ndarray:
    """The bit patterns of a tensor or array of a floating dtype."""
    x = np.asarray(x)
    return x.view(BITS[x.dtype.name])


def from_bits(bits: np.ndarray, dtype: str) -> tf.Tensor:
    """The tensor with these bit patterns; no float conversion touches them."""
    return tf.bitcast(tf.constant(bits.astype(BITS[dtype])), dtype)


def to_floats(x) -> list[float]:
    """The exact values, in Python floats: NumPy, unlike TensorFlow, keeps subnormals."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        return np.asarray(x).astype(np.float64).tolist()


def expect(result: tf.Tensor, x: tf.Tensor, expected, told: object = "") -> None:
    """Asserts that `result` is, bit for bit, `expected` (exact values, zeros with their sign): the
    same NaN where x is one, the canonical NaN where only `expected` is."""
    dtype, given = x.dtype.as_numpy_dtype, np.asarray(to_floats(x)).reshape(x.shape)
    expected = np.asarray(expected, np.float64).reshape(x.shape)
    nan = np.isnan(given)
    want = np.where(nan, 0, expected).astype(dtype)
    held = (want.astype(np.float64) == expected) | np.isnan(expected)
    assert held.all(), (told, given[~held], expected[~held])
    want = np.where(np.isnan(expected), canonical_nan(x.dtype.name), to_bits(want))
    want = np.where(nan, to_bits(x), want)
    differ = np.argwhere(to_bits(result) != want)
    received = np.asarray(to_floats(result))
    shown = "".join(
        f"\n  element {i}: x {given[i]!r}, received {received[i]!r}, expected {expected[i]!r}"
        for i in map(tuple, differ[:5].tolist())
    )
    assert not len(differ), f"{told}: {len(differ)} of {given.size} differ{shown}"


def canonical_nan(dtype: str) -> int:
    """The bits of the quiet NaN without a sign and without a payload."""
    width = 8 * np.dtype(BITS[dtype]).itemsize
    return 2 ** (width - 1) - 2 ** (MANTISSA[dtype] - 1)


def spread(dtype: str, count: int, step: float, seed: int) -> np.ndarray:
    """Bit patterns of `count` values: random patterns (so every magnitude, NaN payloads, both
    signs), a third near the grid of `step` (multiples of step / 4 and their neighbours), a tenth
    subnormal, and each special value."""
    rng = np.random.default_rng(seed)
    kind = BITS[dtype]
    width = 8 * np.dtype(kind).itemsize
    bits = rng.integers(0, 2**64 - 1, count, np.uint64, endpoint=True).astype(kind)
    third, tenth = count // 3, count // 10
    with np.errstate(over="ignore"):
        near = rng.integers(-300, 300, third) / 4 * step
        bits[:third] = to_bits(near.astype(tf.as_dtype(dtype).as_numpy_dtype))
        bits[:third] += rng.integers(-1, 2, third).astype(kind)
    subnormal = rng.integers(0, 2 ** MANTISSA[dtype], tenth, np.uint64)
    sign = rng.integers(0, 2, tenth, np.uint64) << np.uint64(width - 1)
    bits[third : third + tenth] = (subnormal | sign).astype(kind)
    infinity = kind((2**width - 2 ** MANTISSA[dtype]) % 2 ** (width - 1))
    top = kind(1 << width - 1)
    special = np.array([0, 1, infinity, infinity - kind(1), infinity + kind(1)], kind)
    bits[-10:] = np.concatenate([special, special | top])
    return bits
