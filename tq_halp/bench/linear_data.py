"""What the solvers for linear models are timed on: synthetic data of three shapes, and MNIST."""

import gzip
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tq_halp.data.files import KnownFile, KnownSet
from tq_halp.data.locate import locate
from tq_halp.errors import InputError

#: Name -> samples and features.
SYNTHETIC = {
    "400000x256": (400_000, 256),
    "100000x1024": (100_000, 1_024),
    "25000x4096": (25_000, 4_096),
}
DATASETS = (*SYNTHETIC, "mnist")

SEED = 0
LOGIT_DEVIATION = 2.0  # labels are drawn from probabilities, so a fifth of them is noise

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST = KnownSet(
    name="mnist",
    folders=("mnist",),
    files=(
        KnownFile(
            "train-images-idx3-ubyte.gz",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            _URL + "train-images-idx3-ubyte.gz",
        ),
        KnownFile(
            "train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            _URL + "train-labels-idx1-ubyte.gz",
        ),
        KnownFile(
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            _URL + "t10k-images-idx3-ubyte.gz",
        ),
        KnownFile(
            "t10k-labels-idx1-ubyte.gz",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            _URL + "t10k-labels-idx1-ubyte.gz",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class LinearData:
    """A problem for `quant_ops.LinearSolver`."""

    name: str
    x: np.ndarray  # float32 [samples, features]
    targets: np.ndarray  # [samples]
    loss: str
    outputs: int = 1


def load(name: str, scale: float = 1.0) -> LinearData | None:
    """One of DATASETS, with its number of samples times `scale`; None if it is not to be had.

    Raises:
        InputError: MNIST's files are there, and are not what they should be.
    """
    if name in SYNTHETIC:
        samples, features = SYNTHETIC[name]
        return synthetic(name, max(1, math.ceil(samples * scale)), features)
    folder = locate(MNIST)
    if folder is None:
        return None
    x, labels = mnist(folder, "train")
    kept = max(1, math.ceil(len(x) * min(scale, 1.0)))
    return LinearData(name=name, x=x[:kept], targets=labels[:kept], loss="softmax", outputs=10)


def synthetic(name: str, samples: int, features: int) -> LinearData:
    """x ~ N(0, 1); label 1 with probability 1 / (1 + exp(-x . w)), x . w of deviation 2."""
    draw = np.random.default_rng(SEED)
    x = draw.standard_normal((samples, features), dtype=np.float32)
    w = draw.standard_normal(features) * LOGIT_DEVIATION / math.sqrt(features)
    probabilities = 1 / (1 + np.exp(-(x @ w.astype(np.float32))))
    labels = (draw.random(samples) < probabilities).astype(np.float64)
    return LinearData(name=name, x=x, targets=labels, loss="logistic")


def mnist(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images, float32 [n, 784] in [0, 1], and labels [n] of `part`, "train" or "t10k"."""
    images = _read_idx(folder / f"{part}-images-idx3-ubyte.gz", dimensions=3)
    labels = _read_idx(folder / f"{part}-labels-idx1-ubyte.gz", dimensions=1)
    return images.reshape(len(images), -1) / np.float32(255), labels.astype(np.float64)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """A file of LeCun's idx format with unsigned bytes: 0, 0, 8, dimensions, sizes, elements."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); replace it by a copy") from error
    start = 4 + 4 * dimensions
    known = content[:4] == bytes((0, 0, 8, dimensions)) and len(content) >= start
    shape = np.frombuffer(content[4:start], ">u4") if known else ()
    if not known or len(content) != start + np.prod(shape, dtype=np.int64):
        raise InputError(f"{path}: no idx file of {dimensions} dimensions; replace it by a copy")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
