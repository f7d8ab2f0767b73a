"""A small least-squares problem, α-SVRG on it in NumPy, and what the tests of options share."""

import keras
import numpy as np

SAMPLES, FEATURES, BATCH, RATE, STEPS = 23, 3, 4, 0.05, 6


def build():
    dense = keras.layers.Dense(1, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((FEATURES,)), dense])


def train(algorithm, problem, epochs=3, callbacks=(), eagerly=True):
    algorithm.compile(keras.optimizers.SGD(RATE), loss="mse", run_eagerly=eagerly)
    history = algorithm.fit(
        *problem, epochs=epochs, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks
    )
    return algorithm.model.get_weights(), history.history


def pieces():
    return [slice(start, start + BATCH) for start in range(0, SAMPLES, BATCH)]


def gradient(weights, x, y):
    error = x @ weights[0] + weights[1] - y
    return [2 * x.T @ error / len(x), 2 * error.mean(axis=0)]


def oracle(problem, *, segment, coefficient, start=0, epochs=3):
    """α-SVRG with T = ``segment`` from step ``start`` on; ``coefficient(step, averages)`` is a."""
    x, y = problem
    weights, averages = [np.zeros((FEATURES, 1)), np.zeros(1)], None
    for step in range(epochs * STEPS):
        piece = pieces()[step % STEPS]
        here = gradient(weights, x[piece], y[piece])
        if step >= start and (step - start) % segment == 0:
            center, full = [w.copy() for w in weights], gradient(weights, x, y)
            averages = [np.zeros(2) for _ in weights]
        if step >= start:
            there = gradient(center, x[piece], y[piece])
            shares = coefficient(step, averages)
            for average, g, h, mean in zip(averages, here, there, full, strict=True):
                new = [np.sum((g - mean) * (h - mean)), np.sum((h - mean) ** 2)]
                average[:] = 0.9 * average + 0.1 * np.array(new)
            here = [
                g - a * (h - mean) for g, a, h, mean in zip(here, shares, there, full, strict=True)
            ]
        weights = [w - RATE * g for w, g in zip(weights, here, strict=True)]
    return weights


class Record(keras.callbacks.Callback):
    """The weights after each step, and the steps before which a snapshot was taken."""

    def __init__(self):
        super().__init__()
        self.weights, self.snapshots = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.weights.append(self.model.model.get_weights())
        if int(getattr(self.model, "steps_since_snapshot", 0)) == 1:
            self.snapshots.append(int(self.model.step_count) - 1)


def equal(one, other):
    for got, want in zip(one, other, strict=True):
        np.testing.assert_array_equal(got, want)


def close(one, other):
    for got, want in zip(one, other, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13)
