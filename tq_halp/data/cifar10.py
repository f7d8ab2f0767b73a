"""CIFAR-10: colour images of ten classes, 32 x 32 (Krizhevsky, 2009), in its binary version."""

import hashlib
import os
from pathlib import Path

import numpy as np

from tq_halp.data.dataset import Dataset, Examples, of_ten_kinds
from tq_halp.data.files import KnownFile, KnownSet, read_verified_bytes
from tq_halp.data.locate import find
from tq_halp.errors import InputError

#: The last so many training images are for validation.
HELD_OUT = 5000
#: The file in which a copy lists the numbers of test images that differ from the original's.
LOSSY = "test_batch.lossy_indices.txt"

_SIDE, _CHANNELS = 32, 3
_PIXELS = _CHANNELS * _SIDE * _SIDE
_FILE_SIZE = 10_000 * (1 + _PIXELS)


def _train(number: int, sha256: str) -> KnownFile:
    return KnownFile(f"data_batch_{number}.bin", _FILE_SIZE, sha256)


CIFAR10 = KnownSet(
    name="cifar10",
    folders=("cifar10", "cifar-10-batches-bin"),
    files=(
        _train(1, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        _train(2, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        _train(3, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        _train(4, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        _train(5, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        KnownFile(
            "test_batch.bin",
            _FILE_SIZE,
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            # A repaired copy: 20 of its images were decoded from JPEG.
            copies=("123ca0dad8f960344d9149742165d4215093c84c8c4bdc5922af93b614bdb501",),
        ),
    ),
    archive=KnownFile(
        "cifar-10-binary.tar.gz",
        170052171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    ),
)


def load_cifar10(
    directory: str | os.PathLike | None = None,
    *,
    limit: int | None = None,
    validation_limit: int | None = None,
) -> Dataset:
    """45,000 images for training, 5,000 for validation, 10,000 for the test.

    Args:
        directory: folder of the files; None searches (see `locate`).
        limit: maximum number of training images.
        validation_limit: maximum number of validation images, and of test images.

    Returns:
        x uint8 (n, 32, 32, 3), y int32 (n,), 10 classes. If a copy has test images that differ from
        the original's, those are left out, and `source` says so.

    Raises:
        InputError: the files are not found, truncated or altered.
    """
    folder = find(CIFAR10, directory)
    parts = [
        read_batch(read_verified_bytes(folder, f), folder / f.name) for f in CIFAR10.files[:-1]
    ]
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    test, left_out = _read_test(folder)
    said = f", without {left_out} test images that are no original ones" if left_out else ""
    return of_ten_kinds(
        "cifar10",
        (images, labels),
        HELD_OUT,
        test,
        limit=limit,
        validation_limit=validation_limit,
        source=f"{folder}{said}",
    )


def read_batch(content: bytes, path: Path) -> Examples:
    """Images, uint8 (n, 32, 32, 3), and labels, int32 (n,), in a file of the binary version.

    A record is a label and three planes, red, green and blue, each row by row: 1 + 3 · 32 · 32
    bytes.

    Args:
        content: of the file.
        path: the name of the file in an error.

    Raises:
        InputError: the file does not consist of such records, or a label is above 9.
    """
    if not content or len(content) % (1 + _PIXELS):
        raise InputError(
            f"{path}: {len(content):,} bytes are no number of records of {1 + _PIXELS:,} bytes; "
            "replace it by a complete copy"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _PIXELS)
    labels = records[:, 0].astype(np.int32)
    if labels.max() > 9:
        record = int(np.argmax(labels > 9))
        raise InputError(
            f"{path}: record {record} has the label {labels[record]}, expected 0 to 9; replace it "
            "by a copy"
        )
    planes = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels


def _read_test(folder: Path) -> tuple[Examples, int]:
    """The test images that are the original's, and the number of others."""
    file = CIFAR10.files[-1]
    content = read_verified_bytes(folder, file)
    x, y = read_batch(content, folder / file.name)
    if hashlib.sha256(content).hexdigest() == file.sha256:
        return (x, y), 0
    lossy = read_lossy(folder / LOSSY, len(x))
    return (np.delete(x, lossy, axis=0), np.delete(y, lossy)), len(lossy)


def read_lossy(path: Path, count: int) -> list[int]:
    """The distinct numbers from 0 to count − 1 in a text file, one per line.

    Raises:
        InputError: the file cannot be read or holds anything else.
    """
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: this copy of test_batch.bin needs it, to tell which images are no original "
            f"ones, and it cannot be read ({error}); take the original instead"
        ) from error
    are_numbers = all(word.isdecimal() and len(word) < 10 for word in words)
    numbers = sorted(set(map(int, words))) if are_numbers else []
    if not numbers or numbers[-1] >= count:
        raise InputError(f"{path}: expected numbers from 0 to {count - 1}, one a line")
    return numbers
