"""scaled_integer against exact rational arithmetic, its scales and its axes, both backends."""

import functools
import math
from fractions import Fraction

import numpy as np
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import (
    BACKENDS,
    DETERMINISTIC,
    DTYPES,
    OVERFLOWS,
    ROUNDINGS,
    from_bits,
    spread,
    to_bits,
    to_floats,
)

import quant_ops
from quant_ops.library import forced

SEED, COUNTER = -3, 11


def assert_equal_to_the_oracle(bits, dtype, scale, word_bits, rounding, overflow):
    """On both backends; `scale` is a NumPy scalar, whose dtype decides which quotient is meant."""
    x = from_bits(bits, dtype)
    given = to_floats(x)
    exact = overflow == "saturate" and word_bits <= 20
    exact = exact and "float64" not in (dtype, scale.dtype.name)
    expected = [
        oracle.scaled_integer(
            value, float(scale), dtype, word_bits, rounding, overflow,
            oracle.random_bits(SEED, COUNTER, i) >> 1, exact=exact,
        )
        for i, value in enumerate(given)
    ]  # fmt: skip
    for backend in BACKENDS:
        with forced(backend):
            result = quant_ops.scaled_integer(
                x, from_bits(to_bits(scale), scale.dtype.name), word_bits,
                rounding=rounding, overflow=overflow, seed=SEED, counter=COUNTER,
            )  # fmt: skip
        # float64's subnormals count as +-2^-200 steps, which the oracle's quotient is too.
        wrong = [
            (backend, dtype, word_bits, scale, x_i, got, want)
            for x_i, got, want in zip(given, to_floats(result), expected, strict=True)
            if not (got == want or math.isnan(got) and math.isnan(want))
        ]
        assert not wrong, (len(wrong), wrong[:5])
        nan = np.isnan(given)
        assert (to_bits(result)[nan] == to_bits(x)[nan]).all()


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_against_the_oracle(rounding, overflow):
    """The dtypes of the scale take turns: each with every rounding, and with every dtype of x."""
    turn = ROUNDINGS.index(rounding) + OVERFLOWS.index(overflow)
    for d, dtype in enumerate(DTYPES):
        for i, (word_bits, scale) in enumerate(
            ((1, 0.75), (4, 0.1), (8, 3e-3), (16, 1e-39), (24, 7e30), (8, 0.0)), turn + d
        ):
            scale = (np.float64, np.float32)[i % 2](scale)
            bits = spread(dtype, 100, float(scale), seed=word_bits)
            assert_equal_to_the_oracle(bits, dtype, scale, word_bits, rounding, overflow)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("dtype", DTYPES[:3])
def test_exact_quotients_against_the_oracle(dtype, rounding):
    """Scales of every narrow dtype, at the ends of the two compute types and beyond."""
    for word_bits, scale in (
        (20, np.float32(0.7)), (20, np.float32(2.0**80)), (12, np.float32(2.0**81 * 1.1)),
        (20, np.float32(2.0**-80)), (3, np.float32(1e-45)), (8, np.float32(2.0**-80 * 0.99)),
        (9, np.float16(0.0117)), (17, np.float16(6e-8)), (10, tf.bfloat16.as_numpy_dtype(1.4)),
    ):  # fmt: skip
        bits = spread(dtype, 120, float(scale), seed=word_bits)
        assert_equal_to_the_oracle(bits, dtype, scale, word_bits, rounding, "saturate")


@pytest.mark.parametrize("scale", [0.7, 0.75, 1.0, 3e-20, 1e-35])
def test_stochastic_rounding_decides_at_the_exact_fraction(scale):
    """x / scale = (bits31 + 1) / 2^31 is the first to be rounded up: x there and next to it."""
    scale, count = np.float32(scale), 300
    thresholds = [(oracle.random_bits(SEED, COUNTER, i) >> 1) + 1 for i in range(count)]
    x = (np.array(thresholds) * 2.0**-31 * np.float64(scale)).astype(np.float32)
    bits = to_bits(x) + np.random.default_rng(0).integers(-1, 2, count, np.int32)
    bits |= np.random.default_rng(1).integers(0, 2, count, np.uint32) << np.uint32(31)
    assert_equal_to_the_oracle(bits, "float32", scale, 8, "stochastic", "saturate")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_a_wider_scale_changes_no_deterministic_rounding(rounding, backend):
    """The exact quotient and the one in float64 round alike."""
    for dtype in DTYPES[:3]:
        for scale in (np.float32(0.1), np.float32(1.9e-5), np.float32(2.0**81 * 1.1)):
            for word_bits in (2, 9, 20):
                x = from_bits(spread(dtype, 3000, float(scale), seed=word_bits), dtype)
                with forced(backend):
                    narrow, wide = (
                        quant_ops.scaled_integer(x, s, word_bits, rounding=rounding)
                        for s in (scale, np.float64(scale))
                    )
                assert (to_bits(narrow) == to_bits(wide)).all()


@functools.cache
def on_grid(scale: np.floating, dtype: str) -> tf.Tensor:
    """The dtype's values of the steps from -256 to 255."""
    products = [Fraction(k * float(scale)) for k in range(-256, 256)]
    return tf.constant([float(oracle.DTYPES[dtype].round(each)) for each in products], dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_what_is_on_the_grid_stays_there(rounding, backend):
    """Also where x's dtype rounds the products by more than half a step.

    bfloat16(183 * 1.4033) = 256, although 256 is nearer to 182 * 1.4033, which rounds to 255.
    bfloat16(255 * 0.003929314) = 1, although 1 is nearer to 254 steps, which rounds to 0.996.
    """
    for scale in (1.4033, 0.003929314, 0.0117, 3.7):
        for kind in (np.float32, np.float64):
            for dtype in DTYPES:
                x = on_grid(kind(scale), dtype)
                with forced(backend):
                    result = quant_ops.scaled_integer(x, kind(scale), 9, rounding=rounding)
                assert (to_bits(result) == to_bits(x)).all(), (scale, kind, dtype)


@pytest.mark.parametrize("backend", BACKENDS)
def test_agrees_with_fixed_point_where_the_scale_is_a_power_of_two(backend):
    x = from_bits(spread("float32", 20_000, 2.0**-5, seed=1), "float32")
    for rounding in ROUNDINGS:
        for overflow in OVERFLOWS:
            how = {"rounding": rounding, "overflow": overflow, "seed": 5, "counter": 6}
            with forced(backend):
                fixed = quant_ops.fixed_point(x, 9, 5, **how)
                scaled = quant_ops.scaled_integer(x, 2.0**-5, 9, **how)
            assert (to_bits(fixed) == to_bits(scaled)).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
def test_a_vector_of_scales_is_one_scale_for_each_slice(axis, backend):
    x = tf.random.stateless_normal((4, 3, 5), (1, 2))
    scales = tf.random.stateless_uniform([x.shape[axis]], (3, 4))
    scales = tf.concat([[0.0], scales[1:]], 0)
    how = {"rounding": "nearest_even"}  # no random bits: those depend on the index in the whole
    with forced(backend):
        whole = quant_ops.scaled_integer(x, scales, 4, axis=axis, **how)
        slices = [
            quant_ops.scaled_integer(part, scale, 4, **how)
            for part, scale in zip(tf.unstack(x, axis=axis), scales, strict=True)
        ]
    assert (whole.numpy() == tf.stack(slices, axis).numpy()).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "shape, axis",
    [
        ((3, 5, 1700), 0),  # runs longer than a block
        ((3, 5, 1700), 1),
        ((4, 600, 7), 1),  # runs of a few elements, more than are written out
        ((4, 60, 7), 1),  # a pattern that is written out
        ((5000,), 0),  # every element its own
        ((900, 9), 1),
    ],
)
def test_scales_meet_their_elements_in_long_tensors(shape, axis, backend):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    scales = rng.uniform(0.01, 0.1, shape[axis]).astype(np.float32)
    along = np.float64(scales.reshape([-1 if i == axis else 1 for i in range(len(shape))]))
    expected = np.float32(np.clip(np.rint(x / along), -8, 7) * along)
    with forced(backend):
        result = quant_ops.scaled_integer(x, scales, 4, axis=axis, rounding="nearest_even")
    assert (result.numpy() == expected).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_scale_gives_zero_and_keeps_nan(backend):
    x = tf.constant([1.0, -1.0, 0.0, -0.0, np.inf, -np.inf, 1e-45, np.nan])
    for scale in (0.0, -0.0, np.float64(5e-324), np.float64(2e-308)):
        for overflow in OVERFLOWS:
            with forced(backend):
                result = quant_ops.scaled_integer(x, scale, 8, overflow=overflow)
            assert (to_bits(result)[:-1] == 0).all()
            assert np.isnan(result[-1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_subnormal_float32_scale_is_exact(backend):
    scale = from_bits(np.array([5]), "float32")[0]  # 5 * 2^-149
    x = from_bits(np.array([4, 12, 13, 5 * 127, 5 * 127 + 4]), "float32")
    with forced(backend):
        result = quant_ops.scaled_integer(x, scale, 8, rounding="nearest_even")
    assert to_bits(result).tolist() == [5, 10, 15, 5 * 127, 5 * 127]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_scale_in_a_graph_is_still_divided_by(backend):
    """Graph optimisation turns x / c into x * (1 / c), which rounds differently."""
    x = tf.constant(np.arange(1, 4001) * 0.05, tf.float64)

    def quantize(x):
        return quant_ops.scaled_integer(x, 0.1, 20, rounding="nearest_even")

    with forced(backend):
        eager, graph = quantize(x).numpy(), tf.function(quantize)(x).numpy()
    assert (eager == graph).all()
    assert (eager == np.rint(x.numpy() / 0.1) * 0.1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_unknown_shapes(backend):
    @tf.function(input_signature=[tf.TensorSpec(None), tf.TensorSpec(None)])
    def quantize(x, scale):
        return quant_ops.scaled_integer(x, scale, 8, axis=-1, rounding="nearest_even")

    with forced(backend):
        result = quantize(tf.ones([2, 3, 2]), tf.constant([0.3, 0.7]))
        assert (result.numpy() == np.float32([3 * np.float64(np.float32(0.3)), 0.7])).all()
        assert quantize(tf.ones([2, 0]), tf.ones([0])).shape == (2, 0)
        with pytest.raises(tf.errors.InvalidArgumentError, match="scale must have one value"):
            quantize(tf.ones([2, 3]), tf.constant([1.0]))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("scale", [-1.0, np.nan, np.inf, -1e-45])
def test_an_invalid_scale_is_an_error(scale, backend):
    with forced(backend):
        with pytest.raises(ValueError, match="scale must be finite and not negative"):
            quant_ops.scaled_integer([1.0], scale, 8)
        tensor = from_bits(to_bits(np.float32(scale)), "float32")
        graph = tf.function(lambda s: quant_ops.scaled_integer([1.0], s, 8))
        for quantize in (graph, graph.python_function):
            with pytest.raises(tf.errors.InvalidArgumentError, match="scale must be finite"):
                quantize(tensor)
