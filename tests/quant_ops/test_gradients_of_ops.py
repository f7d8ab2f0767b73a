"""The straight-through gradient, in every way that TensorFlow takes one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from carrier_values import BACKENDS, DTYPES
from every_op import EVERY_OP

import quant_ops
from quant_ops.library import forced

QUANTIZERS = EVERY_OP | {
    "scaled_integer, per axis": lambda x: quant_ops.scaled_integer(x, [0.25, 0, 0.5, 1], 4, axis=0),
}


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with forced(request.param):
        yield request.param


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quantize", QUANTIZERS.values(), ids=QUANTIZERS)
def test_upstream_passes_unchanged(quantize, dtype):
    """Also where the value saturates, wraps, becomes infinite or is set to zero."""
    x = tf.constant([0.3, 1000.0, -7.7, 1e-4], dtype)
    weights = tf.constant([1.5, -2.0, 3.0, 0.25], dtype)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(quantize(x) * weights)
        return tape.gradient(loss, x)

    assert (gradient(x).numpy() == weights.numpy()).all()
    if dtype == "float32":  # a graph once for each op: tracing takes longer than all the rest
        assert (tf.function(gradient)(x).numpy() == weights.numpy()).all()


@pytest.mark.parametrize(
    "quantize",
    [
        lambda x, parameter: quant_ops.scaled_integer(x, parameter, 8),
        lambda x, parameter: quant_ops.binary(x, parameter),
        lambda x, parameter: quant_ops.ternary(x, parameter),
        lambda x, parameter: quant_ops.ternary(x, 1.0, parameter),
        lambda x, parameter: quant_ops.sparse(x, parameter),
    ],
    ids=["scale", "level of binary", "level of ternary", "threshold of ternary", "of sparse"],
)
def test_nothing_reaches_a_parameter(quantize):
    x, parameter = tf.Variable([1.0, 2.0]), tf.Variable(0.3)
    with tf.GradientTape(persistent=True) as tape:
        result = quantize(x, parameter)
    assert tape.gradient(result, parameter) is None
    assert (tape.gradient(result, x).numpy() == 1).all()


def test_second_derivative():
    """d2/dx2 of q(x)^2, with dq/dx = 1, is 2."""
    x = tf.Variable([0.3, 1.2])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_sum(quant_ops.fixed_point(x, 8, 2) ** 2)
        first = inner.gradient(loss, x)
    assert (first.numpy() == 2 * np.float32([0.25, 1.25])).all()
    assert (outer.gradient(first, x).numpy() == 2).all()


def test_inside_a_stateless_scope():
    variable = keras.Variable([0.3, 1.2])
    with keras.StatelessScope([(variable, tf.constant([0.55, 0.8]))]):
        with tf.GradientTape() as tape:
            value = tf.convert_to_tensor(variable)
            tape.watch(value)
            result = quant_ops.fixed_point(value, 8, 2)
        assert (tape.gradient(result, value).numpy() == 1).all()
        assert (result.numpy() == np.float32([0.5, 0.75])).all()
