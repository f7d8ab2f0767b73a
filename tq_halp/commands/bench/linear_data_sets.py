"""The data for timing the linear solvers: synthetic data of three shapes, and MNIST."""

import math
from dataclasses import dataclass

import numpy as np

from tq_halp.data.locate import locate
from tq_halp.data.mnist import MNIST, read_flat

#: Name -> samples and features.
SYNTHETIC = {
    "400000x256": (400_000, 256),
    "100000x1024": (100_000, 1_024),
    "25000x4096": (25_000, 4_096),
}
DATASETS = (*SYNTHETIC, "mnist")

SEED = 0
LOGIT_DEVIATION = 2.0  # labels are drawn from probabilities, so a fifth of them is noise


@dataclass(frozen=True, kw_only=True)
class LinearData:
    """Data and loss of a problem for `quant_ops.LinearSolver`."""

    name: str
    x: np.ndarray  # float32 [samples, features]
    targets: np.ndarray  # [samples]
    loss: str
    outputs: int = 1


def load(name: str, scale: float = 1.0) -> LinearData | None:
    """One of DATASETS, with `scale` times as many samples; None if it cannot be had.

    Raises:
        InputError: MNIST's files are truncated or altered.
    """
    if name in SYNTHETIC:
        samples, features = SYNTHETIC[name]
        return synthetic(name, max(1, math.ceil(samples * scale)), features)
    folder = locate(MNIST)
    if folder is None:
        return None
    x, labels = read_flat(folder, "train")
    kept = max(1, math.ceil(len(x) * min(scale, 1.0)))
    return LinearData(name=name, x=x[:kept], targets=labels[:kept], loss="softmax", outputs=10)


def synthetic(name: str, samples: int, features: int) -> LinearData:
    """Logistic regression on normal data: x ~ N(0, 1), P(label = 1) = 1 / (1 + exp(−x·w)).

    x·w has the standard deviation LOGIT_DEVIATION. x is float32 [samples, features].
    """
    draw = np.random.default_rng(SEED)
    x = draw.standard_normal((samples, features), dtype=np.float32)
    w = draw.standard_normal(features) * LOGIT_DEVIATION / math.sqrt(features)
    probabilities = 1 / (1 + np.exp(-(x @ w.astype(np.float32))))
    labels = (draw.random(samples) < probabilities).astype(np.float64)
    return LinearData(name=name, x=x, targets=labels, loss="logistic")
