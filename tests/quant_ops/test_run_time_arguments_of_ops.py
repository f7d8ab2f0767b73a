"""Arguments that are tensors, or that x's shape at run time must fit: accepted and refused."""

import numpy as np
import pytest
import tensorflow as tf
from carrier_values import BACKENDS

import quant_ops
from quant_ops.library import forced

X = [0.3, 0.7]


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with forced(request.param):
        yield request.param


@pytest.mark.parametrize("op", [quant_ops.binary, quant_ops.ternary], ids=["binary", "ternary"])
def test_a_level_tensor_that_is_none_is_an_error_at_run_time(op):
    quantize = tf.function(lambda level: op(X, level))
    for bad in (0.0, -1.0, np.nan, np.inf, 1e39):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="level must be positive and finite"
        ):
            quantize(tf.constant(bad, tf.float64))


def test_a_threshold_tensor_that_is_none_is_an_error_at_run_time():
    for op in (quant_ops.sparse, lambda x, threshold: quant_ops.ternary(x, 1.0, threshold)):
        quantize = tf.function(lambda threshold, op=op: op(X, threshold))
        for bad in (-1.0, np.nan, np.inf):
            with pytest.raises(tf.errors.InvalidArgumentError, match="threshold must be finite"):
                quantize(tf.constant(bad))


def test_blocks_that_do_not_fit_are_an_error_at_run_time():
    @tf.function(input_signature=[tf.TensorSpec(None)])
    def quantize(x):
        return quant_ops.mx(x, block_size=4, axis=1)

    assert quantize(tf.ones([3, 8])).shape == (3, 8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="block_size must divide"):
        quantize(tf.ones([3, 6]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="axis must be"):
        quantize(tf.ones([8]))


def test_levels_and_thresholds_may_be_tensors_of_any_floating_dtype():
    x = tf.constant([0.5, -0.1, 0.3], tf.bfloat16)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        level, threshold = tf.constant(0.1, dtype), tf.constant(0.25, dtype)
        expected = tf.cast(level, tf.bfloat16).numpy() * [1, 0, 1]
        result = quant_ops.ternary(x, level, threshold)
        assert result.dtype == tf.bfloat16
        assert (result.numpy() == expected).all()
