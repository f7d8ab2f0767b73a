"""MNIST: handwritten digits, 28 x 28 (LeCun et al., 1998), from its four idx files."""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from tq_halp.data.dataset import Dataset, Examples, of_ten_kinds
from tq_halp.data.files import KnownFile, KnownSet, read_verified_bytes
from tq_halp.data.locate import find
from tq_halp.errors import InputError

#: The last so many training images are for validation.
HELD_OUT = 5000

_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def _file(name: str, size: int, sha256: str, *copies: str) -> KnownFile:
    return KnownFile(name, size, sha256, _URL + name, copies)


MNIST = KnownSet(
    name="mnist",
    folders=("mnist",),
    files=(
        _file(
            "train-images-idx3-ubyte.gz",
            9912422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            # The same images, compressed to 9,719,438 bytes.
            "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
        ),
        _file(
            "train-labels-idx1-ubyte.gz",
            28881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _file(
            "t10k-images-idx3-ubyte.gz",
            1648877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _file(
            "t10k-labels-idx1-ubyte.gz",
            4542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)


def load_mnist(
    directory: str | os.PathLike | None = None,
    *,
    limit: int | None = None,
    validation_limit: int | None = None,
) -> Dataset:
    """55,000 images for training, 5,000 for validation, 10,000 for the test.

    Args:
        directory: folder of the files; None searches (see `locate`).
        limit: maximum number of training images.
        validation_limit: maximum number of validation images, and of test images.

    Returns:
        x uint8 (n, 28, 28, 1), y int32 (n,), 10 classes.

    Raises:
        InputError: the files are not found, truncated or altered.
    """
    folder = find(MNIST, directory)
    return of_ten_kinds(
        "mnist",
        read_part(folder, "train"),
        HELD_OUT,
        read_part(folder, "t10k"),
        limit=limit,
        validation_limit=validation_limit,
        source=str(folder),
    )


def read_part(folder: Path, part: str) -> Examples:
    """Images, uint8 (n, 28, 28, 1), and digits, int32 (n,), of `part`: "train" or "t10k".

    Raises:
        InputError: a file cannot be read, or is truncated or altered.
    """
    images, labels = (
        read_idx(read_verified_bytes(folder, file), folder / file.name)
        for file in MNIST.files
        if file.name.startswith(part)
    )
    return images[..., None], labels.astype(np.int32)


def read_flat(folder: Path, part: str) -> Examples:
    """The same for a linear model: x float32 (n, 784) in [0, 1], y float64 (n,)."""
    images, labels = read_part(folder, part)
    return images.reshape(len(images), -1) / np.float32(255), labels.astype(np.float64)


def read_idx(compressed: bytes, path: Path) -> np.ndarray:
    """The array in a file of LeCun's idx format: 0, 0, 8, dimensions, sizes, unsigned bytes.

    Args:
        compressed: the gzip-compressed content of the file.
        path: the name of the file in an error.

    Raises:
        InputError: it is not such a file.
    """
    try:
        content = gzip.decompress(compressed)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: no gzip file ({error}); replace it by a copy") from error
    dimensions = content[3] if content[:3] == bytes((0, 0, 8)) and len(content) > 3 else 0
    start = 4 + 4 * dimensions
    shape = np.frombuffer(content[4:start], ">u4").tolist() if len(content) >= start else ()
    if not dimensions or len(content) != start + math.prod(shape):
        raise InputError(
            f"{path}: no idx file of unsigned bytes whose sizes agree with its length; replace it "
            "by a copy"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
