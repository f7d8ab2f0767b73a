"""A model that carries states from batch to batch is saved with them, and goes on with them."""

import keras
import numpy as np
import pytest

import tq_halp
from tests.mappings import make_map

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3, 2)).astype("float32")
Y = RNG.normal(size=(8, 1)).astype("float32")
F = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "stochastic"}


def cells():
    cells = [keras.layers.LSTMCell(3, dropout=0.2), keras.layers.GRUCell(2)]
    return keras.layers.RNN(cells, stateful=True)


def convolution():
    layer = keras.layers.ConvLSTM1D(2, 1, stateful=True)
    return keras.Sequential([keras.layers.Reshape((3, 2, 1)), layer, keras.layers.Flatten()])


LAYERS = {
    "LSTM": lambda: keras.layers.LSTM(3, stateful=True),
    "GRU": lambda: keras.layers.GRU(3, stateful=True, recurrent_dropout=0.2),
    "SimpleRNN": lambda: keras.layers.SimpleRNN(3, stateful=True),
    "cells": cells,
    "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3, stateful=True)),
    "Bidirectional cells": lambda: keras.layers.Bidirectional(cells()),
    "ConvLSTM": convolution,
}


def build(make, batch=2):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(batch_shape=(batch, 3, 2))
    return keras.Model(inputs, keras.layers.Dense(1)(make()(inputs)))


def mapped(model, **options):
    rule = {"layers": ".*", "weights": F, "state": F, "optional": True, **options}
    return make_map(rule).apply(model)


def not_quantized(model):
    rules = [{"layers": ".*", "quantize": "none"}]
    return make_map(*rules).apply(model)


MODELS = {
    "map": lambda make: mapped(build(make)),
    "map of nothing": lambda make: not_quantized(build(make)),
    "SGD": lambda make: tq_halp.SGD(build(make)),
    "HALP": lambda make: tq_halp.HALP(build(make), word_bits=8, snapshot_every=2),
    "HALP of a map": lambda make: tq_halp.HALP(mapped(build(make))),
}
CASES = [
    *(("map", layer) for layer in LAYERS),
    *(("map of nothing", layer) for layer in ("LSTM", "cells")),
    *[("SGD", "cells"), ("HALP", "LSTM"), ("HALP of a map", "GRU")],
]


def states(model):
    rnns = [each for each in model._flatten_layers() if isinstance(each, keras.layers.RNN)]
    found = keras.tree.flatten([each.states for each in rnns if each.stateful])
    assert found
    return [state.numpy() for state in found]


def fit(model):
    history = model.fit(X, Y, batch_size=2, shuffle=False, verbose=0).history
    return [*history["loss"], *states(model), *model.get_weights()]


@pytest.mark.parametrize("model, layer", CASES, ids=lambda each: each)
def test_a_saved_model_goes_on_with_its_states(model, layer, tmp_path):
    model = MODELS[model](LAYERS[layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for got, want in zip(states(loaded), states(model), strict=True):
        assert np.any(want)
        np.testing.assert_array_equal(got, want)
    for got, want in zip(fit(loaded), fit(model), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", ["model.weights.h5", "model.weights.json"])
@pytest.mark.parametrize("layer", ["LSTM", "cells"])
def test_weights_alone_bring_the_states(layer, name, tmp_path):
    model, other = mapped(build(LAYERS[layer])), mapped(build(LAYERS[layer]))
    model.compile("sgd", "mse")
    other.compile("sgd", "mse")
    fit(model)
    model.save_weights(tmp_path / name, **({"max_shard_size": 1} if "json" in name else {}))
    other.load_weights(tmp_path / name)
    for got, want in zip(states(other), states(model), strict=True):
        np.testing.assert_array_equal(got, want)


def test_states_of_another_batch_size_stay_in_the_file(tmp_path):
    """They are those of other sequences: a model that is given more of them starts anew."""
    model, larger = mapped(build(LAYERS["LSTM"])), mapped(build(LAYERS["LSTM"], batch=4))
    model.predict(X, batch_size=2, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    larger.load_weights(tmp_path / "model.weights.h5")
    assert not any(map(np.any, states(larger)))
    for got, want in zip(larger.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
