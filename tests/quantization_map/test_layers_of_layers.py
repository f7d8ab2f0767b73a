"""Wrappers and RNNs of cells: what they hold is quantized. Parts of quantized layers: once."""

import keras
import numpy as np
import pytest

from tests.mappings import make_map
from tq_halp import QuantizationMap, layers
from tq_halp.quantizers.call_counter import CallCounter

S = {"format": "fixed_point", "word_bits": 8, "frac_bits": 5, "rounding": "stochastic"}
ROLES = ("weights", "bias", "activations", "state", "gates", "gradients", "errors")
EVERYTHING = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": ".*", **dict.fromkeys(ROLES, S)}]}
)
QUANTIZED = {
    "bidirectional/forward_lstm": layers.QuantLSTM,
    "bidirectional/backward_lstm": layers.QuantLSTM,
    "time_distributed/dense": layers.QuantDense,
    "multi_head_attention": layers.QuantMultiHeadAttention,
    "grouped_query_attention": layers.QuantGroupQueryAttention,
    "rnn/stacked_rnn_cells/lstm_cell": layers.QuantLSTMCell,
    "rnn/stacked_rnn_cells/gru_cell": layers.QuantGRUCell,
    "simple_rnn": layers.QuantSimpleRNN,
}


def build():
    x = tokens = keras.Input((5, 4))
    x = keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))(x)
    x = keras.layers.TimeDistributed(keras.layers.Dense(4))(x)
    x = keras.layers.MultiHeadAttention(2, 2)(x, x)
    x = keras.layers.GroupQueryAttention(2, 4, 2)(x, x)
    cells = [keras.layers.LSTMCell(3), keras.layers.GRUCell(2)]
    x = keras.layers.RNN(cells, return_sequences=True)(x)
    return keras.Model(tokens, keras.layers.SimpleRNN(2)(x))


@pytest.fixture(scope="module")
def models():
    """The plain model, the map applied to it, and the same built in the map's scope."""
    made = []
    for wrap in (lambda: build(), lambda: EVERYTHING.apply(made[0]), lambda: in_scope()):
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(3)
        made.append(wrap())
    return made


def in_scope():
    with EVERYTHING.scope():
        return build()


def held(model):
    """Every layer by its path, each once."""
    found = {}

    def walk(layer, prefix):
        for child in layer._flatten_layers(include_self=False, recursive=False):
            found[prefix + child.name] = child
            walk(child, f"{prefix}{child.name}/")

    walk(model, "")
    return found


def test_paths_go_through_wrappers_and_stacks(models):
    plan = EVERYTHING.plan(models[0])
    assert {row.layer for row in plan.rows if row.quantizer is not None} == set(QUANTIZED)


@pytest.mark.parametrize("which", [1, 2], ids=["applied", "in scope"])
def test_each_is_quantized_and_its_parts_are_not_once_more(models, which):
    found = held(models[which])
    for path, layer_class in QUANTIZED.items():
        assert type(found[path]) is layer_class
        assert found[path].is_quantizing
    counters = [path for path, layer in found.items() if isinstance(layer, CallCounter)]
    assert len(counters) == len(QUANTIZED)
    assert type(found["multi_head_attention/query"]) is keras.layers.EinsumDense


def test_a_scope_leaves_the_random_initial_weights_as_they_are(models):
    plain, _, scoped = models
    for want, got in zip(plain.trainable_variables, scoped.trainable_variables, strict=True):
        np.testing.assert_array_equal(got, want)


@keras.saving.register_keras_serializable("tests")
class PutsIntoConfig(keras.layers.Layer):
    """Its from_config puts what it made into the configuration that it was given."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {**super().get_config(), "inner": inner}

    @classmethod
    def from_config(cls, config):
        config["inner"] = keras.saving.deserialize_keras_object(config["inner"])
        return cls(**config)


HOLDERS = {
    "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)),
    "TimeDistributed": lambda: keras.layers.TimeDistributed(keras.layers.Dense(3)),
    "stack": lambda: keras.layers.RNN([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)]),
    "of a user": lambda: PutsIntoConfig(keras.layers.Dense(3)),
    "in a user's": lambda: PutsIntoConfig(PutsIntoConfig(keras.layers.Dense(3))),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_keras_clones_what_was_applied_as_often_as_asked(name):
    w = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}
    applied = make_map({"layers": ".*", "weights": w})
    model = applied.apply(keras.Sequential([keras.Input((5, 4)), HOLDERS[name]()]))
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    for clone in (keras.models.clone_model, applied.apply, keras.models.clone_model):
        copy = clone(model)
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(x), model(x))
        model = copy


@pytest.mark.parametrize("make", ["LSTM", "GRU", "Bidirectional", "stack"])
def test_one_layer_as_both_activations(make):
    both = dict.fromkeys(("activation", "recurrent_activation"), keras.layers.LeakyReLU(0.5))
    layer = {
        "LSTM": lambda: keras.layers.LSTM(3, **both),
        "GRU": lambda: keras.layers.GRU(3, **both),
        "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3, **both)),
        "stack": lambda: keras.layers.RNN([keras.layers.GRUCell(3, **both)]),
    }[make]()
    model = keras.Sequential([keras.Input((5, 4)), layer])
    none = {"layers": ".*", "weights": "float32"}
    copy = make_map(none).apply(model)
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    np.testing.assert_array_equal(copy(x), model(x))
