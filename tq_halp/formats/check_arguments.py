"""Checks of arguments. Each error names the argument, the value received and the valid ones."""

import difflib
import sys
from collections.abc import Iterable
from typing import Any

from quant_ops import format_facts
from tq_halp.errors import InputError


def unknown(what: str, received: Any, valid: Iterable[str]) -> InputError:
    """An error for a name that is not in `valid`. It suggests the most similar valid name."""
    valid = list(valid)
    message = f"unknown {what} {received!r}, valid: {', '.join(valid)}"
    near = difflib.get_close_matches(str(received), valid, n=1)
    return InputError(message + (f"; did you mean {near[0]!r}?" if near else ""))


def check_choice(name: str, value: Any, valid: Iterable[str]) -> None:
    """Checks that `value` is one of `valid`, or raises InputError."""
    if value not in valid:
        raise unknown(name, value, valid)


def check_parameter(format: str, name: str, value: Any) -> None:
    """The range is that of `quant_ops.format_facts`."""
    check_integer(name, value, *format_facts.RANGES[format][name])


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Checks that `value` is an integer, low <= value <= high, or raises InputError."""
    try:
        format_facts.check_integer(name, value, low, high)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not isinstance(value, int):  # YAML cannot hold NumPy's
        raise InputError(f"{name} must be an int. Received: {value!r}; write {int(value)}")


def check_boolean(name: str, value: Any) -> None:
    """Checks that `value` is True or False, or raises InputError."""
    if not isinstance(value, bool):
        raise InputError(f"{name} must be true or false. Received: {value!r}")


def finite(name: str, value: Any, *, or_zero: bool) -> float:
    """`value` as a float, if it is finite and greater than 0 (with `or_zero`: at least 0).

    Raises:
        InputError: it is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 < value <= sys.float_info.max or (or_zero and value == 0)):
        least = "0 or greater" if or_zero else "greater than 0"
        raise InputError(f"{name} must be a finite number, {least}. Received: {value!r}")
    return float(value)
