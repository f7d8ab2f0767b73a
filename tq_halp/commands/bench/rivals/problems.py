"""The problems of the race: float32 arrays, and targets of a regression or of classes."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tq_halp.data.libsvm import load_libsvm
from tq_halp.data.locate import locate
from tq_halp.data.mnist import MNIST, read_flat
from tq_halp.errors import InputError

DEVIATION = 2.0  # of the logits: a fifth of the labels is noise
TEST = 5  # one sample in so many is for the test


@dataclass(frozen=True, kw_only=True)
class FitProblem:
    """x float32 [samples, features]; y numbers of a regression, or classes from 0 on."""

    name: str
    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    is_regression: bool = False

    @property
    def classes(self) -> int:
        """The number of classes; 0 for a regression."""
        return 0 if self.is_regression else int(self.y.max()) + 1


def logistic(samples: int, features: int, condition: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from a logistic model; condition: of the covariance, whose axes are random."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((samples, features), dtype=np.float32)
    if condition > 1:
        axes = np.linalg.qr(draw.standard_normal((features, features)))[0]
        roots = np.logspace(0, -np.log10(condition) / 2, features)
        x = x @ (roots[:, None] * axes).astype(np.float32)
    scores = x @ draw.standard_normal(features).astype(np.float32)
    scores *= DEVIATION / scores.std()
    return x, (draw.random(samples) < 1 / (1 + np.exp(-scores))).astype(np.int64)


def fourier(samples: int, features: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Random Fourier features (Rahimi, Recht 2007) of Friedman's first regression (1991)."""
    draw = np.random.default_rng(0)
    z = draw.random((samples, 10))
    y = (
        10 * np.sin(np.pi * z[:, 0] * z[:, 1])
        + 20 * (z[:, 2] - 0.5) ** 2
        + 10 * z[:, 3]
        + 5 * z[:, 4]
    )
    phases = z @ (1.5 * draw.standard_normal((10, features))) + 2 * np.pi * draw.random(features)
    x = math.sqrt(2 / features) * np.cos(phases)
    return x.astype(np.float32), y + draw.standard_normal(samples)


def adult(samples: int) -> tuple[np.ndarray, np.ndarray] | None:
    """LIBSVM's a9a as a dense array; None where it is not to be had."""
    try:
        x, y = load_libsvm("a9a", limit=samples).train
    except InputError:
        return None
    return np.ascontiguousarray(x, np.float32), np.asarray(y, np.int64)


def mnist(samples: int) -> tuple[np.ndarray, np.ndarray] | None:
    """MNIST's pixels in [0, 1]; None where it is not to be had."""
    folder = locate(MNIST)
    if folder is None:
        return None
    x, labels = read_flat(folder, "train")
    return np.ascontiguousarray(x[:samples], np.float32), labels[:samples].astype(np.int64)


#: Name -> samples, and what makes x and y of so many.
PROBLEMS: dict[str, tuple[int, Callable[[int], tuple[np.ndarray, np.ndarray] | None]]] = {
    "normal-60000x256": (60_000, lambda n: logistic(n, 256)),
    "tall-1000000x64": (1_000_000, lambda n: logistic(n, 64)),
    "wide-10000x4096": (10_000, lambda n: logistic(n, 4096)),
    "condition-1e2": (120_000, lambda n: logistic(n, 100, 1e2)),
    "condition-1e4": (120_000, lambda n: logistic(n, 100, 1e4)),
    "fourier": (60_000, fourier),
    "a9a": (32_561, adult),
    "mnist": (60_000, mnist),
}


def problem(name: str, scale: float = 1.0) -> FitProblem | None:
    """One of PROBLEMS, with `scale` times as many samples; None if it is not to be had."""
    samples, make = PROBLEMS[name]
    made = make(max(50, round(samples * scale)))
    if made is None:
        return None
    x, y = made
    rest = len(x) // TEST
    return FitProblem(
        name=name,
        x=np.ascontiguousarray(x[rest:]),
        y=np.ascontiguousarray(y[rest:]),
        test_x=x[:rest],
        test_y=y[:rest],
        is_regression=name == "fourier",
    )
