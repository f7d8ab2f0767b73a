"""Quantizers of formats: the values, the clipped gradient, and what does not go together."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf

from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.formats import (
    MX,
    Binary,
    BlockFloat,
    FixedPoint,
    Minifloat,
    PowerOfTwo,
    Sparse,
    Ternary,
)
from tq_halp.quantizers import Quantizer

X = np.float32([0.3, -0.1, 0.0, 5.0, -7.0, 0.25, 1.5, -3.25])


def gradient(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


@pytest.mark.parametrize(
    ("shape", "axis", "fits"),
    [
        ((8,), -1, True),
        ((8,), 0, True),
        ((8,), 1, False),
        ((8,), -2, False),
        ((8, 3), -1, False),
        ((8, 3), 0, True),
        ((2, 8, 3), -2, True),
        ((0, 3), 0, True),
        ((), -1, False),
    ],
)
def test_shapes_that_a_block_format_refuses_are_those_that_its_op_refuses(shape, axis, fits):
    format = BlockFloat(8, 4, axis)
    if fits:
        format.check_shape(shape)
        assert Quantizer(format)(np.ones(shape, np.float32)).shape == shape
        return
    with pytest.raises(InputError):
        format.check_shape(shape)
    with pytest.raises(ValueError):
        Quantizer(format)(np.ones(shape, np.float32))


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e5m2", "float6_e2m3fn"])
def test_named_minifloat_equals_the_library(name):
    dtype = getattr(ml_dtypes, name, None) or np.float16
    x = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(quantizers.get(name)(x), x.astype(dtype).astype(np.float32))


@pytest.mark.parametrize(
    ("quantizer", "want"),
    [
        # By hand: multiples of 1/8 between 1 and 2, of 1/64 and less below 1/4; at most 240.
        (Quantizer("float8_e4m3"), [0.3125, -0.1015625, 0, 5, -7, 0.25, 1.5, -3.25]),
        (Quantizer(PowerOfTwo(-7, 0), "down"), [0.25, -0.125, 0, 1, -1, 0.25, 1, -1]),
        # Two blocks of four with largest magnitudes 5 and 7: steps of 4/64.
        (Quantizer(BlockFloat(8, 4), "toward_zero"), [0.25, -0.0625, 0, 5, -7, 0.25, 1.5, -3.25]),
        # The largest of E2M1 is 6, so that 5 and 7 have the scale 1: 0, 1/2, 1, 3/2, 2, 3, 4, 6.
        (Quantizer(MX("float4_e2m1fn", 4)), [0.5, -0.0, 0, 4, -6, 0, 1.5, -3]),
        (Quantizer(Binary(0.5)), [0.5, -0.5, 0.5, 0.5, -0.5, 0.5, 0.5, -0.5]),
        # 0.7 times the mean magnitude is 0.7 * 17.4 / 8 = 1.52.
        (Quantizer(Ternary()), [0, 0, 0, 1, -1, 0, 0, -1]),
        (Quantizer(Ternary(2, 0.25)), [2, 0, 0, 2, -2, 0, 2, -2]),
        (Quantizer(Sparse(0.25)), [0.3, 0, 0, 5, -7, 0.25, 1.5, -3.25]),
    ],
    ids=str,
)
def test_values(quantizer, want):
    np.testing.assert_array_equal(quantizer(X), np.float32(want))
    np.testing.assert_array_equal(tf.function(quantizer)(X), np.float32(want))


def test_infinity_is_an_overflow_of_minifloats_that_have_one():
    x = np.float32([1e6, -1e6])
    infinite = Quantizer("float8_e5m2", overflow="infinity")
    np.testing.assert_array_equal(infinite(x), [np.inf, -np.inf])
    np.testing.assert_array_equal(Quantizer("float8_e5m2")(x), [57344, -57344])


@pytest.mark.parametrize(
    ("format", "low", "high"),
    [
        (FixedPoint(6, 4), -2.0, 31 / 16),
        (Minifloat(2, 1, specials="none"), -6.0, 6.0),
        (PowerOfTwo(-7, 1), -2.0, 2.0),
        (Binary(0.5), -0.5, 0.5),
        (Ternary(2.0), -2.0, 2.0),
        (Ternary(2.0, 0.25), -2.0, 2.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_clipped_gradient_is_one_within_the_limits(format, low, high, dtype):
    limits = np.array([low, high], dtype)
    outside = np.nextafter(limits, np.array([-np.inf, np.inf], dtype))
    x = np.concatenate([limits, outside, np.array([0, np.inf, -np.inf, np.nan], dtype)])
    got = gradient(Quantizer(format, gradient="clipped"), x)
    np.testing.assert_array_equal(got, [1, 1, 0, 0, 1, 0, 0, 0])


def test_clipped_gradient_follows_limits_that_the_dtype_cannot_hold():
    """2^15 - 2^-16 has 31 bits: in float32 the largest number of the grid is 2^15 - 2^-9."""
    x = np.float32([2**15, 2**15 - 2**-9])
    got = gradient(Quantizer(FixedPoint(32, 16), gradient="clipped"), x)
    np.testing.assert_array_equal(got, [0, 1])
    # 0.1 is no float32 either, but the level itself is rounded to one, here upwards.
    got = gradient(Quantizer(Binary(0.1), gradient="clipped"), np.float32([0.1, -0.1, 0.11]))
    np.testing.assert_array_equal(got, [1, 1, 0])


@pytest.mark.parametrize("overflow", ["saturate", "infinity"])
def test_clipped_gradient_does_not_depend_on_the_overflow(overflow):
    quantizer = Quantizer("float8_e4m3fn", overflow=overflow, gradient="clipped")
    got = gradient(quantizer, np.float32([448, 448.1, -448, -500]))
    np.testing.assert_array_equal(got, [1, 0, 1, 0])


def test_the_default_rounding_is_resolved():
    assert Quantizer("float8_e5m2").get_config()["rounding"] == "nearest_even"
    assert Quantizer("binary").rounding == "nearest_up"
    assert Quantizer("ternary").rounding is None
    assert Quantizer("float8_e5m2", None) == Quantizer("float8_e5m2", "nearest_even")


def test_text_names_format_and_choices():
    assert str(Quantizer("float8_e5m2")) == "float8_e5m2 nearest_even"
    assert (
        str(Quantizer(Minifloat(5, 2), "stochastic", "infinity", "clipped"))
        == "float8_e5m2 stochastic infinity clipped"
    )
    assert str(Quantizer(Ternary(), gradient="clipped")) == "ternary clipped"
    assert str(Quantizer({"format": "mxfp4", "axis": 0})) == "mxfp4(axis=0) nearest_even"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Quantizer("binary", "down"),
            "unknown rounding for binary 'down', valid: nearest_up, stochastic",
        ),
        (
            lambda: Quantizer("ternary", "nearest_even"),
            "rounding must be None for ternary. Received: 'nearest_even'",
        ),
        (
            lambda: quantizers.get(
                {"format": "sparse", "threshold": 0.5, "rounding": "stochastic"}
            ),
            "rounding must be None for sparse(0.5). Received: 'stochastic'",
        ),
        (
            lambda: Quantizer("float4_e2m1fn", overflow="infinity"),
            "unknown overflow for float4_e2m1fn 'infinity', valid: saturate",
        ),
        (
            lambda: Quantizer("float8_e5m2", overflow="wrap"),
            "unknown overflow for float8_e5m2 'wrap', valid: saturate, infinity",
        ),
        (
            lambda: Quantizer("mxfp8", overflow="infinity"),
            "unknown overflow for mxfp8_e4m3 'infinity', valid: saturate",
        ),
        (
            lambda: Quantizer("mxfp8", gradient="clipped"),
            "unknown gradient for mxfp8_e4m3 'clipped', valid: straight_through",
        ),
        (
            lambda: Quantizer(BlockFloat(8, 4), gradient="clipped"),
            "unknown gradient for block_float(8, 4) 'clipped', valid: straight_through",
        ),
        (
            lambda: Quantizer(Sparse(0.5), gradient="clipped"),
            "unknown gradient for sparse(0.5) 'clipped', valid: straight_through",
        ),
        (
            lambda: Quantizer(FixedPoint(8, 6))(X, scale=0.5),
            "scale must be None for fixed_point(8, 6). Received: 0.5",
        ),
    ],
)
def test_what_does_not_go_together_is_named_with_what_does(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)
