"""The quantized RNNs restated in NumPy, in arithmetic that is exact, and what tests feed them."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from tests.arrays import floats
from tq_halp import layers


def fixed_point(frac_bits, rounding="nearest_even"):
    return {
        "format": "fixed_point",
        "word_bits": 8,
        "frac_bits": frac_bits,
        "rounding": rounding,
    }


# Every role has a step of its own, so that a number tells whose grid it is on.
W, U, B, GATE, STATE, OUT = map(fixed_point, (2, 3, 4, 6, 5, 4))
INSIDE = {"weights": W, "recurrent_weights": U, "bias": B, "gates": GATE, "state": STATE}


def q(x, mapping):
    """Nearest even on a signed fixed-point grid, in NumPy."""
    step, top = 2.0 ** -mapping["frac_bits"], 2 ** (mapping["word_bits"] - 1)
    return np.clip(np.rint(np.asarray(x, np.float64) / step), -top, top - 1) * step


def eighths(*shape, seed=0):
    """Multiples of 1/8 in [-1, 1]: sums of products of a few of them are exact in float32."""
    return (np.random.default_rng(seed).integers(-8, 9, shape) / 8).astype(np.float32)


@keras.saving.register_keras_serializable(package="tests")
def ramp(x):
    """A sigmoid of straight lines, exact for multiples of powers of two."""
    return ops.clip(x * 0.25 + 0.5, 0.0, 1.0)


@keras.saving.register_keras_serializable(package="tests")
def bend(x):
    """A tanh of straight lines."""
    return ops.clip(x, -1.0, 1.0)


def np_ramp(x):
    return np.clip(x * 0.25 + 0.5, 0, 1)


def np_bend(x):
    return np.clip(x, -1, 1)


def simple_rnn(x, h, w, u, b):
    (h,) = h
    return [q(np_bend(x @ w + b + h @ u), STATE)]


def lstm(x, states, w, u, b):
    h, c = states
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
    i, f, o = (q(np_ramp(z), GATE) for z in (i, f, o))
    c = q(f * c + i * q(np_bend(g), GATE), STATE)
    return [q(o * np_bend(c), STATE), c]


def gru_after(x, states, w, u, b):
    (h,) = states
    x_z, x_r, x_h = np.split(x @ w + b[0], 3, axis=1)
    h_z, h_r, h_h = np.split(h @ u + b[1], 3, axis=1)
    z, r = q(np_ramp(x_z + h_z), GATE), q(np_ramp(x_r + h_r), GATE)
    return [q(z * h + (1 - z) * q(np_bend(x_h + r * h_h), GATE), STATE)]


def gru_before(x, states, w, u, b):
    (h,) = states
    x_z, x_r, x_h = np.split(x @ w + b, 3, axis=1)
    u_z, u_r, u_h = np.split(u, 3, axis=1)
    z, r = q(np_ramp(x_z + h @ u_z), GATE), q(np_ramp(x_r + h @ u_r), GATE)
    return [q(z * h + (1 - z) * q(np_bend(x_h + (r * h) @ u_h), GATE), STATE)]


@dataclasses.dataclass(frozen=True)
class Kind:
    """One of the RNNs."""

    name: str
    step: Callable  # (x_t, states, Q(W), Q(U), Q(b)) -> the states that follow
    options: dict = dataclasses.field(default_factory=dict)  # of layer and cell
    states: int = 1

    def __str__(self):
        return "-".join([self.name, *map(str, self.options.values())])

    @property
    def activations(self):
        ramps = {} if self.name == "SimpleRNN" else {"recurrent_activation": ramp}
        return {"activation": bend, **ramps}

    def keras(self, *args, **kwargs):
        cudnn = {} if self.name == "SimpleRNN" else {"use_cudnn": False}
        return getattr(keras.layers, self.name)(*args, **cudnn, **self.options, **kwargs)

    def layer(self, *args, **kwargs):
        return getattr(layers, f"Quant{self.name}")(*args, **self.options, **kwargs)

    def cell(self, *args, **kwargs):
        return getattr(layers, f"Quant{self.name}Cell")(*args, **self.options, **kwargs)

    def roles(self, given):
        """Those of the given quantizers for which the layer has a role."""
        names = getattr(layers, f"Quant{self.name}").roles
        return {role: quantizer for role, quantizer in given.items() if role in names}

    def oracle(self, x, weights, states=None):
        """The states at every time step, [steps][states], for float weights."""
        w, u, b = (q(a, m) for a, m in zip(weights, (W, U, B), strict=True))
        if states is None:
            states = [np.zeros([len(x), len(u)])] * self.states
        trajectory = []
        for t in range(x.shape[1]):
            states = self.step(x[:, t].astype(np.float64), states, w, u, b)
            trajectory.append(states)
        return trajectory


KINDS = [
    Kind("SimpleRNN", simple_rnn),
    Kind("GRU", gru_after, {"reset_after": True}),
    Kind("GRU", gru_before, {"reset_after": False}),
    Kind("LSTM", lstm, states=2),
]


def fill(layer, features, values=floats):
    """Builds an RNN or a cell, or takes one that is built, and gives it weights of its own."""
    if not layer.built:
        layer.build((None, features) if hasattr(layer, "get_dropout_mask") else (2, 5, features))
    for k, variable in enumerate(layer.trainable_variables):
        variable.assign(values(*variable.shape, seed=k))
    return layer


def train_and_reload(model, tmp_path, x, y):
    """Trains, saves, loads; the predictions and what another epoch makes of both are equal."""
    model.compile(keras.optimizers.SGD(0.5), "mse")
    model.fit(x, y, batch_size=2, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        each.fit(x, y, batch_size=2, verbose=0, shuffle=False)
    for got, want in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(loaded(x), model(x))
