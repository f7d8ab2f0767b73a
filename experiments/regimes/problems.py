"""The two problems of the map, each with a chosen condition number."""

from dataclasses import dataclass

import keras
import numpy as np

SAMPLES, FEATURES, BATCH = 512, 32, 8
STEPS = SAMPLES // BATCH
#: Independent targets of least squares, and classes of softmax regression.
TARGETS, CLASSES = 16, 5
#: Learning rates, as multiples of what a minibatch of independent samples is stable with.
RATES = (0.1, 0.3, 1.0)


@dataclass(frozen=True)
class Problem:
    """One data set with its model.

    Attributes:
        x, y: the data.
        outputs: of the model, a linear layer without a bias.
        loss: of the model.
        excess: kernel -> f − f* of each independent target.
        scale: which weights share a range: targets are independent, classes are not.
    """

    x: np.ndarray
    y: np.ndarray
    outputs: int
    loss: object
    excess: object
    scale: str

    def stable_rate(self):
        """1 / (λ_max + trace / batch size) of the features' second moments."""
        moments = np.linalg.eigvalsh(self.x.T @ self.x / len(self.x))
        return 1.0 / (moments[-1] + moments.sum() / BATCH)


def features(rng, condition):
    """X with the eigenvalues 1 … 1 / condition of XᵀX / N, evenly spaced in their logarithm."""
    orthogonal, _ = np.linalg.qr(rng.normal(size=(SAMPLES, FEATURES)))
    eigenvalues = np.geomspace(1.0, 1.0 / condition, FEATURES)
    return orthogonal * np.sqrt(SAMPLES * eigenvalues)


def half_squares(y, prediction):
    """Of all targets the sum, so that each has its own gradient whatever their number."""
    return keras.ops.mean(keras.ops.sum(keras.ops.square(y - prediction), axis=-1)) / 2


def least_squares(condition, seed):
    """y = Xw* + N(0, 1) for 16 w* at once; w* ~ N(0, 1)."""
    rng = np.random.default_rng([seed, 0])
    x = features(rng, condition)
    y = x @ rng.normal(size=(FEATURES, TARGETS)) + rng.normal(size=(SAMPLES, TARGETS))
    best = np.linalg.lstsq(x, y, rcond=None)[0]

    def excess(kernel):
        return np.sum(np.square(x @ (kernel - best)), axis=0) / (2 * SAMPLES)

    return Problem(x, y, TARGETS, half_squares, excess, "per_channel")


def softmax(condition, seed):
    """Labels drawn with the probabilities softmax(Xw*); w* ~ N(0, 1)."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    rng = np.random.default_rng([seed, 1])
    x = features(rng, condition)
    probabilities = np.exp(log_softmax(x @ rng.normal(size=(FEATURES, CLASSES)), axis=1))
    y = np.array([rng.choice(CLASSES, p=p) for p in probabilities])
    one_hot = np.eye(CLASSES)[y]

    def value(kernel):
        logs = log_softmax(x @ kernel.reshape(FEATURES, CLASSES), axis=1)
        slope = x.T @ (np.exp(logs) - one_hot) / SAMPLES
        return -np.mean(logs[np.arange(SAMPLES), y]), slope.reshape(-1)

    tight = {"maxiter": 100_000, "maxfun": 1_000_000, "ftol": 0.0, "gtol": 1e-12, "maxcor": 50}
    found = minimize(
        value, np.zeros(FEATURES * CLASSES), jac=True, method="L-BFGS-B", options=tight
    )

    def excess(kernel):
        return np.array([value(np.asarray(kernel, np.float64))[0] - found.fun])

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Problem(x, y, CLASSES, loss, excess, "per_tensor")


PROBLEMS = {"least squares": least_squares, "softmax": softmax}
