"""Numbers as codes and back: every bit, against ml_dtypes and integers written out by hand."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tq_halp import InputError, formats
from tq_halp.persistence import format_codes
from tq_halp.persistence.packed_integers import pack, signed, unpack, unsigned
from tq_halp.quantizers import Quantizer

FORMATS = {
    "fixed": formats.FixedPoint(8, 6),
    "unsigned": formats.FixedPoint(5, 3, signed=False),
    "one bit": formats.FixedPoint(1, 0),
    "64 bits": formats.FixedPoint(64, 40),
    "64 unsigned bits": formats.FixedPoint(64, 60, signed=False),
    "coarse": formats.FixedPoint(6, -1),
    "scaled": formats.ScaledInteger(8),
    "scaled 3": formats.ScaledInteger(3),
    "scaled 32": formats.ScaledInteger(32),
    "block": formats.BlockFloat(5, 4, axis=0),
    "block 2": formats.BlockFloat(2, 2),
    "block 32": formats.BlockFloat(32, 2),
    "powers": formats.PowerOfTwo(-7, 3),
    "binary": formats.Binary(0.3),
    "ternary": formats.Ternary(0.3),
    "ternary fixed": formats.Ternary(1.7, 0.2),
    "no subnormals": formats.Minifloat(3, 2, subnormals=False),
    "no mantissa": formats.Minifloat(4, 0),
    "no mantissa fn": formats.Minifloat(4, 0, specials="nan"),
    "biased": formats.Minifloat(4, 3, specials="fnuz", exponent_bias=11),
    "mx columns": formats.MX("float6_e2m3fn", block_size=4, axis=0),
    "mx ceil": formats.MX("float8_e4m3fn", block_size=2, scale_rounding="ceil"),
    "mx even": formats.MX("float4_e2m1fn", block_size=2, scale_rounding="even"),
    "mx int8": formats.MX("int8", block_size=4, scale_rounding="rceil"),
    **{name: formats.NAMED[name] for name in formats.Minifloat.named},
}


def spread(shape, seed):
    """Numbers of many sizes, with zeros of both signs and whole blocks of zeros."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=shape) * 2.0 ** rng.integers(-12, 6, size=shape)
    numbers[:, :2] = 0.0
    numbers[0, 2] = -0.0
    numbers[:4, 3] = 0.0
    return numbers


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_there_and_back(format, dtype):
    for rounding in (None, "stochastic"):
        if rounding and isinstance(format, formats.Ternary):
            continue
        quantizer = Quantizer(format, rounding=rounding)
        x = tf.cast(spread((16, 8), seed=1), dtype)
        step = quantizer.scale(x)
        numbers = quantizer(x).numpy()
        encoded = format_codes.encode(format, numbers, None if step is None else float(step))
        assert encoded.codes.shape == numbers.shape and encoded.codes.dtype == np.uint64
        assert encoded.bits == 64 or encoded.codes.max() < 2**encoded.bits
        again = unpack(pack(encoded.codes, encoded.bits), encoded.bits, numbers.shape)
        np.testing.assert_array_equal(again, encoded.codes)
        back = format_codes.decode(format, encoded._replace(codes=again), numbers.dtype)
        assert back.dtype == numbers.dtype
        bits = f"u{numbers.dtype.itemsize}"
        np.testing.assert_array_equal(back.view(bits), numbers.view(bits))


SAME_BITS = [
    "float8_e5m2", "float8_e4m3", "float8_e3m4", "float8_e4m3fn", "float8_e5m2fnuz",
    "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn",
    "float16", "bfloat16",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME_BITS)
def test_every_code_of_a_minifloat_is_that_of_ml_dtypes(name):
    theirs = np.float16 if name == "float16" else getattr(ml_dtypes, name)
    format = formats.NAMED[name]
    bits = 1 + format.exponent_bits + format.mantissa_bits
    every = np.arange(2**bits).astype(np.uint16 if bits == 16 else np.uint8)
    with np.errstate(invalid="ignore"):  # signaling NaNs
        numbers = every.view(theirs).astype(np.float64)
    encoded = format_codes.Encoded(every.astype(np.uint64), bits, False)
    np.testing.assert_array_equal(format_codes.decode(format, encoded, np.float64), numbers)
    own = format_codes.encode(format, numbers)
    assert own.bits == bits
    is_number = ~np.isnan(numbers)  # there is one NaN for the many of IEEE 754
    np.testing.assert_array_equal(own.codes[is_number], every[is_number])
    assert np.isnan(own.codes[~is_number].astype(every.dtype).view(theirs).astype(float)).all()


def test_by_hand():
    def of(format, numbers, step=None):
        encoded = format_codes.encode(format, np.array(numbers), step)
        return encoded.codes.tolist(), None if encoded.scale is None else encoded.scale.tolist()

    assert of(formats.FixedPoint(4, 2), [-2.0, -0.25, 0.0, 1.75]) == ([8, 15, 0, 7], None)
    assert of(formats.FixedPoint(4, 2, signed=False), [3.75, 0.25]) == ([15, 1], None)
    assert of(formats.ScaledInteger(8), [-0.5, 0.75], 0.25) == ([254, 3], 0.25)
    assert of(formats.ScaledInteger(8), [0.0, 0.0], 0.0) == ([0, 0], 0.0)
    assert of(formats.PowerOfTwo(-2, 1), [0.0, 0.25, -2.0, 1.0]) == ([0, 1, 12, 3], None)
    assert of(formats.Binary(0.5), [0.5, -0.5]) == ([1, 0], 0.5)
    assert of(formats.Ternary(2.0), [2.0, 0.0, -2.0]) == ([1, 0, 3], 2.0)
    # 3 = 6 * 2^-1: the largest is in [2, 4), so the step of 4 bits is 2^(1 - 2).
    assert of(formats.BlockFloat(4, 2), [3.0, -0.5, 0.0, 0.0]) == ([6, 15, 0, 0], [-1, -3])
    # 6 = 1.5 * 2^2, the largest element of float4; 12 is the same with twice the scale.
    assert of(formats.MX("float4_e2m1fn", 2), [6.0, -0.5, 12.0, 2.0]) == ([7, 9, 7, 2], [127, 128])


@pytest.mark.parametrize("bits", [1, 3, 4, 12, 17, 63, 64])
def test_packing_leaves_no_gaps(bits):
    numbers = [int(n) for n in np.random.default_rng(bits).integers(0, 2**63, 11)]
    numbers = [2**bits - 1, 0, *(n % 2**bits for n in numbers)]
    packed = pack(np.array(numbers, np.uint64), bits)
    line = sum(number << (bits * index) for index, number in enumerate(numbers))
    assert packed.tobytes() == line.to_bytes(-(-bits * len(numbers) // 8), "little")
    assert unpack(packed, bits, (len(numbers),)).tolist() == numbers


def test_complements():
    numbers = np.array([-8, -1, 0, 7])
    np.testing.assert_array_equal(unsigned(numbers, 4, True), [8, 15, 0, 7])
    np.testing.assert_array_equal(signed(unsigned(numbers, 4, True), 4), numbers)


@pytest.mark.parametrize("name", ["float4_e2m1fn", "float8_e4m3fn", "float16", "mxint8", "mxfp4"])
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_has_no_code_is_refused(name, number):
    format = formats.get(name)
    has = {"float8_e4m3fn": [np.nan], "float16": [np.nan, np.inf]}.get(name, [])
    numbers = np.zeros((2, 32))
    numbers[0, 3] = number
    if any(number is each for each in has):
        back = format_codes.decode(format, format_codes.encode(format, numbers), np.float32)
        np.testing.assert_array_equal(back, numbers)
    else:
        with pytest.raises(InputError, match="no code for NaN and infinity"):
            format_codes.encode(format, numbers)
