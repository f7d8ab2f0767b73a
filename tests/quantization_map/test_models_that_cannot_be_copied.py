"""Models that nobody knows how to make again: one error that says what to do."""

import keras
import numpy as np
import pytest

from tests.mappings import W8, make_map
from tests.quantization_map.own_models import own_model
from tq_halp import InputError

WEIGHTS = make_map({"layers": ".*", "weights": W8, "bias": W8})


class Forgetful(keras.Model):
    """Its constructor's argument is nowhere to be found."""

    def __init__(self, units=2):
        super().__init__()
        self.dense = keras.layers.Dense(units, name="dense")

    def call(self, x):
        return self.dense(x)


class Demanding(keras.layers.Layer):
    """Takes what cannot be known."""

    def __init__(self, make):
        super().__init__(name="demanding")
        self.dense = make()

    def call(self, x):
        return self.dense(x)


class Fickle(keras.Model):
    """Builds something else each time."""

    made = 0

    def __init__(self):
        super().__init__(name="fickle")
        Fickle.made += 1
        self.denses = [keras.layers.Dense(2) for _ in range(Fickle.made)]

    def call(self, x):
        return self.denses[0](x)


def test_what_cannot_be_copied_says_what_to_do():
    x = np.ones((1, 3), "float32")
    forgetful = Forgetful(5)
    forgetful(x)
    with pytest.raises(InputError, match=r"forgetful \(Forgetful\) cannot be copied: give its cl"):
        WEIGHTS.apply(forgetful)
    fickle = Fickle()
    fickle(x)
    with pytest.raises(InputError, match=r"fickle \(Fickle\) comes out with 2 layers instead of 1"):
        WEIGHTS.apply(fickle)
    inputs = keras.Input((3,))
    demanding = keras.Model(inputs, Demanding(lambda: keras.layers.Dense(2))(inputs))
    with pytest.raises(InputError, match="scope"):
        WEIGHTS.apply(demanding)
    with pytest.raises(InputError, match="units of dense is 2, not 5"):
        WEIGHTS.apply(forgetful)


def test_a_layer_that_holds_layers_is_named_through_them():
    own = own_model()
    block = own.block.name
    with pytest.raises(InputError, match="weights of its own beside its layers"):
        make_map({"layers": block, "weights": W8}).plan(own)
    with pytest.raises(InputError, match="it holds layers: to mean all of them write 'bidirec"):
        make_map({"layers": own.both_ways.name, "weights": W8}).plan(own)
