"""Parser of LIBSVM's text format: a line per sample, with its label and index:value pairs.

A # begins a comment. Lines end with LF, CR LF or CR; words are separated by spaces, tabs, vertical
tabs and form feeds, the white space of ASCII. Any other character is part of a word, in a comment
too.
"""

import re
from pathlib import Path

import numpy as np

from tq_halp.errors import InputError

#: Largest number of elements of the dense float32 array: 4 GiB.
MOST = 2**30

_LINE_END = re.compile(r"\r\n|\r|\n")
_REMEMBERED = 4096  # so many distinct values are parsed once: most files have few
_SEPARATORS = re.compile(r"[\x1c-\x1f]")
_WORD = re.compile(r"[^ \t\v\f]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")
# In float32, numbers from the first on round to infinity, up to the second to 0.
_TOO_LARGE, _TOO_SMALL = (2 - 2.0**-24) * 2.0**127, 2.0**-150
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\3\4": "zip"}


def decode(content: bytes, path: Path | str) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Bytes that are not UTF-8 become U+FFFD, which is valid in comments only.

    Raises:
        InputError: the content is compressed, or is UTF-16.
    """
    for start, program in _PACKED.items():
        if content.startswith(start):
            raise InputError(f"{path}: is compressed by {program}, expected text; unpack it first")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: is UTF-16, expected ASCII or UTF-8; convert it first")
    return content.decode("utf-8-sig", "replace")


def parse(text: str, path: Path | str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The labels, and the row (from 0), index (from 1) and value of every entry.

    Blank lines and comments are skipped.

    Args:
        text: of the file.
        path: the name of the file in an error.

    Returns:
        (labels float64 [samples], rows int64, indices int64, values float32 [entries]).

    Raises:
        InputError: a label or value is no decimal number that float32 holds, an index is no whole
            number from 1 in ascending order, or there is no sample. The message has the line's
            number.
    """
    labels: list[float] = []
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    known: dict[str, float] = {}
    # Without other white space, str.split finds the same words, and is faster.
    words = str.split if text.isascii() and not _SEPARATORS.search(text) else _WORD.findall
    for number, line in enumerate(_LINE_END.split(text), start=1):
        label, *entries = words(line.partition("#")[0]) or [None]
        if label is None:
            continue
        last, where = 0, f"{path}:{number}"
        for entry in entries:
            index, _, value = entry.partition(":")
            last = _index(index, entry, last, where)
            rows.append(len(labels))
            columns.append(last)
            read = known.get(value)
            if read is None:
                read = _number(value, f"the value of index {last}", where)
                if len(known) < _REMEMBERED:
                    known[value] = read
            values.append(read)
        labels.append(_number(label, "the label", where))
    if not labels:
        raise InputError(f"{path}: no sample in it, expected lines such as '+1 1:0.5 7:1'")
    return (
        np.array(labels),
        np.array(rows, np.int64),
        np.array(columns, np.int64),
        np.array(values, np.float32),
    )


def _index(word: str, entry: str, last: int, where: str) -> int:
    """The index of an entry, which must be above `last`."""
    is_whole = word.isascii() and word.isdecimal()
    digits = (word.lstrip("0") or "0") if is_whole else "0"
    if len(digits) <= 10 and last < (index := int(digits)) <= MOST:
        return index
    if len(digits) > 10 or int(digits) > MOST:
        raise InputError(f"{where}: an index must be at most {MOST:,}. Received: {entry[:40]!r}")
    raise InputError(
        f"{where}: must be index:value with an index above {last}. Received: {entry[:40]!r}"
    )


def _number(word: str, what: str, where: str) -> float:
    """The decimal number. Python accepts more: 1_000, nan, digits of any script."""
    if not (word.isascii() and _DECIMAL.fullmatch(word)):
        raise InputError(f"{where}: {what} is {word[:40]!r}, expected a finite number")
    number = float(word)
    size = abs(number)
    if size >= _TOO_LARGE or (size <= _TOO_SMALL and _NOT_ZERO.match(word)):
        raise InputError(
            f"{where}: {what} is {word[:40]!r}, expected 0 or a number that float32 holds, "
            "from 1.4e-45 to 3.4e+38"
        )
    return number
