"""Checks of single arguments; each raises InputError."""

from collections.abc import Sequence
from typing import Any

from tq_halp.errors import InputError


def check_one_of(name: str, value: Any, valid: Sequence[Any]) -> None:
    """Raises InputError unless the argument ``name`` has one of the ``valid`` values."""
    if not any(type(value) is type(each) and value == each for each in valid):
        *others, last = map(repr, valid)
        raise InputError(f"{name} must be {', '.join(others)} or {last}. Received: {value!r}")
