"""What is no variable and learned all the same, such as a vocabulary, is in the copy too."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.mappings import make_map
from tq_halp import InputError, QuantizationMap

EVERYTHING = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": ".*", "weights": "float32", "bias": "float32"}]}
)
TEXT = tf.constant([["der hund bellt"], ["die katze und der hund"]])
WORDS = tf.constant([["b"], ["a"], ["c"], ["zzz"]])
NUMBERS = np.array([[1.0], [7.0], [7.0], [30.0]], "float32")


def adapted(layer, data):
    layer.adapt(data)
    return layer


CASES = {
    "text multi_hot": lambda: (
        adapted(layers.TextVectorization(output_mode="multi_hot"), TEXT),
        TEXT,
    ),
    "text int": lambda: (adapted(layers.TextVectorization(output_sequence_length=6), TEXT), TEXT),
    "text tf_idf": lambda: (adapted(layers.TextVectorization(output_mode="tf_idf"), TEXT), TEXT),
    "text given": lambda: (
        layers.TextVectorization(vocabulary=["hund", "katze"], output_mode="count"),
        TEXT,
    ),
    "text ngrams": lambda: (
        adapted(
            layers.TextVectorization(50, ngrams=2, pad_to_max_tokens=True, output_mode="count"),
            TEXT,
        ),
        TEXT,
    ),
    "strings": lambda: (adapted(layers.StringLookup(output_mode="one_hot"), WORDS), WORDS),
    "strings tf_idf": lambda: (adapted(layers.StringLookup(output_mode="tf_idf"), WORDS), WORDS),
    "strings given": lambda: (layers.StringLookup(vocabulary=["a", "b"]), WORDS),
    "strings mask": lambda: (
        adapted(layers.StringLookup(mask_token="", num_oov_indices=3), WORDS),
        WORDS,
    ),
    "integers": lambda: (
        adapted(layers.IntegerLookup(output_mode="multi_hot"), np.array([[3], [99], [-5]])),
        np.array([[99], [4]]),
    ),
    "integers given": lambda: (layers.IntegerLookup(vocabulary=[5, 9]), np.array([[9], [4]])),
    "normalization": lambda: (adapted(layers.Normalization(), NUMBERS), NUMBERS),
    "normalization given": lambda: (layers.Normalization(mean=[2.0], variance=[4.0]), NUMBERS),
    "normalization invert": lambda: (adapted(layers.Normalization(invert=True), NUMBERS), NUMBERS),
    "bins": lambda: (adapted(layers.Discretization(num_bins=3), NUMBERS), NUMBERS),
    "bins given": lambda: (layers.Discretization(bin_boundaries=[2.0, 8.0]), NUMBERS),
    "hashing": lambda: (layers.Hashing(num_bins=5, salt=[7, 11]), WORDS),
}

# One of each class, and of tables one that is given: tracing takes longer than all the rest.
IN_A_GRAPH = (
    *("text multi_hot", "text given", "strings", "strings given", "integers", "integers given"),
    *("normalization", "bins", "hashing"),
)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_of_preprocessing(name):
    layer, x = CASES[name]()
    dtype = "string" if tf.as_dtype(x.dtype) == tf.string else x.dtype.name
    inputs = keras.Input((1,), dtype=dtype)
    inner = keras.Sequential([inputs, layer], name="inner")
    model = keras.Model(inputs, inner(inputs))
    head = keras.layers.Dense(1, name="head")
    model = keras.Model(inputs, head(keras.ops.cast(model.output, "float32")))
    expected, applied = model(x), EVERYTHING.apply(model)
    np.testing.assert_array_equal(applied(x), expected)
    if name in IN_A_GRAPH:
        np.testing.assert_array_equal(applied.predict(x, verbose=0), model.predict(x, verbose=0))
    # Once more, of what is a copy itself; and the source is what it was.
    np.testing.assert_array_equal(EVERYTHING.apply(applied)(x), expected)
    np.testing.assert_array_equal(model(x), expected)


def test_a_crossing_of_two_features():
    inputs = [keras.Input((1,), dtype="string"), keras.Input((1,), dtype="string")]
    y = keras.layers.HashedCrossing(num_bins=8, output_mode="one_hot")(inputs)
    model, x = keras.Model(inputs, layers.Dense(2)(y)), [WORDS, WORDS[::-1]]
    np.testing.assert_array_equal(EVERYTHING.apply(model)(x), model(x))


@pytest.mark.filterwarnings("ignore:The structure of `inputs` does")  # for the dict of Keras itself
def test_a_feature_space():
    space = keras.utils.FeatureSpace(
        features={
            "word": "string_categorical",
            "size": "float_normalized",
            "kind": "integer_categorical",
        },
        crosses=[("word", "kind")],
        output_mode="concat",
    )
    data = {"word": WORDS[:, 0], "size": NUMBERS[:, 0], "kind": np.array([1, 2, 2, 3])}
    space.adapt(tf.data.Dataset.from_tensor_slices(data))
    encoded = space.get_encoded_features()
    model = keras.Model(encoded, keras.layers.Dense(2)(encoded))
    x = space(data)
    np.testing.assert_array_equal(EVERYTHING.apply(model)(x), model(x))
    # And with the space's own layers inside.
    inputs = space.get_inputs()
    whole = keras.Model(inputs, keras.layers.Dense(2)(encoded))
    x = {name: tf.reshape(tf.convert_to_tensor(value), [-1, 1]) for name, value in data.items()}
    np.testing.assert_array_equal(EVERYTHING.apply(whole)(x), whole(x))


@keras.saving.register_keras_serializable("tests")
class WithAssets(keras.layers.Layer):
    """y = x + w + what it has counted, which no variable holds."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.counted, self.words = np.zeros(2, "float32"), []

    def build(self, shape):
        self.w = self.add_weight(name="w", shape=(shape[-1],), initializer="uniform")

    def call(self, x):
        return x + self.w + self.counted[0] + len(self.words)

    def save_own_variables(self, store):
        store["w"], store["counted"] = self.w, self.counted

    def load_own_variables(self, store):
        self.w.assign(store["w"])
        self.counted = store["counted"][()]

    def save_assets(self, folder):
        (Path(folder) / "words.json").write_text(json.dumps(self.words))

    def load_assets(self, folder):
        self.words = json.loads((Path(folder) / "words.json").read_text())


@keras.saving.register_keras_serializable("tests")
class Holder(keras.layers.Layer):
    """Builds in code of its own a layer that learns words, and one that the map quantizes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.words = layers.StringLookup(output_mode="one_hot", num_oov_indices=1)
        self.inner = WithAssets(name="with_assets")
        self.dense = layers.Dense(2, name="dense")

    def call(self, x):
        return self.dense(self.inner(keras.ops.cast(self.words(x), "float32")))


def learned(layer):
    layer.counted, layer.words = np.array([5.0, 6.0], "float32"), ["a", "b"]
    return layer


@pytest.mark.parametrize("rule", [{"weights": "float32"}, {"quantize": "none"}])
def test_a_layer_of_the_users_that_saves_more_than_variables(rule, tmp_path):
    inputs = keras.Input((3,))
    layer = learned(WithAssets(name="own"))
    model, x = keras.Model(inputs, layer(inputs)), np.ones((1, 3), "float32")
    copy = make_map({"layers": "own", **rule}).apply(model)
    np.testing.assert_array_equal(copy(x), model(x))
    assert layer.words == ["a", "b"] and float(model(x)[0, 0]) > 8 - 0.1
    copy.save(tmp_path / "copy.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "copy.keras")(x), model(x))


def test_inside_what_is_built_again():
    inputs = keras.Input((), dtype="string")
    holder = Holder(name="holder")
    adapted(holder.words, WORDS[:, 0])
    model = keras.Model(inputs, holder(inputs))
    learned(holder.inner)
    applied = EVERYTHING.apply(model)
    assert type(applied.get_layer("holder").dense).__name__ == "QuantDense"
    np.testing.assert_array_equal(applied(WORDS[:, 0]), model(WORDS[:, 0]))


def test_what_cannot_be_loaded_is_named():
    class Broken(WithAssets):
        def load_assets(self, folder):
            raise KeyError("words")

    inputs = keras.Input((3,))
    model = keras.Model(inputs, Broken(name="broken")(inputs))
    with pytest.raises(
        InputError, match=r"broken \(Broken\) cannot be copied: it does not load in"
    ):
        EVERYTHING.apply(model)
