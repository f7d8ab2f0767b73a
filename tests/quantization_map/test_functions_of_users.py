"""Lambdas and unregistered functions and objects in layers: in the copy they are the same ones."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from tests.mappings import W8, make_map
from tq_halp import InputError

FACTOR = 3.0  # which byte code alone does not know


def everything(weights):
    rule = {"layers": ".*", "weights": weights, "optional": True}
    return make_map(rule)


MAP, FLOAT = everything(W8), everything("float32")


def scaled(x):
    return x * FACTOR


def relu(x):  # called as one of Keras'
    return x - FACTOR


class Ramp(keras.initializers.Initializer):
    def __init__(self, slope):
        self.slope = slope

    def __call__(self, shape, dtype=None):
        size = int(np.prod(shape))
        return keras.ops.reshape(self.slope * keras.ops.arange(size, dtype=dtype), shape)

    def get_config(self):
        return {"slope": self.slope}


class Penalty(keras.regularizers.Regularizer):
    def __call__(self, x):
        return FACTOR * keras.ops.sum(x)

    def get_config(self):
        return {}


class Halved(keras.constraints.Constraint):
    def __call__(self, w):
        return w / 2


def dense(**arguments):
    return layers.Dense(3, name="layer", **arguments)


LAYERS = {
    "lambda": lambda: dense(activation=lambda x: x * FACTOR),
    "function": lambda: dense(activation=scaled),
    "named as Keras' own": lambda: dense(activation=relu),
    "initializers": lambda: dense(
        kernel_initializer=lambda shape, dtype=None: keras.ops.ones(shape, dtype) / FACTOR,
        bias_initializer=Ramp(0.25),
    ),
    "regularizers": lambda: dense(
        kernel_regularizer=lambda w: FACTOR * keras.ops.sum(w),
        bias_regularizer=Penalty(),
        activity_regularizer=Penalty(),
    ),
    "constraints": lambda: dense(kernel_constraint=lambda w: w / FACTOR, bias_constraint=Halved()),
    "Activation": lambda: layers.Activation(lambda x: x * FACTOR, name="layer"),
    "Lambda": lambda: layers.Lambda(lambda x: x * FACTOR, name="layer"),
    "Lambda of a function": lambda: layers.Lambda(scaled, name="layer"),
    "Lambda with more": lambda: layers.Lambda(
        lambda x, by: x * by + FACTOR,
        output_shape=lambda shape: tuple(shape) if FACTOR else None,
        mask=lambda x, mask=None: None if FACTOR else mask,
        arguments={"by": 2.0},
        name="layer",
    ),
    "normalization": lambda: layers.BatchNormalization(
        beta_initializer=lambda shape, dtype=None: keras.ops.ones(shape, dtype) * FACTOR,
        gamma_constraint=lambda w: w / FACTOR,
        name="layer",
    ),
    "a model": lambda: keras.Sequential([keras.Input((4,)), dense(activation=scaled)], name="m"),
}


ATTRIBUTES = (
    "function activation kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "kernel_constraint bias_constraint gamma_constraint"
).split()


@pytest.mark.parametrize("name", LAYERS)
def test_the_very_objects_are_in_the_copy(name):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, LAYERS[name]()(inputs))
    x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
    copy = FLOAT.apply(model)
    for made in (copy, FLOAT.apply(copy)):
        np.testing.assert_array_equal(made(x), model(x))
        assert [float(loss) for loss in made.losses] == [float(loss) for loss in model.losses]
    source, made = model.layers[1], MAP.apply(model).layers[1]
    for attribute in ATTRIBUTES:
        held = getattr(source, attribute, None)
        if held is not None and not type(held).__module__.startswith("keras"):
            assert getattr(made, attribute) is held


def cell(**arguments):
    return layers.LSTMCell(3, activation=lambda x: keras.ops.tanh(x) / FACTOR, **arguments)


SEQUENCES = {
    "LSTM": lambda: layers.LSTM(3, activation=scaled, recurrent_activation=lambda x: x / FACTOR),
    "GRU": lambda: layers.GRU(3, recurrent_initializer=Ramp(0.01), kernel_regularizer=Penalty()),
    "RNN": lambda: layers.RNN(cell()),
    "stack": lambda: layers.RNN([cell(name="a"), layers.GRUCell(2, bias_constraint=Halved())]),
    "TimeDistributed": lambda: layers.TimeDistributed(
        layers.Dense(3, activation=lambda x: x * FACTOR)
    ),
    "MultiHeadAttention": lambda: layers.MultiHeadAttention(2, 2, kernel_initializer=Ramp(0.01)),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_inside_layers_of_layers_too(name):
    inputs, layer = keras.Input((5, 4)), SEQUENCES[name]()
    both = (inputs, inputs) if name == "MultiHeadAttention" else (inputs,)
    model = keras.Model(inputs, layer(*both))
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    copy = FLOAT.apply(model)
    for made in (copy, FLOAT.apply(copy)):
        np.testing.assert_array_equal(made(x), model(x))
        assert [float(loss) for loss in made.losses] == [float(loss) for loss in model.losses]


def test_inside_a_bidirectional():
    """Which Keras itself makes from a configuration, so that there must be a registration."""
    scaled_here = keras.saving.register_keras_serializable("tests", "in_bidirectional")(scaled)
    inputs = keras.Input((5, 4))
    y = layers.Bidirectional(layers.LSTM(3, activation=scaled_here, name="lstm"))(inputs)
    model, x = keras.Model(inputs, y), np.ones((2, 5, 4), "float32")
    np.testing.assert_array_equal(FLOAT.apply(model)(x), model(x))


class Twice(layers.Layer):
    """A composite layer, of no registered class, that is given a function and hands it on."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function
        self.first, self.second = layers.Dense(3, activation=function), layers.Dense(3)

    def build(self, shape):
        self.first.build(shape)
        self.second.build((*shape[:-1], 3))

    def call(self, x):
        return self.function(self.second(self.first(x)))

    def get_config(self):
        return {**super().get_config(), "function": self.function}


def test_a_composite_layer_that_is_given_a_function():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Twice(lambda x: x * FACTOR, name="twice")(inputs))
    x = np.ones((2, 4), "float32")
    copy = FLOAT.apply(model)
    assert type(copy.get_layer("twice").first).__name__ == "QuantDense"
    for made in (copy, FLOAT.apply(copy)):
        np.testing.assert_array_equal(made(x), model(x))


def test_two_functions_of_one_name():
    def made(factor):
        def own(x):
            return x * factor

        return own

    inputs = keras.Input((4,))
    plain = keras.Model(
        inputs, layers.Dense(3, activation=made(3))(layers.Dense(4, activation=made(2))(inputs))
    )
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(FLOAT.apply(plain)(x), plain(x))  # each layer by itself
    stack = layers.RNN(
        [layers.LSTMCell(2, activation=made(2)), layers.LSTMCell(2, activation=made(3))]
    )
    sequence = keras.Input((5, 4))
    with pytest.raises(InputError, match="two different objects called 'own' are activation of"):
        FLOAT.apply(keras.Model(sequence, stack(sequence)))


@pytest.mark.parametrize(
    "given",
    [
        {"activation": functools.partial(keras.ops.leaky_relu, negative_slope=0.5)},
        {"kernel_initializer": functools.partial(keras.random.normal, stddev=0.1)},
    ],
)
def test_what_keras_cannot_describe_is_an_error_that_says_what_to_give(given):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="d", **given)])
    with pytest.raises(InputError, match="d: class Dense cannot be copied.* functions, lambdas or"):
        MAP.apply(model)


def test_a_saved_copy_is_loaded_as_the_source_would_be(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Lambda(lambda x: x * 2)])
    copy, x = MAP.apply(model), np.ones((2, 4), "float32")
    copy.save(tmp_path / "copy.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.models.load_model(tmp_path / "copy.keras")
    loaded = keras.models.load_model(tmp_path / "copy.keras", safe_mode=False)
    np.testing.assert_array_equal(loaded(x), copy(x))


class ByName(layers.Layer):
    """Finds in a scope of the user's what its configuration names."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.own, self.dense = function, layers.Dense(3, name="dense")

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.own(self.dense(x))

    def get_config(self):
        return {**super().get_config(), "function": "known_here"}

    @classmethod
    def from_config(cls, config):
        function = keras.saving.deserialize_keras_object(config.pop("function"))
        return cls(function, **config)


def test_a_scope_around_apply_holds_inside():
    inputs = keras.Input((4,))
    model, x = (
        keras.Model(inputs, ByName(scaled, name="by_name")(inputs)),
        np.ones((2, 4), "float32"),
    )
    with keras.saving.custom_object_scope({"known_here": scaled}):
        copy = FLOAT.apply(model)
    np.testing.assert_array_equal(copy(x), model(x))
