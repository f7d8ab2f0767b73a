"""Types of the benchmarks' options, and options that several benchmarks have.

Each type raises argparse.ArgumentTypeError for text that is not valid; argparse prints its errors
in one line and exits with 2.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from tq_halp.settings_with_origins import suggestion

UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20}


def at_least_one(text: str) -> int:
    """An integer of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of at least 1. Received: {text!r}")
    return number


def counts(text: str) -> tuple[int, ...]:
    """Integers of at least 1, separated by commas; repeated ones once."""
    return tuple(dict.fromkeys(map(at_least_one, text.split(","))))


def product(text: str) -> tuple[int, int, int]:
    """The sizes M,K,N of a matrix product."""
    sizes = tuple(map(at_least_one, text.split(",")))
    if len(sizes) != 3:
        raise argparse.ArgumentTypeError(f"must be three sizes M,K,N. Received: {text!r}")
    return sizes


def part(text: str) -> float:
    """A number above 0 and at most 1."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 1. Received: {text!r}")
    return number


def listed(choices: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """The type of words from `choices`, separated by commas; repeated ones once."""

    def parse(text: str) -> tuple[str, ...]:
        words = tuple(text.split(","))
        for word in words:
            if word not in choices:
                hint = suggestion(word, choices)
                raise argparse.ArgumentTypeError(f"must be known names. Received: {word!r}{hint}")
        return tuple(dict.fromkeys(words))

    return parse


def sizes(multiple: int) -> Callable[[str], tuple[int, ...]]:
    """The type of numbers of elements such as 16Mi, 64Ki or 4096, separated by commas.

    Args:
        multiple: each must be a multiple of this.
    """

    def parse(text: str) -> tuple[int, ...]:
        return tuple(dict.fromkeys(_size(word, multiple) for word in text.split(",")))

    return parse


def _size(word: str, multiple: int) -> int:
    found = re.fullmatch(r"(\d+)(|Ki|Mi)", word)
    size = int(found[1]) * UNITS[found[2]] if found else 0
    if size < 1 or size % multiple:
        raise argparse.ArgumentTypeError(
            f"a size must be a multiple of {multiple}, such as 16Mi or 64Ki. Received: {word!r}"
        )
    return size


def size_text(size: int) -> str:
    """A number of elements as a table shows it: 16 Mi."""
    unit = next(unit for unit in reversed(UNITS) if size % UNITS[unit] == 0)
    return f"{size // UNITS[unit]} {unit}".strip()


def new_file(text: str) -> Path:
    """The path of a file to write, in a folder that exists."""
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(
            f"must be a file in a folder that exists. Received: {text!r}"
        )
    return path


def add_csv(parser: argparse.ArgumentParser) -> None:
    """Adds --csv, the file for the figures."""
    text = "also write the figures to a CSV file"
    parser.add_argument("--csv", type=new_file, metavar="FILE", help=text)


def add_turns(parser: argparse.ArgumentParser, default: int) -> None:
    """Adds --repeats, the number of timed turns, and --no-composite, of a benchmark of ops."""
    text = "number of timed turns; more are added until the times settle (%(default)s)"
    parser.add_argument("--repeats", type=at_least_one, default=default, metavar="N", help=text)
    text = "leave out the composite backend, which is slow"
    parser.add_argument("--no-composite", action="store_true", help=text)
