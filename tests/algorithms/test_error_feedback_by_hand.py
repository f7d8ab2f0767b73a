"""Error feedback against NumPy, step by step: a residual beside the weights, or in the momentum."""

import keras
import numpy as np
import pytest
from option_problem import build, gradient, pieces

import quant_ops
import tq_halp
from tq_halp.quantizers import Quantizer

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
WORD, FRAC = 5, 4
STEP, LOW, HIGH = 2.0**-FRAC, -(2.0 ** (WORD - 1 - FRAC)), 2.0 ** (WORD - 1 - FRAC) - 2.0**-FRAC
GRID = tq_halp.formats.FixedPoint(WORD, FRAC)
STEPS = 12
# Keras takes the momentum in float32, also beside weights in float64.
BETA = 0.875
# It ends at a rate of 0, with which Adam's later steps could bring nothing back.
LINE = keras.optimizers.schedules.PolynomialDecay(0.1, STEPS - 2, 0.0)


class PlainSGD:
    def __init__(self, decay=0.0):
        self.decay = decay

    def step(self, w, g):
        return w - w * self.decay * 0.1 - 0.1 * g


class Momentum:
    def __init__(self, nesterov=False):
        self.nesterov, self.momentum = nesterov, 0.0

    def step(self, w, g):
        self.momentum = self.momentum * BETA - g * 0.1
        return w + (self.momentum * BETA - g * 0.1 if self.nesterov else self.momentum)

    def absorb(self, error):
        self.momentum = self.momentum + (1 - BETA) / (BETA**2 if self.nesterov else BETA) * error


class AdamByHand:
    """Kingma & Ba, with the rate as a line."""

    def __init__(self, amsgrad=False, decay=0.0):
        self.t, self.momentum, self.v, self.largest = 0, 0.0, 0.0, 0.0
        self.amsgrad, self.decay = amsgrad, decay

    def rate(self):
        return 0.1 * (1 - min(self.t, STEPS - 2) / (STEPS - 2))

    def alpha(self):
        return self.rate() * np.sqrt(1 - 0.999 ** (self.t + 1)) / (1 - 0.9 ** (self.t + 1))

    def size(self):
        return np.sqrt(self.largest if self.amsgrad else self.v) + 1e-7

    def step(self, w, g):
        w = w - w * self.decay * self.rate()
        self.momentum, self.v = 0.9 * self.momentum + 0.1 * g, 0.999 * self.v + 0.001 * g * g
        self.largest = np.maximum(self.largest, self.v)
        w = w - self.alpha() * self.momentum / self.size()
        self.t += 1
        return w

    def absorb(self, error):
        if self.alpha() > 0:
            self.momentum = self.momentum - (1 / 0.9 - 1) * self.size() / self.alpha() * error


def rounded(values, word, frac, rounding, seed, counter):
    if rounding == "nearest_even":
        low, high = -(2 ** (word - 1)), 2 ** (word - 1) - 1
        return np.clip(np.rint(values * 2.0**frac), low, high) / 2.0**frac
    drawn = {"rounding": rounding, "seed": seed, "counter": counter}
    return quant_ops.fixed_point(values, word, frac, **drawn).numpy()


def oracle(problem, kind, rounding, optimizers):
    """Weights and residuals after STEPS steps of least squares."""
    x, y = problem
    seeds = [4, Quantizer(GRID, "stochastic", seed=4).derive("residual").seed]
    weights, residuals = [np.zeros((3, 1)), np.zeros(1)], [np.zeros((3, 1)), np.zeros(1)]
    for t in range(STEPS):
        piece = pieces()[t % len(pieces())]
        for i, g in enumerate(gradient(weights, x[piece], y[piece])):
            u, counter = optimizers[i].step(weights[i], g), 2 * (t + 1) + i
            if kind != "momentum":
                u = u + residuals[i]
            weights[i] = rounded(u, WORD, FRAC, rounding, seeds[0], counter)
            error = np.clip(u, LOW, HIGH) - weights[i]
            if kind == "momentum":
                optimizers[i].absorb(error)
            elif kind == "exact":
                residuals[i] = error
            else:
                frac = FRAC + kind - (rounding == "stochastic")
                residuals[i] = rounded(error, kind, frac, rounding, seeds[1], counter)
    return weights, residuals


@pytest.mark.filterwarnings("ignore:.* at an end of their grid's range")
@pytest.mark.parametrize(
    ("kind", "rounding", "by_hand", "optimizer"),
    [
        ("exact", "nearest_even", lambda: PlainSGD(0.5), lambda: SGD(0.1, weight_decay=0.5)),
        ("exact", "stochastic", Momentum, lambda: SGD(0.1, BETA)),
        (4, "nearest_even", PlainSGD, lambda: SGD(0.1)),
        (3, "stochastic", Momentum, lambda: SGD(0.1, BETA)),
        ("momentum", "stochastic", Momentum, lambda: SGD(0.1, BETA)),
        ("momentum", "nearest_even", lambda: Momentum(True), lambda: SGD(0.1, BETA, nesterov=True)),
        ("momentum", "nearest_even", AdamByHand, lambda: Adam(LINE)),
        (
            "momentum",
            "stochastic",
            lambda: AdamByHand(amsgrad=True, decay=0.5),
            lambda: keras.optimizers.AdamW(LINE, weight_decay=0.5, amsgrad=True),
        ),
    ],
)
def test_trajectory(problem, float64, kind, rounding, by_hand, optimizer):
    options = {"rounding": rounding, "error_feedback": kind, "seed": 4}
    trainer = tq_halp.LowPrecisionSGD(build(), GRID, **options)
    trainer.compile(optimizer(), "mse")
    trainer.fit(*problem, batch_size=4, epochs=2, shuffle=False, verbose=0)
    optimizers = [by_hand(), by_hand()]
    weights, residuals = oracle(problem, kind, rounding, optimizers)
    for got, want in zip(trainer.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(getattr(trainer, "residual", []), residuals, strict=kind != "momentum"):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-15)
    # Keras takes Adam's betas in float32: an error of 1e-8 in 1 − β₂ = 0.001.
    momenta = [v for v in trainer.optimizer.variables if "momentum" in v.path]
    for got, each in zip(momenta, optimizers, strict=bool(momenta)):
        np.testing.assert_allclose(got, each.momentum, rtol=1e-3, atol=1e-9)
