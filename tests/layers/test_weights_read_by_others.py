"""Every weight of a quantized layer, read by its attribute in the call of another layer."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from tests.arrays import floats
from tests.mappings import make_map
from tq_halp.layers import QuantGRUCell
from tq_halp.quantizers import Quantizer

W = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}


def q(x):
    return np.clip(np.rint(np.asarray(x) * 16), -128, 127) / 16


def parts(layer):
    """The layer, and the cell that an RNN has made."""
    return [layer, layer.cell] if hasattr(layer, "cell") else [layer]


class Reader(keras.Model):
    """Its call returns every weight of another layer, read by its attribute."""

    def __init__(self, layer, names):
        super().__init__()
        self.inner, self.names = layer, names

    def call(self, x):
        y = self.inner(x)
        held = {
            name: part for part in parts(self.inner) for name in self.names if hasattr(part, name)
        }
        return y, {name: ops.convert_to_tensor(getattr(part, name)) for name, part in held.items()}


READ = {
    "Dense": ((3,), "kernel bias"),
    "EinsumDense": (("abc,cd->abd", (None, 3), None, "d"), "kernel bias"),
    "Conv1D": ((3, 2), "kernel bias"),
    "Conv1DTranspose": ((3, 2), "kernel bias"),
    "DepthwiseConv1D": ((2,), "kernel bias"),
    "SeparableConv1D": ((3, 2), "depthwise_kernel pointwise_kernel bias"),
    "LayerNormalization": ((), "gamma beta"),
    "BatchNormalization": ((), "gamma beta"),
    "GroupNormalization": ((2,), "gamma beta"),
    "PReLU": ((), "alpha"),
    "SimpleRNN": ((3,), "kernel recurrent_kernel bias"),
    "GRU": ((3,), "kernel recurrent_kernel bias"),
    "LSTM": ((3,), "kernel recurrent_kernel bias"),
    "RMSNormalization": ((), "scale"),
}


@pytest.mark.parametrize("run", ["eager", "predict"])
@pytest.mark.parametrize("name", [name for name in READ if hasattr(layers, name)])
def test_every_weight_that_is_an_attribute_is_read_quantized(name, run):
    arguments, names = READ[name]
    source = Reader(getattr(layers, name)(*arguments), names.split())
    x = floats(2, 3, 4)
    source(x)
    kept = [floats(*variable.shape, seed=k) for k, variable in enumerate(source.trainable_weights)]
    both = {"weights": W, "bias": W} if "bias" in names or "beta" in names else {"weights": W}
    with make_map({"layers": ".*", **both}).scope():
        model = Reader(getattr(layers, name)(*arguments), names.split())
    model(x)
    for variable, value in zip(model.trainable_weights, kept, strict=True):
        variable.assign(value)
    y, read = model(x) if run == "eager" else model.predict(x, verbose=0)
    # By the order in which the layer makes them, and all of them.
    assert len(read) == len(kept)
    for variable, value in zip(model.trainable_weights, kept, strict=True):
        np.testing.assert_array_equal(read[variable.name], q(value), err_msg=variable.name)
        np.testing.assert_array_equal(variable, value)
    # What the layer itself computes with is quantized once.
    for variable, value in zip(source.trainable_weights, kept, strict=True):
        variable.assign(q(value))
    expected = source(x)[0] if run == "eager" else source.predict(x, verbose=0)[0]
    np.testing.assert_array_equal(y, expected)
    # Outside of a call an attribute is the variable.
    held = [getattr(part, n) for n in read for part in parts(model.inner) if hasattr(part, n)]
    assert all(any(each is v for v in model.weights) for each in held)


def test_a_dynamic_range_of_a_cell_is_that_of_its_weights_and_not_of_quantized_ones():
    integers = {"format": "scaled_integer", "word_bits": 4}
    cell = QuantGRUCell(3, weights=integers)
    rnn = layers.RNN(cell)
    model = keras.Sequential([keras.Input((3, 4)), rnn])
    x = floats(2, 3, 4)
    numbers = [np.asarray(Quantizer(integers)(v)) for v in model.trainable_weights]
    plain = keras.Sequential([keras.Input((3, 4)), layers.RNN(layers.GRUCell(3))])
    bias = model.trainable_weights[-1].numpy()
    plain.set_weights([*numbers[:2], bias])
    np.testing.assert_array_equal(model(x), plain(x))
