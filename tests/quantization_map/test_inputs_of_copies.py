"""Inputs of every kind, and ways to call a layer: a copied graph is the graph of its source."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tests.arrays import floats
from tests.mappings import make_map
from tests.quantization_map.own_models import Block
from tq_halp import QuantizationMap

EVERYTHING = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": ".*", "weights": "float32"}]}
)


@keras.saving.register_keras_serializable("tests")
class Optional(layers.Layer):
    """y = d(x) or d(x + z), with a z that may be missing."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.d = layers.Dense(2, name="d")

    def build(self, x_shape, z_shape=None):
        self.d.build(x_shape)

    def call(self, x, z=None):
        return self.d(x if z is None else x + z)

    def compute_output_shape(self, x_shape, z_shape=None):
        return (*x_shape[:-1], 2)


def described(model):
    """What the inputs of a model say of themselves."""
    found = [layer for layer in model._flatten_layers() if isinstance(layer, layers.InputLayer)]
    return [{**layer.get_config(), "optional": layer.optional} for layer in found]


def structure(model):
    """Its inputs and outputs as they are nested, with shapes and dtypes."""
    if isinstance(model, keras.Sequential):
        ends = model.inputs, model.outputs
    else:
        ends = model.input, model.output
    return keras.tree.map_structure(lambda x: f"{x.shape} {x.dtype} {x.sparse}", ends)


def alike(model, *inputs):
    """The copy of a model, which has its inputs and gives its outputs."""
    copy = EVERYTHING.apply(model)
    assert described(copy) == described(model)
    assert structure(copy) == structure(model)
    for x in inputs:
        expected, found = model(x), copy(x)
        assert type(found) is type(expected)
        keras.tree.map_structure(np.testing.assert_array_equal, found, expected)
    return copy


def test_an_input_that_may_be_missing():
    x, z = keras.Input((2,), name="x"), keras.Input((2,), name="z", optional=True)
    model = keras.Model({"x": x, "z": z}, Optional(name="o")(x, z))
    ones = np.ones((3, 2), "float32")
    copy = alike(model, {"x": ones, "z": None}, {"x": ones, "z": ones})
    alike(copy, {"x": ones, "z": None})


def test_an_input_that_may_be_missing_in_an_inner_model_and_in_a_list():
    x, z = keras.Input((2,), name="x"), keras.Input((2,), name="z", optional=True)
    inner = keras.Model([x, z], Optional(name="o")(x, z), name="inner")
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b", optional=True)
    model = keras.Model([a, b], layers.Dense(1)(inner([a, b])))
    alike(model, [floats(3, 2), floats(3, 2)])
    alike(inner, [floats(3, 2), None])


def test_an_optional_input_of_a_sequential_model():
    model = keras.Sequential([keras.Input((2,), name="x", optional=True), layers.Dense(2)])
    alike(model, floats(3, 2))


@pytest.mark.parametrize("nested", [False, True])
def test_sparse_inputs(nested):
    x = keras.Input((4,), sparse=True, name="sparse")
    model = keras.Model(x, layers.Dense(2)(x))
    if nested:
        outer = keras.Input((4,), sparse=True, name="outer")
        model = keras.Model(outer, model(outer))
    value = tf.sparse.from_dense(np.eye(4, dtype="float32"))
    copy = alike(model, value)
    assert copy.inputs[0].sparse
    sequential = keras.Sequential([keras.Input((4,), sparse=True), layers.Dense(2)])
    assert alike(sequential, value).inputs[0].sparse


@pytest.mark.skipif(not hasattr(keras.layers.InputLayer((1,)), "ragged"), reason="an older Keras")
def test_ragged_inputs():
    x = keras.Input((None,), ragged=True, dtype="int32", name="ragged")
    model = keras.Model(x, layers.Embedding(9, 3)(x))
    copy = EVERYTHING.apply(model)
    assert described(copy) == described(model) and copy.inputs[0].ragged
    value = tf.ragged.constant([[1, 2], [3]], dtype="int32")
    np.testing.assert_array_equal(copy(value).to_tensor(), model(value).to_tensor())
    w4 = {"format": "fixed_point", "word_bits": 4, "frac_bits": 6}
    rule = {"layers": ".*", **dict.fromkeys(("weights", "activations", "gradients", "errors"), w4)}
    coarse = make_map(rule).apply(model)
    with tf.GradientTape() as tape:
        y = coarse(value)
        loss = tf.reduce_sum(y.flat_values * 0.03)
    table = np.clip(np.rint(model.weights[0].numpy() * 64), -8, 7) / 64
    np.testing.assert_array_equal(y.flat_values, table[[1, 2, 3]])
    gradient = tf.convert_to_tensor(tape.gradient(loss, coarse.trainable_variables[0]))
    expected = np.zeros((9, 3))
    expected[[1, 2, 3]] = 2 / 64  # 0.03 on the grid
    np.testing.assert_array_equal(gradient, expected)


def test_shapes_and_dtypes():
    model = keras.Sequential([keras.Input(batch_shape=(2, 3), name="fixed"), layers.Dense(2)])
    alike(model, floats(2, 3))
    batch = keras.Input(batch_shape=(2, None, 3), name="some")
    alike(keras.Model(batch, layers.Dense(2)(batch)), floats(2, 5, 3))
    for dtype in ("int32", "uint8", "bool", "float16", "float64"):
        x = keras.Input((3,), dtype=dtype, name=f"of_{dtype}")
        y = layers.Dense(2)(layers.Lambda(lambda x: keras.ops.cast(x, "float32"))(x))
        alike(keras.Model(x, y), np.ones((2, 3), dtype))


def test_nested_structures_of_inputs_and_outputs():
    a, b, c = (keras.Input((2,), name=name) for name in "abc")
    h = layers.Dense(3)(layers.Concatenate()([a, b, c]))
    outputs = {"sum": h + 1, "pair": (h, [a * 2]), "same": a}
    x = {"b": floats(2, 2), "rest": [floats(2, 2), (floats(2, 2),)]}
    alike(keras.Model({"b": b, "rest": [c, (a,)]}, outputs), x)
    alike(keras.Model([a, b, c], [h]), [floats(2, 2)] * 3)
    alike(keras.Model({"a": a, "b": b, "c": c}, h), dict.fromkeys("abc", floats(2, 2)))


def test_initial_states_and_keyword_arguments():
    x, h, c = keras.Input((4, 3)), keras.Input((2,), name="h"), keras.Input((2,), name="c")
    y, *states = layers.LSTM(2, return_state=True, name="lstm")(x, initial_state=[h, c])
    model = keras.Model([x, h, c], [y, *states])
    alike(model, [floats(2, 4, 3), floats(2, 2), floats(2, 2)])
    q, k = keras.Input((4, 6)), keras.Input((5, 6))
    y, scores = layers.MultiHeadAttention(2, 3)(q, value=k, return_attention_scores=True)
    alike(keras.Model([q, k], [y, scores]), [floats(2, 4, 6), floats(2, 5, 6)])
    y = layers.Dropout(0.5)(layers.BatchNormalization()(q, training=True), training=False)
    alike(keras.Model(q, y), floats(2, 4, 6))


def test_a_layer_called_twice_and_a_model_called_twice():
    a, b = keras.Input((4,)), keras.Input((4,))
    shared, block = layers.Dense(4, name="shared"), Block(4, name="block")
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4), shared], name="inner")
    y = [shared(inner(block(shared(a)))), block(inner(b))]
    copy = alike(keras.Model([a, b], y), [floats(2, 4), floats(2, 4) + 1])
    assert copy.get_layer("inner").layers[1] is copy.get_layer("shared")


def test_a_model_on_a_tensor_that_is_there_and_one_from_the_middle():
    x = keras.Input((3,), name="x")
    y = layers.Dense(4, name="first")(x)
    z = layers.Dense(2, name="second")(y)
    alike(keras.Model(y, z), floats(2, 4))
    tensor = keras.KerasTensor((None, 3), name="there")
    given = keras.Input(tensor=tensor, name="given")
    alike(keras.Model(given, layers.Dense(2)(given)), floats(2, 3))


def test_a_clone_on_other_inputs():
    """keras #20549: a model that was cloned with input_tensors."""
    x = keras.Input((3,), name="x")
    model = keras.Model({"x": x}, layers.Dense(2)(x))
    clone = keras.models.clone_model(model, input_tensors={"x": keras.Input((3,), name="x")})
    alike(clone, {"x": floats(2, 3)})


def test_a_sequential_model_that_was_built_by_its_first_call():
    model = keras.Sequential([layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    x = floats(2, 5)
    expected = model(x)
    copy = EVERYTHING.apply(model)
    assert copy.built and copy.input_shape == model.input_shape
    np.testing.assert_array_equal(copy(x), expected)
