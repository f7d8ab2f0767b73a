"""LoRA: a layer computes with Q(W + s A B), before Keras merges the update into W and after."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tests.arrays import floats
from tests.mappings import make_map
from tq_halp import InputError

LORA = ["lora_kernel_a", "lora_kernel_b"]
W = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}
G = {"format": "fixed_point", "word_bits": 8, "frac_bits": 1}


def everything(**quantizers):
    rule = {"layers": ".*", "optional": True, **quantizers}
    return make_map(rule)


MAP = everything(weights=W)


def q(x, frac_bits=4):
    return np.clip(np.rint(np.asarray(x) * 2**frac_bits), -128, 127) / 2**frac_bits


def enabled(layer, rank=2, **more):
    """With LoRA and factors that are not 0."""
    layer.enable_lora(rank, **more)
    for seed, variable in enumerate(v for v in layer.weights if "lora" in v.name):
        variable.assign(floats(*variable.shape, seed=seed + 5))
    return layer


LAYERS = {
    "Dense": ((4,), lambda: keras.layers.Dense(3, name="layer")),
    "EinsumDense": (
        (5, 4),
        lambda: keras.layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d", name="layer"),
    ),
    "Conv1D": ((6, 4), lambda: keras.layers.Conv1D(3, 2, name="layer")),
    "Conv2D": ((6, 6, 2), lambda: keras.layers.Conv2D(3, 2, name="layer")),
    "Conv3D": ((4, 4, 4, 2), lambda: keras.layers.Conv3D(3, 2, name="layer")),
    "Embedding": ((5,), lambda: keras.layers.Embedding(9, 3, name="layer")),
}


def model_of(name):
    shape, make = LAYERS[name]
    dtype = "int32" if name == "Embedding" else "float32"
    model = keras.Sequential([keras.Input(shape, dtype=dtype), make()])
    x = floats(2, *shape) if dtype == "float32" else np.arange(10).reshape(2, 5) % 9
    return model, x


def merged(layer):
    """W + s A B in plain Keras."""
    return np.array(layer.embeddings if hasattr(layer, "embeddings") else layer.kernel)


@pytest.mark.parametrize("after", [False, True], ids=["enabled before", "enabled after"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_same_before_it_is_saved_and_after(name, after, tmp_path):
    source, x = model_of(name)
    if not after:
        enabled(source.layers[0], lora_alpha=3)
    model = MAP.apply(source)
    if after:
        enabled(source.layers[0], lora_alpha=3)
        enabled(model.layers[0], lora_alpha=3)
    y = model(x)
    # The oracle: a plain layer with the numbers Q(W + s A B).
    plain, _ = model_of(name)
    plain.layers[0].set_weights([q(merged(source.layers[0])), *plain.get_weights()[1:]])
    np.testing.assert_array_equal(y, plain(x))
    if after:  # a graph once for each layer: tracing takes longer than all the rest
        np.testing.assert_array_equal(model.predict(x, verbose=0), y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), y)
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = MAP.apply(model_of(name)[0])
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(fresh(x), y)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_in_a_policy_of_less_bits_too(policy, tmp_path):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, dtype=policy)])
    enabled(model.layers[0])
    quantized = everything(weights={**W, "frac_bits": 6}).apply(model)
    y = quantized(floats(16, 64))
    quantized.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(floats(16, 64)), y)


def test_random_bits_are_the_same_too(tmp_path):
    model, x = model_of("Dense")
    enabled(model.layers[0])
    quantized = everything(weights={**W, "rounding": "stochastic", "seed": 3}).apply(model)
    y = quantized(x)
    quantized.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), y)


def test_gradients_reach_the_factors_quantized_and_the_weight_stays():
    model, x = model_of("Dense")
    layer = enabled(model.layers[0], lora_alpha=4)
    quantized = everything(weights=W, gradients=G).apply(model)
    assert [v.name for v in quantized.trainable_variables] == ["bias", *LORA]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(quantized(x) ** 2)
    found = tape.gradient(loss, quantized.trainable_variables)
    a, b = (np.array(getattr(layer, name)) for name in LORA)
    dy = 2 * np.array(quantized(x))
    dw = x.T @ dy  # straight through Q(W + 2 A B)
    np.testing.assert_array_equal(found[1], q(2 * dw @ b.T, 1))
    np.testing.assert_array_equal(found[2], q(2 * a.T @ dw, 1))


def test_training_moves_the_factors_alone(tmp_path):
    model, x = model_of("Dense")
    enabled(model.layers[0])
    quantized = MAP.apply(model)
    before = {v.name: v.numpy() for v in quantized.weights}
    quantized.compile("sgd", "mse")
    quantized.fit(x, floats(2, 3), verbose=0)
    now = {v.name: v.numpy() for v in quantized.weights}
    moved = sorted(name for name in before if np.any(before[name] != now[name]))
    assert moved == ["bias", *LORA]
    y = quantized(x)
    quantized.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), y)


class MyDense(keras.layers.Dense):
    """A user's own: quantized by `QuantLayer`."""


class Tall(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.own = keras.layers.Dense(4, name="first"), MyDense(3, name="own")
        self.attention = keras.layers.MultiHeadAttention(2, 2, name="attention")

    def call(self, x):
        return self.own(self.attention(self.first(x), x))


@pytest.mark.parametrize("scope", [False, True])
def test_in_a_wrapper_in_attention_and_in_a_subclassed_model(scope, tmp_path):
    x = floats(2, 5, 4)
    if scope:
        with MAP.scope():
            source = Tall()
    else:
        source = Tall()
    source(x)
    for layer in (source.first, source.own, source.attention.query_dense):
        enabled(layer, lora_alpha=5)
    model = source if scope else MAP.apply(source)
    assert scope or type(model.own).__name__ == "QuantLayer"
    y = model(x)
    model.save_weights(tmp_path / "tall.weights.h5")
    if scope:
        with MAP.scope():
            fresh = Tall()
    else:
        plain = Tall()
        plain(x)
        fresh = MAP.apply(plain)
    fresh(x)
    fresh.load_weights(tmp_path / "tall.weights.h5")
    np.testing.assert_array_equal(fresh(x), y)


def test_an_accumulator_sums_products_of_the_merged_weight():
    model, x = model_of("Dense")
    layer = enabled(model.layers[0])
    exact = {"every": 1, "format": "fixed_point", "word_bits": 40, "frac_bits": 30}
    quantized = everything(weights=W, accumulator=exact).apply(model)
    x = q(x)
    np.testing.assert_array_equal(quantized(x), x @ q(merged(layer)))


def test_an_export_would_hold_the_two_apart(tmp_path):
    model, _ = model_of("Dense")
    enabled(model.layers[0])
    quantized = MAP.apply(model)
    with pytest.raises(InputError, match="'layer' has a LoRA update beside its kernel: model.save"):
        tq_halp.export(quantized, tmp_path / "weights.npz")
    quantized.save(tmp_path / "model.keras")
    tq_halp.export(keras.models.load_model(tmp_path / "model.keras"), tmp_path / "weights.npz")
    kernel = tq_halp.load_export(tmp_path / "weights.npz")["layer/kernel"].numbers
    np.testing.assert_array_equal(kernel, q(merged(model.layers[0])))
