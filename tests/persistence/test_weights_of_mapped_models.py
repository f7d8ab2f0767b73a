"""Files of models that a map quantized, with layers that hold layers: the same names all over."""

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp.layers.tensor_observers import observing
from tq_halp.persistence.named_weights import weights_by_name

W8 = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "stochastic", "seed": 3}
MAP = {
    "version": 1,
    "rules": [{"layers": ".*", "weights": W8, "bias": "float8_e4m3fn", "activations": "bfloat16"}],
}
X = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")


def build(dtype="float32"):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(dtype)
    try:
        inputs = x = keras.Input((4, 6))
        x = keras.layers.MultiHeadAttention(2, 3, name="attention")(x, x)
        x = keras.layers.LayerNormalization(name="norm")(x)
        gru = keras.layers.GRU(3, return_sequences=True, name="gru")
        x = keras.layers.Bidirectional(gru, name="both")(x)
        x = keras.layers.TimeDistributed(keras.layers.Dense(4, name="inner"), name="each")(x)
        cells = [keras.layers.LSTMCell(3, name="first"), keras.layers.GRUCell(2, name="second")]
        x = keras.layers.RNN(keras.layers.StackedRNNCells(cells, name="cells"), name="stack")(x)
        return keras.Model(inputs, keras.layers.Dense(2, name="out")(x))
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module", params=["float32", "mixed_bfloat16"])
def models(request):
    source = build(request.param)
    return source, tq_halp.QuantizationMap.from_dict(MAP).apply(source)


def test_names_are_those_of_the_float_model(models):
    source, model = models
    names = list(weights_by_name(source))
    assert names == list(weights_by_name(model))
    assert {"attention/kernel/3", "both/backward_gru/recurrent_kernel", "each/inner/bias",
            "stack/cells/second/kernel", "out/kernel"} < set(names)  # fmt: skip


def test_exported_numbers_are_those_computed_with(models, tmp_path):
    source, model = models
    for _ in range(2):
        model(X, training=True)
    tq_halp.export(model, tmp_path / "model.npz")
    used = {}

    def note(observed):
        place = observed.layer.name, observed.tensor
        used.setdefault(place, []).append(observed.quantized.numpy())

    with observing(note):
        model(X)
    weights = weights_by_name(model)
    exported = tq_halp.load_export(tmp_path / "model.npz")
    assert len(exported) == 26
    for name, tensor in exported.items():
        assert tensor.quantizer is not None
        for numbers in used[weights[name].layer.name, weights[name].tensor]:
            assert tensor.numbers.dtype == numbers.dtype
            np.testing.assert_array_equal(tensor.numbers, numbers, err_msg=name)
    twin = build(source.dtype_policy.name)
    tq_halp.import_weights(twin, tmp_path / "model.npz")
    for name, weight in weights_by_name(twin).items():
        np.testing.assert_array_equal(
            np.asarray(weight.variable), exported[name].numbers.astype("float32"), err_msg=name
        )


def test_float_weights_reach_every_layer(models, tmp_path):
    source, model = models
    source.save_weights(tmp_path / "float.weights.h5")
    for weight in weights_by_name(model).values():
        weight.variable.assign(weight.variable * 0 + 9)
    tq_halp.load_float_weights(model, tmp_path / "float.weights.h5")
    wanted = weights_by_name(source)
    for name, weight in weights_by_name(model).items():
        np.testing.assert_array_equal(weight.variable, wanted[name].variable, err_msg=name)
