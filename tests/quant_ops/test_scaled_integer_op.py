"""scaled_integer against exact rational arithmetic, its scales and its axes, both backends."""

import math

import numpy as np
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import (
    BACKENDS,
    DTYPES,
    OVERFLOWS,
    ROUNDINGS,
    forced,
    from_bits,
    spread,
    to_bits,
    to_floats,
)

import quant_ops

SEED, COUNTER = -3, 11


@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_against_the_oracle(rounding, overflow):
    for dtype in DTYPES:
        for word_bits, scale in ((1, 0.75), (4, 0.1), (8, 3e-3), (16, 1e-39), (24, 7e30), (8, 0.0)):
            x = from_bits(spread(dtype, 150, scale, seed=word_bits), dtype)
            given = to_floats(x)
            expected = [
                oracle.scaled_integer(
                    value, scale, dtype, word_bits, rounding, overflow,
                    oracle.random_bits(SEED, COUNTER, i) >> 1,
                )
                for i, value in enumerate(given)
            ]  # fmt: skip
            for backend in BACKENDS:
                with forced(backend):
                    result = quant_ops.scaled_integer(
                        x, np.float64(scale), word_bits, rounding=rounding, overflow=overflow,
                        seed=SEED, counter=COUNTER,
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
