"""Checks of what a user wrote: each error names the argument, what came and what is valid."""

import difflib
import sys
from collections.abc import Iterable
from typing import Any

from tq_halp.errors import InputError


def unknown(what: str, received: Any, valid: Iterable[str]) -> InputError:
    """The error for a name that is none of `valid`, with the nearest one as a suggestion."""
    valid = list(valid)
    message = f"unknown {what} {received!r}, valid: {', '.join(valid)}"
    near = difflib.get_close_matches(str(received), valid, n=1)
    return InputError(message + (f"; did you mean {near[0]!r}?" if near else ""))


def check_choice(name: str, value: Any, valid: Iterable[str]) -> None:
    if value not in valid:
        raise unknown(name, value, valid)


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    # bool is an int to Python, and "word_bits: yes" is a mistake to everyone else.
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be an integer from {low} to {high}. Received: {value!r}")


def check_boolean(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false. Received: {value!r}")


def finite(name: str, value: Any, *, or_zero: bool) -> float:
    """`value` as a float; it must be finite and greater than 0 (`or_zero`: at least 0)."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 < value <= sys.float_info.max or (or_zero and value == 0)):
        least = "0 or greater" if or_zero else "greater than 0"
        raise InputError(f"{name} must be a finite number, {least}. Received: {value!r}")
    return float(value)
