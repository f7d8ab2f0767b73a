"""Quantizers: values against NumPy, gradients against their formula, mappings and errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.mappings import W8
from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.formats import FixedPoint, ScaledInteger
from tq_halp.quantizers import Quantizer, quantize_gradient

X = np.array([0.0, 0.1, -0.1, 1.5 / 64, 2.5 / 64, 127 / 64, 2.0, -2.0, -2.01, 9.0], np.float32)


def gradient(function, x, upstream=None):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return tape.gradient(y, x, output_gradients=upstream).numpy()


def test_fixed_point_equals_numpy():
    want = np.clip(np.rint(X * 64), -128, 127) / 64
    np.testing.assert_array_equal(quantizers.get(W8)(X), want)


def test_scaled_integer_takes_its_scale_from_the_tensor():
    x = np.array([[1.0, -2.54], [0.013, 0.3]], np.float32)
    scale = np.float32(2.54) / np.float32(127)
    want = (np.rint(x.astype(np.float64) / scale) * np.float64(scale)).astype(np.float32)
    np.testing.assert_array_equal(Quantizer(ScaledInteger(8))(x), want)


def test_scaled_integer_takes_a_given_scale():
    got = Quantizer(ScaledInteger(8))(np.float32([0.3, 100.0]), scale=0.25)
    np.testing.assert_array_equal(got, np.float32([0.25, 127 * 0.25]))


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_dynamic_range_without_a_range(bits):
    quantizer = Quantizer(ScaledInteger(bits))
    np.testing.assert_array_equal(quantizer(np.zeros(3, np.float32)), np.zeros(3))
    assert quantizer(np.zeros([0, 2], np.float32)).shape == (0, 2)


def test_dynamic_range_is_that_of_the_finite_elements():
    got = Quantizer(ScaledInteger(8))(np.float32([127.0, 3.0, np.inf, -np.inf, np.nan]))
    np.testing.assert_array_equal(got, np.float32([127.0, 3.0, 127.0, -128.0, np.nan]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_dtype_is_kept(dtype):
    x = tf.cast(X, dtype)
    for format in (FixedPoint(8, 6), ScaledInteger(8)):
        assert Quantizer(format, gradient="clipped")(x).dtype == dtype


def test_straight_through_gradient_is_one_everywhere():
    got = gradient(quantizers.get(W8), X, upstream=tf.constant(X))
    np.testing.assert_array_equal(got, X)


def test_clipped_gradient_is_zero_outside_the_range():
    x = np.append(X, np.float32(np.nan))
    got = gradient(Quantizer(FixedPoint(8, 6), gradient="clipped"), x)
    np.testing.assert_array_equal(got, ((x >= -2) & (x <= 127 / 64)).astype(np.float32))


def test_clipped_gradient_in_bfloat16_compares_with_the_exact_limit():
    # The limit, 1023/512, is no bfloat16; rounded to one it would be 2, and 2 would be inside.
    x = tf.constant([2.0, 1.9921875], tf.bfloat16)
    got = gradient(Quantizer(FixedPoint(11, 9), gradient="clipped"), x)
    np.testing.assert_array_equal(got.astype(np.float32), [0.0, 1.0])


def test_clipped_gradient_of_a_given_scale():
    quantizer = Quantizer(ScaledInteger(4), gradient="clipped")
    got = gradient(lambda x: quantizer(x, scale=0.5), np.float32([-4.1, -4.0, 0.0, 3.5, 3.6]))
    np.testing.assert_array_equal(got, [0, 1, 1, 1, 0])


def test_clipping_leaves_the_values_alone():
    straight, clipped = (
        Quantizer(FixedPoint(4, 1), overflow="wrap", gradient=g)
        for g in ("straight_through", "clipped")
    )
    np.testing.assert_array_equal(straight(X * 3), clipped(X * 3))


def test_quantize_gradient_is_the_identity_forward_and_q_backward():
    quantizer = quantizers.get(W8)
    upstream = tf.constant(X[::-1].copy())
    np.testing.assert_array_equal(quantize_gradient(X, quantizer), X)
    got = gradient(lambda x: quantize_gradient(x, quantizer), X, upstream)
    np.testing.assert_array_equal(got, quantizer(upstream))
    np.testing.assert_array_equal(
        gradient(lambda x: quantize_gradient(x, None), X, upstream), upstream
    )


def test_stochastic_bits_depend_on_seed_and_counter_alone():
    x = np.full(1000, 0.3, np.float32)
    quantizer = Quantizer(FixedPoint(8, 3), rounding="stochastic", seed=5)
    np.testing.assert_array_equal(quantizer(x, 7), quantizer(x, tf.constant(7, tf.int64)))
    np.testing.assert_array_equal(quantizer(x, 7), tf.function(quantizer)(x, 7))
    for other in (quantizer(x, 8), quantizer.derive("kernel")(x, 7)):
        assert np.any(quantizer(x, 7) != other)
    assert set(np.unique(quantizer(x, 7))) == {0.25, 0.375}


def test_derived_seeds_are_stable_and_distinct():
    quantizer = Quantizer(FixedPoint(8, 6), rounding="stochastic")
    # From: int.from_bytes(hashlib.blake2b(b"0/lstm/kernel", digest_size=8).digest(), "little",
    # signed=True). A change breaks the resumption of every run.
    assert quantizer.derive("lstm/kernel").seed == -8_436_173_309_285_725_904
    seeds = {quantizer.derive(f"layer_{k}/kernel").seed for k in range(1000)}
    assert len(seeds) == 1000
    nearest = Quantizer(FixedPoint(8, 6))
    assert nearest.derive("lstm/kernel") is nearest


@pytest.mark.parametrize(
    "quantizer",
    [
        Quantizer(FixedPoint(8, 6)),
        Quantizer(FixedPoint(8, 6, signed=False), "stochastic", "wrap", "clipped", -3),
        Quantizer(ScaledInteger(8), rounding="down", seed=2**63 - 1),
    ],
)
def test_configuration_round_trips(quantizer):
    assert Quantizer.from_config(quantizer.get_config()) == quantizer
    assert quantizers.get(quantizer.get_config()) == quantizer
    packed = keras.saving.serialize_keras_object(quantizer)
    assert keras.saving.deserialize_keras_object(packed) == quantizer == quantizers.get(packed)


def test_get_takes_what_it_says():
    quantizer = Quantizer(FixedPoint(8, 6))
    assert quantizers.get(None) is None
    assert quantizers.get(quantizer) is quantizer
    assert quantizers.get(FixedPoint(8, 6)) == quantizers.get(W8) == quantizer


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        (3, "a quantizer must be None, a Quantizer, a format, the name of one or a mapping"),
        ("float8_e5m3", "unknown format 'float8_e5m3', valid: fixed_point, scaled_integer"),
        ({**W8, "rounding": "stohastic"}, "did you mean 'stochastic'?"),
        (
            {**W8, "overflow": "infinity"},
            "unknown overflow for fixed_point(8, 6) 'infinity', valid: saturate, wrap",
        ),
        (
            {**W8, "gradient": "none"},
            "unknown gradient for fixed_point(8, 6) 'none', valid: straight_through, clipped",
        ),
        ({**W8, "seed": 1.5}, "seed must be an integer of 64 bits. Received: 1.5"),
        ({**W8, "seed": 2**63}, "seed must be an integer of 64 bits"),
        ({**W8, "roundin": "down"}, "did you mean 'rounding'?"),
        (
            {"format": "float8_e5m2", "roundin": "down"},
            "unknown parameter of float8_e5m2 'roundin', valid: subnormals, rounding, overflow, ",
        ),
        ({**W8, "word_bits": 65}, "word_bits must be an integer from 1 to 64. Received: 65"),
        ({"word_bits": 8}, "format is missing"),
        ({"format": "scaled_integer", "word_bits": 8, "frac_bits": 1}, "'frac_bits', valid"),
    ],
)
def test_wrong_input_is_named_with_what_is_valid(identifier, message):
    with pytest.raises(InputError) as error:
        quantizers.get(identifier)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "call",
    [
        quantizers.get(W8),
        quantizers.ScheduledQuantizer("step", ((1, quantizers.get(W8)),)),
        lambda x: quantizers.quantize_gradient(x, None),
        lambda x: quantizers.get_accumulator(W8)(x, np.ones([3, 1], np.float32)),
    ],
    ids=["quantizer", "schedule", "gradient", "accumulator"],
)
def test_a_masked_array_is_an_error(call):
    x = np.ma.masked_array([[1.0, 2.0, 3.0]], [[0, 1, 0]], dtype=np.float32)
    with pytest.raises(InputError, match="without a mask. Received: a numpy.ma.MaskedArray"):
        call(x)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_a_dynamic_range_is_the_same_in_a_graph(dtype):
    """Whose optimizer would multiply by the reciprocal of 31, if it knew the divisor."""
    quantizer = quantizers.get({"format": "scaled_integer", "word_bits": 6})
    x = tf.cast(np.random.default_rng(0).normal(size=(64, 8)), dtype)
    in_graph = tf.function(quantizer.scale)
    for row in x:
        want = tf.constant(np.max(np.abs(row)) / row.dtype.as_numpy_dtype(31), dtype)
        assert quantizer.scale(row) == want == in_graph(row)
    np.testing.assert_array_equal(tf.function(quantizer)(x), quantizer(x))
    assert quantizer.scale(x[:0]) == 0


@pytest.mark.parametrize("jit_compile", [None, False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])
def test_what_is_not_finite_does_not_count_in_a_dynamic_range(dtype, jit_compile):
    """Wherever it stands: maxima are taken of several numbers at a time."""
    scale = quantizers.get({"format": "scaled_integer", "word_bits": 8}).scale
    if jit_compile is not None:
        scale = tf.function(scale, jit_compile=jit_compile)
    x = np.random.default_rng(0).normal(size=(70,))
    for place in range(0, 70, 3):
        for value in (np.nan, np.inf, -np.inf):
            bad = tf.cast(np.where(np.arange(70) == place, value, x), dtype)
            assert scale(bad) == scale(tf.cast(np.where(np.arange(70) == place, 0.0, x), dtype))
    assert scale(tf.constant([np.nan, -np.inf], dtype)) == 0
