"""Checks of Python arguments: each error names the argument, what is valid, what was received.

They raise ValueError, not `tq_halp.InputError`: quant_ops knows nothing of tq_halp.
"""

from typing import Any

import numpy as np

from quant_ops import format_facts


def integer(value: Any, name: str, low: int, high: int) -> int:
    """`value` as a Python integer.

    Raises:
        ValueError: it is no integer (a bool is none), or outside [low, high].
    """
    format_facts.check_integer(name, value, low, high)
    return int(value)


def parameter(value: Any, name: str, format: str) -> int:
    """An integer within the range that `facts.RANGES` has for a parameter of a format."""
    format_facts.check_in_range(format, name, value)
    return int(value)


def boolean(value: Any, name: str) -> bool:
    """`value` as a Python bool.

    Raises:
        ValueError: it is not a bool.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False. Received: {value!r}")
    return bool(value)


def choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """`value` itself.

    Raises:
        ValueError: it is not among `choices`.
    """
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}")
    return value
