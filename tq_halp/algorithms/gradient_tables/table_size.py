"""How many bytes a gradient table takes, and whether there is room for them."""

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tensorflow as tf

from tq_halp.available_memory import available_memory
from tq_halp.errors import InputError

# What the gradient of a step, the model and the data may need beside a table.
_SHARE = 0.9


@dataclass(frozen=True)
class TableSize:
    """The size of a table of n minibatches.

    Args:
        count: n.
        shapes: the shape of a minibatch's entry, for each variable.
        dtypes: in which their numbers are kept, for each variable.
    """

    count: int
    shapes: Sequence[tuple[int, ...]]
    dtypes: Sequence[str]

    @property
    def bytes(self) -> int:
        """Bytes of all entries."""
        each = zip(self.shapes, self.dtypes, strict=True)
        return self.count * sum(math.prod(shape) * tf.as_dtype(dtype).size for shape, dtype in each)

    def __str__(self) -> str:
        numbers = sum(map(math.prod, self.shapes))
        return f"{shown(self.bytes)}: {self.count} minibatches of {numbers:,} numbers"


def shown(size: int) -> str:
    """A number of bytes in words."""
    power = min(4, int(math.log(size, 1000))) if size else 0
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def check_fits(size: TableSize, folder: str | None) -> None:
    """Raises InputError if there is less memory, or less room on the disk, than a table needs.

    Args:
        size: of the table.
        folder: where its files will be; None for memory.
    """
    if folder is None:
        room, where = available_memory(), "memory"
    else:
        room, where = _free_on_disk(folder), f"room in {folder}"
    if room is None or size.bytes <= _SHARE * room:
        return
    ways = []
    packed = replace(size, dtypes=["int8"] * len(size.dtypes)).bytes
    if packed < size.bytes and packed <= _SHARE * room:
        ways.append(f"table_format=8 with table_packed=True ({shown(packed)})")
    if folder is None:
        ways.append("table_folder, to keep it on a disk")
    larger = math.ceil(size.bytes / (_SHARE * max(room, 1)))
    ways.append(f"a batch_size {larger} times as large")
    raise InputError(
        f"the gradient table needs {size}, and there are {shown(room)} of {where}; use "
        f"{', or '.join(ways)}"
    )


def _free_on_disk(folder: str) -> int | None:
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free if os.access(place, os.W_OK) else None
