"""How a `QuantLayer` comes about: `quantize_layer`, the first call, a file; and what is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantized_cases import EVERY, B, W
from users_layers import Pair, Unregistered, X, Y, assert_equal, pair

from tq_halp import quantizers
from tq_halp.errors import InputError
from tq_halp.layers import QuantDense, QuantLayer, QuantLSTM
from tq_halp.layers.keras_class_table import quantize_layer

STOCHASTIC = {**W, "rounding": "stochastic"}


def model_of(layer):
    inputs = [keras.Input(X.shape[1:]), keras.Input(Y.shape[1:])]
    return keras.Model(inputs, layer(*inputs))


def test_save_and_load_go_on_bit_for_bit(tmp_path):
    stochastic = {role: {**EVERY[role], "rounding": "stochastic"} for role in EVERY}
    model = model_of(pair(**stochastic)[1])
    assert [layer.name for layer in model.layers[-1:]] == ["pair"]
    model([X, Y], training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    # Keras saves no seed states, and so no dropout masks: not with a wrapper either.
    dropout = again.get_layer("pair").layer.dropout
    mine = model.get_layer("pair").layer.dropout
    dropout.seed_generator.state.assign(mine.seed_generator.state)
    for training in (False, True):
        assert_equal(again([X, Y], training=training), model([X, Y], training=training))
    assert again.get_layer("pair").rounding_counter.calls.numpy() == 2


@pytest.mark.parametrize("eager_only", [False, True])
def test_the_first_call_of_a_layer_that_is_not_built_is_quantized(eager_only):
    class Lazy(Unregistered):
        def call(self, x):
            if eager_only:
                assert float(tf.reduce_sum(x)) != 0  # fails while Keras traces it
            return super().call(x)

    layer = QuantLayer(Lazy(), weights=W, bias=W)
    first = layer(X)
    np.testing.assert_array_equal(first, layer(X))
    inner = layer.layer
    assert np.any(first != inner(X))
    q = quantizers.get(W)
    want = X
    for dense in (inner.first, inner.second):
        want = tf.matmul(want, tf.broadcast_to(q(dense.kernel.value), (2, *dense.kernel.shape)))
    # The biases are 0. matmul of one or of two kernels: the same sums in another order.
    np.testing.assert_allclose(first, want, rtol=1e-5, atol=1e-6)


def test_quantize_layer_makes_a_twin_or_a_wrapper():
    dense = keras.layers.Dense(3, activation="relu", name="d")
    twin = quantize_layer(dense, {"weights": W})
    assert type(twin) is QuantDense and twin.name == "d" and twin.activation is dense.activation
    again = quantize_layer(twin, {"bias": B})
    assert again.quantizers == {**twin.quantizers, "weights": None, "bias": quantizers.get(B)}
    lstm = quantize_layer(QuantLSTM(2, weights=W), {"weights": W, "recurrent_weights": "none"})
    assert lstm.quantizers["recurrent_weights"] is None
    own = Pair(2, name="own")
    wrapped = quantize_layer(own, {"weights": STOCHASTIC})
    assert type(wrapped) is QuantLayer and wrapped.layer is not own and wrapped.name == "own"
    assert wrapped.layer.units == 2
    again = quantize_layer(wrapped, {"bias": B})
    assert type(again.layer) is Pair and again.layer is not wrapped.layer
    assert again.quantizers["weights"] is None and again.rounding_counter is None


def test_errors_say_what_would_be_valid():
    class Silent(keras.layers.Layer):
        def __init__(self, needed):
            super().__init__(name="silent")

    with pytest.raises(InputError, match="QuantLayer: layer must be a keras.layers.Layer"):
        QuantLayer(lambda x: x)
    with pytest.raises(InputError, match="layer must be a .* not a model"):
        QuantLayer(keras.Sequential())
    with pytest.raises(InputError, match="silent: class Silent cannot be copied, its get_config"):
        quantize_layer(Silent(1), {"weights": W})
    with pytest.raises(InputError, match="d: unknown tensor 'state'.*weights"):
        quantize_layer(keras.layers.Dense(2, name="d"), {"state": W})
    with pytest.raises(InputError, match="QuantDense: weights: unknown format"):
        quantize_layer(keras.layers.Dense(2), {"weights": "w8"})
