"""`Quantize`, mixed precision, the master's step, and quantizers that are refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.arrays import floats
from tq_halp import layers, quantizers
from tq_halp.errors import InputError

W = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4}
B = {"format": "fixed_point", "word_bits": 8, "frac_bits": 7, "rounding": "down"}
A = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3, "gradient": "clipped"}


def test_training_moves_the_master_by_less_than_a_step():
    """SGD updates the float master; forward still sees the grid."""
    layer = layers.QuantDense(1, use_bias=False, kernel_initializer="ones", weights=W)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(np.ones((1, 1)), np.zeros((1, 1)), verbose=0)
    # loss = w^2, dL/dw = 2 at w = 1, so w = 1 - 0.02, which rounds back to 1 on steps of 1/16.
    assert layer.kernel.numpy().item() == np.float32(1) - np.float32(0.01) * 2
    assert model(np.ones((1, 1))).numpy().item() == 1.0


def test_quantize_layer():
    x = floats(3, 4)
    layer = layers.Quantize(A, errors=B)
    np.testing.assert_array_equal(layer(x), quantizers.get(A)(x))
    upstream = tf.constant(floats(3, 4)[::-1].copy())
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    got = tape.gradient(y, x, output_gradients=upstream)
    inside = (x.numpy() >= -2) & (x.numpy() <= 15 / 8)
    np.testing.assert_array_equal(got, quantizers.get(B)(upstream) * inside)
    assert layers.Quantize.from_config(layer.get_config()).quantizers == layer.quantizers


def test_mixed_precision_quantizes_in_the_compute_dtype():
    layer = layers.QuantDense(3, weights=W, activations=A, dtype="mixed_bfloat16")
    y = layer(floats(2, 4))
    assert (y.dtype, layer.kernel.dtype) == ("bfloat16", "float32")
    np.testing.assert_array_equal(quantizers.get(A)(y), y)


def test_a_wrong_quantizer_is_named_with_layer_and_role():
    with pytest.raises(InputError, match="QuantDense: weights: unknown format 'w8'"):
        layers.QuantDense(3, weights="w8")
    with pytest.raises(InputError, match="QuantEmbedding: weights: a quantizer must be"):
        layers.QuantEmbedding(3, 2, weights=np.zeros((3, 2)))
    with pytest.raises(InputError, match="use_cudnn must be 'auto' or False"):
        layers.QuantLSTM(3, use_cudnn=True)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments.*state"):
        layers.QuantDense(3, state=W)
