"""One or more cases of every quantized layer: the Keras class, arguments, shapes of inputs."""

import keras
import numpy as np
import pytest

from tests.arrays import floats
from tq_halp.layers.keras_class_table import quantized_class

W = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4}
B = {"format": "fixed_point", "word_bits": 8, "frac_bits": 7, "rounding": "down"}
A = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3}
G = {"format": "fixed_point", "word_bits": 7, "frac_bits": 3, "rounding": "up"}
E = {"format": "fixed_point", "word_bits": 6, "frac_bits": 5, "rounding": "toward_zero"}
EVERY = {"weights": W, "bias": B, "activations": A, "gradients": G, "errors": E}

ROUND = {"nearest_even": np.rint, "down": np.floor, "up": np.ceil, "toward_zero": np.trunc}

LINE, SQUARE, CUBE = (2, 6, 4), (2, 6, 6, 4), (2, 4, 4, 4, 2)

FEED_FORWARD = [
    ("Dense", dict(units=3, activation="tanh"), [(2, 5, 4)]),
    ("Dense", dict(units=3, use_bias=False), [(2, 4)]),
    ("EinsumDense", dict(equation="abc,cd->abd", output_shape=(None, 3), bias_axes="d"), [LINE]),
    ("Conv1D", dict(filters=3, kernel_size=2, padding="causal", dilation_rate=2), [LINE]),
    ("Conv2D", dict(filters=4, kernel_size=(2, 3), strides=2, groups=2), [SQUARE]),
    ("Conv2D", dict(filters=2, kernel_size=3, padding="same", use_bias=False), [SQUARE]),
    ("Conv3D", dict(filters=2, kernel_size=2, activation="relu"), [CUBE]),
    ("Conv1DTranspose", dict(filters=3, kernel_size=2, strides=2), [LINE]),
    ("Conv2DTranspose", dict(filters=3, kernel_size=2, strides=2), [SQUARE]),
    ("Conv3DTranspose", dict(filters=2, kernel_size=2), [CUBE]),
    ("DepthwiseConv1D", dict(kernel_size=2, depth_multiplier=2), [LINE]),
    ("DepthwiseConv2D", dict(kernel_size=3, padding="same"), [SQUARE]),
    ("SeparableConv1D", dict(filters=3, kernel_size=2), [LINE]),
    ("SeparableConv2D", dict(filters=3, kernel_size=3, activation="relu"), [SQUARE]),
    ("BatchNormalization", dict(), [LINE]),
    ("BatchNormalization", dict(scale=False, axis=1), [SQUARE]),
    ("BatchNormalization", dict(renorm=True), [LINE]),
    ("LayerNormalization", dict(), [LINE]),
    ("LayerNormalization", dict(axis=(1, 2), center=False), [SQUARE]),
    ("GroupNormalization", dict(groups=2), [SQUARE]),
    ("RMSNormalization", dict(), [LINE]),
    ("UnitNormalization", dict(), [LINE]),
    ("PReLU", dict(alpha_initializer="ones", shared_axes=[1]), [LINE]),
    ("Add", dict(), [LINE, (2, 6, 1)]),
    ("Subtract", dict(), [LINE, LINE]),
    ("Multiply", dict(), [LINE, LINE, LINE]),
    ("Average", dict(), [LINE, LINE]),
    ("Maximum", dict(), [LINE, LINE]),
    ("Minimum", dict(), [LINE, LINE]),
    ("Concatenate", dict(axis=1), [LINE, (2, 3, 4)]),
    ("Dot", dict(axes=2), [LINE, LINE]),
    ("Activation", dict(activation="gelu"), [LINE]),
    ("ReLU", dict(max_value=1.5), [LINE]),
    ("LeakyReLU", dict(), [LINE]),
    ("ELU", dict(), [LINE]),
    ("Softmax", dict(), [LINE]),
    ("Dropout", dict(rate=0.4, seed=1), [LINE]),
    ("SpatialDropout1D", dict(rate=0.4, seed=2), [LINE]),
    ("SpatialDropout2D", dict(rate=0.4, seed=3), [SQUARE]),
    ("SpatialDropout3D", dict(rate=0.4, seed=4), [CUBE]),
    ("GaussianDropout", dict(rate=0.4, seed=5), [LINE]),
    ("GaussianNoise", dict(stddev=0.4, seed=6), [LINE]),
    ("AlphaDropout", dict(rate=0.4, seed=7), [LINE]),
    ("UpSampling1D", dict(), [LINE]),
    ("UpSampling2D", dict(interpolation="bilinear"), [SQUARE]),
    ("UpSampling3D", dict(), [CUBE]),
]
for rank, shape in ((1, LINE), (2, SQUARE), (3, CUBE)):
    for kind in ("Max", "Average"):
        FEED_FORWARD += [
            (f"{kind}Pooling{rank}D", {"pool_size": 2}, [shape]),
            (f"Global{kind}Pooling{rank}D", {}, [shape]),
            (f"Adaptive{kind}Pooling{rank}D", {"output_size": 2}, [shape]),
        ]
EMBEDDING = [("Embedding", dict(input_dim=11, output_dim=3), [(2, 5)])]
STATE = (2, 3)
# A seed, as Keras draws one for a layer that has none.
RECURRENT = [
    ("SimpleRNN", dict(units=3, seed=1), [LINE]),
    ("GRU", dict(units=3, seed=1), [LINE]),
    ("GRU", dict(units=3, reset_after=False, return_sequences=True, seed=1), [LINE]),
    ("LSTM", dict(units=3, seed=1), [LINE]),
    ("LSTM", dict(units=3, return_sequences=True, use_bias=False, seed=1), [LINE]),
    ("LSTM", dict(units=3, return_state=True, unroll=True, seed=1), [LINE]),
    ("SimpleRNNCell", dict(units=3, seed=1), [(2, 4), STATE]),
    ("GRUCell", dict(units=3, seed=1), [(2, 4), STATE]),
    ("LSTMCell", dict(units=3, seed=1), [(2, 4), STATE, STATE]),
]
GROUPS = dict(num_query_heads=4, num_key_value_heads=2)
ATTENTION = [
    ("MultiHeadAttention", dict(num_heads=2, key_dim=4, seed=1), [LINE, (2, 3, 4)]),
    ("GroupQueryAttention", dict(head_dim=4, seed=1, **GROUPS), [LINE, (2, 3, 4)]),
]


def q(x, mapping):
    """A signed fixed-point format in NumPy."""
    step, top = 2.0 ** -mapping["frac_bits"], 2.0 ** (mapping["word_bits"] - 1)
    rounded = ROUND[mapping.get("rounding", "nearest_even")](np.asarray(x, np.float64) / step)
    return (np.clip(rounded, -top, top - 1) * step).astype(np.asarray(x).dtype)


def role(variable):
    return "bias" if variable.name in ("bias", "beta") else "weights"


class Case:
    """A Keras class with its quantized twin, arguments and inputs."""

    def __init__(self, name, arguments, shapes):
        self.keras_class = getattr(keras.layers, name)
        self.quantized_class = quantized_class(self.keras_class)
        self.arguments = arguments
        self.shapes = shapes
        self.roles = self.quantized_class.roles

    def __str__(self):
        return self.keras_class.__name__

    @property
    def inputs(self):
        """A tensor, or a list of them for a layer that takes several; not twice the same."""
        if str(self) == "Embedding":
            return np.random.default_rng(1).integers(0, 11, self.shapes[0]).astype(np.int32)
        inputs = [floats(*shape, seed=seed) for seed, shape in enumerate(self.shapes)]
        return inputs if len(inputs) > 1 else inputs[0]

    def call(self, layer, inputs, **kwargs):
        """Calls the layer; several inputs are a list, two arguments, or one and a cell's states."""
        if str(self).endswith("Attention"):
            return layer(*inputs, **kwargs)
        if str(self).endswith("Cell"):
            return layer(inputs[0], inputs[1:], **kwargs)
        return layer(inputs, **kwargs)

    def in_a_model(self, layer):
        """Its symbolic inputs, its output, and numbers for the inputs; a cell is in an `RNN`."""
        if str(self).endswith("Cell"):
            layer = keras.layers.RNN(layer)
            symbol = keras.Input(LINE[1:], dtype="float32")
            return [symbol], layer(symbol), [floats(*LINE)]
        inputs = self.inputs
        inputs = inputs if isinstance(inputs, list) else [inputs]
        symbols = [keras.Input(x.shape[1:], dtype=str(x.dtype)) for x in inputs]
        return symbols, self.call(layer, symbols if len(symbols) > 1 else symbols[0]), inputs

    def plain(self, **more):
        return self.weighted(self.keras_class(**self.arguments, **more))

    def quantized(self, given, **more):
        """With those of the given quantizers that the layer has."""
        given = {role: given[role] for role in self.roles if role in given}
        return self.weighted(self.quantized_class(**self.arguments, **given, **more))

    def weighted(self, layer):
        """Built, each weight another and none 0; statistics stay as they are."""
        if str(self).endswith("Attention"):
            layer.build(*self.shapes)
        else:
            merges = len(self.shapes) > 1 and not str(self).endswith("Cell")
            layer.build(self.shapes if merges else self.shapes[0])
        for seed, variable in enumerate(layer.trainable_variables, start=7):
            variable.assign(floats(*variable.shape, seed=seed))
        return layer


def cases(table):
    return [Case(*row) for row in table if hasattr(keras.layers, row[0])]


FORWARD = cases(FEED_FORWARD)
CASES = [*FORWARD, *cases(EMBEDDING + RECURRENT + ATTENTION)]
every_case = pytest.mark.parametrize(
    "case", CASES, ids=[f"{case}-{k}" for k, case in enumerate(CASES)]
)
