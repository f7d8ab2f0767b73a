"""An embedding whose formats round several numbers together: gathering comes last."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.arrays import floats
from tq_halp import quantizers
from tq_halp.layers import QuantEmbedding

TOKENS = np.random.default_rng(1).integers(0, 11, size=(2, 5)).astype(np.int32)
A = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3, "gradient": "clipped"}


@pytest.mark.parametrize(
    "weights",
    [
        {"format": "fixed_point", "word_bits": 6, "frac_bits": 4},
        {"format": "block_float", "word_bits": 4, "block_size": 3},
        {"format": "block_float", "word_bits": 4, "block_size": 11, "axis": 0},
        {"format": "mxfp4", "block_size": 1},
        "ternary",
    ],
    ids=str,
)
def test_it_equals_gathering_from_the_quantized_table(weights):
    plain = keras.layers.Embedding(11, 3)
    quantized = QuantEmbedding(11, 3, weights=weights, gradients=A)
    for layer in (plain, quantized):
        layer.build(TOKENS.shape)
        layer.embeddings.assign(floats(11, 3))
    upstream = tf.constant(floats(2, 5, 3))
    with tf.GradientTape() as tape:
        y = quantized(TOKENS)
    got = tape.gradient(y, quantized.embeddings.value, output_gradients=upstream)
    plain.embeddings.assign(quantizers.get(weights)(plain.embeddings.value))
    np.testing.assert_array_equal(y, plain(TOKENS))
    # The gradient of the rows that were looked up and no others, as without quantizers.
    np.testing.assert_array_equal(got.indices, TOKENS.ravel())
    np.testing.assert_array_equal(got.values, tf.reshape(quantizers.get(A)(upstream), (10, 3)))
