"""The format of a checkpoint file: JSON and arrays, with a checksum.

"tq_halp checkpoint 1\\n"    the length of what follows, 8 bytes, little-endian
{"contents": ..., "arrays": [[dtype, shape], ...]}          JSON
the arrays' bytes, one after the other, in C order          SHA-256 of all before, 32 bytes
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from tq_halp.atomic_files import replacing

_MAGIC = b"tq_halp checkpoint 1\n"
_LENGTH, _DIGEST = 8, 32


class DamagedError(Exception):
    """The file is not what was written."""


def write(path: Path, contents: Mapping, arrays: Sequence[Callable[[], np.ndarray]]) -> None:
    """Writes `path` in one step, with one array in memory at a time.

    Args:
        contents: values that JSON can hold; NaN and infinities too.
        arrays: functions that return one array each; called twice, for shape and values.
    """
    specs = [(array.dtype.name, array.shape) for array in (give() for give in arrays)]
    header = json.dumps({"contents": contents, "arrays": specs}).encode()
    digest = hashlib.sha256()
    with replacing(path) as temporary, open(temporary, "wb") as file:

        def put(data: bytes | np.ndarray) -> None:
            digest.update(data)
            file.write(data)

        put(_MAGIC + len(header).to_bytes(_LENGTH, "little") + header)
        for give in arrays:
            put(np.ascontiguousarray(give()).reshape(-1).view(np.uint8))
        file.write(digest.digest())


def read(path: Path) -> tuple[dict, list[np.ndarray]]:
    """The contents and the arrays of a file.

    Raises:
        DamagedError: the file is cut short, altered or missing, or cannot be read.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise DamagedError(f"cannot be read: {error.strerror}") from error
    if data[: len(_MAGIC)] != _MAGIC:
        raise DamagedError("is no checkpoint, or one of another version")
    if hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise DamagedError("is damaged: its checksum is wrong")
    start = len(_MAGIC) + _LENGTH
    end = start + int.from_bytes(data[len(_MAGIC) : start], "little")
    header, arrays = json.loads(bytes(data[start:end])), []
    for dtype, shape in header["arrays"]:
        count = math.prod(shape)
        arrays.append(np.frombuffer(data, np.dtype(dtype), count, end).reshape(shape))
        end += arrays[-1].nbytes
    return header["contents"], arrays
