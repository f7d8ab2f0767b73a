"""Valid values for the arguments of Keras' optimizers and schedules.

Keras accepts nearly any value. A negative bound has no effect; a decay above 1 or a NaN fails only
in a later step.
"""

import itertools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tq_halp.config.value_types import MOST, is_number

#: In place of a number of steps: those of the whole training.
ALL = "all"


@dataclass(frozen=True)
class _Range:
    """Valid values, as a rule and in words, of the arguments whose names match `names`."""

    names: str
    accepts: Callable[[Any], bool]
    valid: str


def _finite(value: Any) -> bool:
    return is_number(value) and -sys.float_info.max <= value <= sys.float_info.max


def _whole(value: Any, low: int) -> bool:
    return is_number(value) and isinstance(value, int) and low <= value <= MOST


def _above_zero(value: Any) -> bool:
    return _finite(value) and value > 0


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(_finite(each) and each >= 0 for each in value)


def _ascending(value: Any) -> bool:
    return _numbers(value) and all(low < high for low, high in itertools.pairwise(value))


_RANGES = (
    _Range(
        "(global_)?clipnorm|clipvalue|clip_threshold|loss_scale_factor|first_decay_steps|t_mul",
        _above_zero,
        "a finite number above 0",
    ),
    _Range(
        "decay_steps",
        lambda value: value == ALL or _above_zero(value),
        f"a finite number above 0, or {ALL}, the steps of the whole training",
    ),
    _Range(
        r"(.*_)?beta_\d|rho",
        lambda value: _finite(value) and 0 <= value < 1,
        "a number from 0 to 1, 1 itself left out",
    ),
    _Range(
        "momentum|ema_momentum",
        lambda value: _finite(value) and 0 <= value <= 1,
        "a number from 0 to 1",
    ),
    _Range(
        r"(.*_)?weight_decay|epsilon(_\d)?|beta|initial_accumulator_value|"
        r".*regularization_strength|alpha|.*learning_rate|warmup_target|decay_rate|power|m_mul",
        lambda value: _finite(value) and value >= 0,
        "a finite number, 0 or above",
    ),
    _Range(
        "gradient_accumulation_steps",
        lambda value: _whole(value, 2),
        f"a whole number from 2 to {MOST}; without it, every step counts",
    ),
    _Range(
        "ema_overwrite_frequency|ns_steps",
        lambda value: _whole(value, 1),
        f"a whole number from 1 to {MOST}",
    ),
    _Range("warmup_steps", lambda value: _whole(value, 0), f"a whole number from 0 to {MOST}"),
    _Range("boundaries", _ascending, "numbers of steps, each above the one before"),
    _Range("values", _numbers, "a list of finite numbers, 0 or above"),
)


def valid_values(name: str, default: Any, value: Any) -> str | None:
    """What would be valid for an argument; None if `value` is.

    Args:
        name: of the argument.
        default: of the argument; it tells the type if the name is not known here.
        value: the one that is given.
    """
    if value is None and default is None:
        return None
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "true or false"
    found = next((each for each in _RANGES if re.fullmatch(each.names, name)), None)
    if found is not None:
        return None if found.accepts(value) else found.valid
    if isinstance(default, (int, float)):
        return None if _finite(value) else "a finite number"
    # None, or no default: numbers and lists in Keras' optimizers and schedules.
    is_word = isinstance(value, str) and not isinstance(default, str)
    return "a number, or what Keras documents" if is_word else None
