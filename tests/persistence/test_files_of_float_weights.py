"""Files that hold the weights of a float model, in each layout of Keras, and those that do not."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest

import tq_halp
from tests.mappings import make_map
from tq_halp import InputError

F = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "stochastic"}
X = np.arange(12, dtype="int32").reshape(2, 6) % 9

# Keras advises against its own older layout, which is what these are about.
pytestmark = pytest.mark.filterwarnings("ignore:.*HDF5 file.*:UserWarning")


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    """With a weight of its own beside those of its layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = keras.layers.Embedding(9, 4, name="table")
        self.block = keras.Sequential([keras.layers.Dense(4, name="d")], name="block")
        self.head = keras.layers.Dense(4, name="d")
        self.factor = self.add_weight(shape=(4,), name="factor", initializer="ones")

    def call(self, x):
        return self.head(self.block(self.table(x)) * self.factor)


def functional(dtype=None):
    """Layers in models in models, and everything whose weights lie deeper than in the layer."""
    inputs = keras.Input((6,), dtype="int32")
    x = keras.layers.Embedding(9, 8, name="table", dtype=dtype)(inputs)
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Conv1D(8, 3, name="conv")(x))
    x = keras.layers.Bidirectional(
        keras.layers.LSTM(4, name="lstm", return_sequences=True), name="both"
    )(x)
    x = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = keras.layers.RNN(
        [keras.layers.GRUCell(4, name="g"), keras.layers.LSTMCell(4, name="l")], name="rnn"
    )(x)
    deep = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="d")], name="deep")
    # One of two alike is frozen: what Keras lists last was made first.
    frozen = keras.layers.Dense(4, name="e", trainable=False)
    inner = keras.Sequential(
        [keras.Input((4,)), frozen, deep, keras.layers.Dense(4, name="f")], name="inner"
    )
    return keras.Model(inputs, keras.layers.Dense(3, name="d")(inner(x)))


def sequential():
    embedding, dense = keras.layers.Embedding(9, 4, name="table"), keras.layers.Dense(3, name="d")
    return keras.Sequential([keras.Input((6,), dtype="int32"), embedding, dense])


def subclassed():
    model = Subclassed()
    model(X)
    return model


MODELS = {"functional": functional, "sequential": sequential, "subclassed": subclassed}


def quantized(model):
    rule = {"layers": ".*", "bias": F, "gates": F, "state": F, "optional": True}
    return make_map(rule).apply(model)


def moved(model, seed):
    """Every weight a number of its own."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(size=w.shape).astype(w.dtype) for w in model.get_weights()])
    return model


def as_keras_2(path, model):
    """Writes the weights as tf.keras 2 does: `<layer in the group>/<weight>:0`, without paths."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in model.layers]
        file.attrs["backend"], file.attrs["keras_version"] = "tensorflow", "2.15.0"
        for layer in model.layers:
            group = file.create_group(layer.name)
            weights = layer.trainable_weights + layer.non_trainable_weights
            names = ["/".join(weight.path.split("/")[-2:]) + ":0" for weight in weights]
            # More names than HDF5 takes in one attribute are split over several.
            half = len(names) // 2 if layer.name == "both" else len(names)
            if half < len(names):
                group.attrs["weight_names0"] = names[:half]
                group.attrs["weight_names1"] = names[half:]
            else:
                group.attrs["weight_names"] = names
            for name, weight in zip(names, weights, strict=True):
                # Forward and backward have parts of the same name.
                group[name] = weight.numpy() if name not in group else 1 / 0
        own = [*model._trainable_variables, *model._non_trainable_variables]
        group = file.create_group("top_level_model_weights")
        group.attrs["weight_names"] = [f"{weight.name}:0" for weight in own]
        for weight in own:
            group[f"{weight.name}:0"] = weight.numpy()


WRITERS = {
    "whole.keras": lambda path, model: model.save(path),
    "whole.h5": lambda path, model: model.save(path),
    "alone.weights.h5": lambda path, model: model.save_weights(path),
    "shards.weights.json": lambda path, model: model.save_weights(path, max_shard_size=2e-6),
}
CASES = [
    (name, model)
    for model in MODELS
    for name in WRITERS
    if (name, model) != ("whole.h5", "subclassed")  # Keras itself does not write that
]


def check(source, target, path):
    counters = [int(v) for v in target.variables if v.name == "calls"]
    tq_halp.load_float_weights(target, path)
    assert [int(v) for v in target.variables if v.name == "calls"] == counters
    loaded = [w.numpy() for w in target.weights if w.name != "calls"]
    for got, want in zip(loaded, source.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name, model", CASES)
def test_every_layout_that_keras_writes(name, model, tmp_path):
    source, target = moved(MODELS[model](), 1), quantized(moved(MODELS[model](), 2))
    target(X, training=True)
    WRITERS[name](tmp_path / name, source)
    check(source, target, tmp_path / name)
    check(source, target, str(tmp_path / name))


@pytest.mark.parametrize("model", ["sequential", "subclassed"])
def test_the_layout_of_keras_2(model, tmp_path):
    source, target = moved(MODELS[model](), 1), quantized(moved(MODELS[model](), 2))
    as_keras_2(tmp_path / "weights.h5", source)
    check(source, target, tmp_path / "weights.h5")


def test_an_archive_that_was_unpacked(tmp_path):
    source, target = moved(functional(), 1), quantized(moved(functional(), 2))
    source.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extractall(tmp_path / "folder")
    check(source, target, tmp_path / "folder")


@pytest.mark.parametrize("name", ["whole.keras", "whole.h5", "alone.weights.h5"])
@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("float32", "bfloat16"),
        ("bfloat16", "float32"),
        ("bfloat16", "bfloat16"),
        ("float64", "float32"),
    ],
)
def test_weights_of_another_dtype(name, theirs, ours, tmp_path):
    def build(dtype):
        layer = keras.layers.Dense(3, name="d", dtype=dtype)
        return keras.Sequential([keras.Input((4,), dtype=dtype), layer])

    source, target = moved(build(theirs), 1), quantized(moved(build(ours), 2))
    WRITERS[name](tmp_path / name, source)
    tq_halp.load_float_weights(target, tmp_path / name)
    for got, want in zip(target.layers[0].weights[:2], source.weights, strict=True):
        assert got.dtype == ours
        cast = want.numpy().astype(keras.ops.convert_to_numpy(got.value).dtype)
        np.testing.assert_array_equal(got.numpy(), cast)


@pytest.mark.parametrize("name", WRITERS)
def test_what_does_not_fit_is_said_and_changes_nothing(name, tmp_path):
    other = keras.Sequential(
        [keras.Input((6,), dtype="int32"), keras.layers.Embedding(9, 5, name="table")]
    )
    WRITERS[name](tmp_path / name, other)
    target = quantized(sequential())
    before = target.get_weights()
    with pytest.raises(
        InputError, match=rf"{name}: does not fit the model: .*d/.* is missing"
    ) as e:
        tq_halp.load_float_weights(target, tmp_path / name)
    assert "is (9, 5), the model's is (9, 4)" in str(e.value)
    for got, want in zip(target.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


def whole(path):
    sequential().save_weights(path / "whole.weights.h5")
    return (path / "whole.weights.h5").read_bytes()


OTHERS = {
    "empty.h5": lambda path: b"",
    "text.h5": lambda path: b"no weights",
    "cut.weights.h5": lambda path: whole(path)[:-400],
    "empty.keras": lambda path: b"PK\x05\x06" + bytes(18),
    "empty.json": lambda path: b"",
    "other.json": lambda path: json.dumps({"a": [1]}).encode(),
    "list.json": lambda path: b"[1]",
    "strange.json": lambda path: json.dumps({"weight_map": {"a": 3}}).encode(),
    "binary.json": lambda path: bytes(range(256)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_kind_of_file_is_named(name, tmp_path):
    (tmp_path / name).write_bytes(OTHERS[name](tmp_path))
    with pytest.raises(InputError, match=f"{name}: not a .weights.h5"):
        tq_halp.load_float_weights(quantized(sequential()), tmp_path / name)


def test_files_that_are_not_there(tmp_path):
    target = quantized(sequential())
    with pytest.raises(InputError, match="nothing.h5: no such file"):
        tq_halp.load_float_weights(target, tmp_path / "nothing.h5")
    with pytest.raises(InputError, match="model.weights.h5: no such file"):
        tq_halp.load_float_weights(target, tmp_path)  # a folder without any
    sequential().save_weights(tmp_path / "s.weights.json", max_shard_size=1.5e-7)
    (tmp_path / "s_00001.weights.h5").unlink()
    with pytest.raises(InputError, match="s_00001.weights.h5: no such file"):
        tq_halp.load_float_weights(target, tmp_path / "s.weights.json")
    with pytest.raises(InputError, match="None: not a .weights.h5"):
        tq_halp.load_float_weights(target, None)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    with pytest.raises(InputError, match="other.h5: does not fit the model: table/0 is missing"):
        tq_halp.load_float_weights(target, tmp_path / "other.h5")


def test_models_that_cannot_be_given_weights(tmp_path):
    sequential().save_weights(tmp_path / "w.weights.h5")
    for model in (None, keras.Sequential([keras.layers.Dense(2)]), keras.layers.Dense(2)):
        with pytest.raises(InputError, match="model must be a Keras model that is built"):
            tq_halp.load_float_weights(model, tmp_path / "w.weights.h5")
