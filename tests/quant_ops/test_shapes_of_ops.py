"""Every op takes every shape: empty, scalar, of rank 7, known only at run time."""

import numpy as np
import pytest
import tensorflow as tf
from carrier_values import BACKENDS, to_bits
from every_op import BLOCKS, EVERY_OP

import quant_ops
from quant_ops.library import forced

SHAPES = [(), (0,), (6,), (3, 0, 2), (0, 4), (1,) * 6 + (2,), (2, 3, 1, 2, 1, 1, 4)]


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with forced(request.param):
        yield


@pytest.mark.parametrize("name", EVERY_OP)
def test_every_shape(name):
    """Also in a graph that knows nothing of it; blocks lie along an axis, and a scalar has none."""
    quantize = EVERY_OP[name]
    graph = tf.function(quantize, input_signature=[tf.TensorSpec(None)])
    for shape in SHAPES[name in BLOCKS :]:
        x = tf.random.stateless_normal(shape, (1, 2))
        result = quantize(x)
        assert result.shape == shape and result.dtype == x.dtype
        assert (to_bits(graph(x)) == to_bits(result)).all(), shape


@pytest.mark.parametrize("name", EVERY_OP)
def test_the_static_shape_is_kept(name):
    x = tf.random.stateless_normal([4, 6], (1, 2))
    for shape in ([None, 6], [4, 6]):
        graph = tf.function(EVERY_OP[name]).get_concrete_function(tf.TensorSpec(shape))
        assert graph.structured_outputs.shape == tf.TensorShape(shape)
        assert (to_bits(graph(x)) == to_bits(EVERY_OP[name](x))).all()


@pytest.mark.parametrize("name", EVERY_OP)
def test_an_elementwise_op_sees_no_shape(name):
    """Only the flat index and, for blocks, the neighbours along the axis count."""
    x = tf.random.stateless_normal((4, 3, 6), (1, 2))
    flat = EVERY_OP[name](tf.reshape(x, [-1]))
    assert (to_bits(EVERY_OP[name](x)).ravel() == to_bits(flat)).all()


@pytest.mark.parametrize("quantize", [quant_ops.mx, quant_ops.block_float], ids=["mx", "block"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_blocks_along_any_axis_are_blocks_along_the_last(axis, quantize):
    """Without random bits: those follow the flat index in the whole tensor."""
    arguments = {"word_bits": 6} if quantize is quant_ops.block_float else {}
    x = tf.random.stateless_normal((4, 6, 8), (1, 2))
    result = quantize(x, block_size=2, axis=axis, **arguments)
    moved = quantize(np.moveaxis(x.numpy(), axis, -1).copy(), block_size=2, **arguments)
    assert (result.numpy() == np.moveaxis(moved.numpy(), -1, axis)).all()


@pytest.mark.parametrize("quantize", [quant_ops.mx, quant_ops.block_float], ids=["mx", "block"])
def test_blocks_must_fit(quantize):
    arguments = {"word_bits": 6} if quantize is quant_ops.block_float else {}

    def blocks_of_4(x):
        return quantize(x, block_size=4, axis=1, **arguments)

    with pytest.raises(ValueError, match="block_size must divide the length of axis 1 of x, 6"):
        blocks_of_4(tf.ones([4, 6]))
    with pytest.raises(ValueError, match="axis must be in"):
        blocks_of_4(tf.ones([4]))
    for known in ([None, None], None):
        graph = tf.function(blocks_of_4, input_signature=[tf.TensorSpec(known)])
        assert graph(tf.ones([4, 8])).shape == (4, 8)
        with pytest.raises(tf.errors.InvalidArgumentError, match="block_size must divide"):
            graph(tf.ones([4, 6]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="axis"):
        graph(tf.ones([4]))
