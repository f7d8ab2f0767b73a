"""What the values in a config may be, with words for what they should have been."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from quant_ops import format_facts
from tq_halp import formats
from tq_halp.config.section import Section

#: The largest count: what a C int holds.
MOST = 2**31 - 1
#: Layers, or blocks, of a model: each draws from seeds of its own, of which there are a thousand.
DEEPEST = 300
#: Numbers of a generated data set, 2 GiB of them.
MOST_NUMBERS = 2**28
Positive = Annotated[int, Field(ge=1, le=MOST)]
NotNegative = Annotated[int, Field(ge=0, le=MOST)]
NotNegativeFloat = Annotated[float, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
if TYPE_CHECKING:
    Rounding = str
else:
    Rounding = Literal[format_facts.ROUNDINGS]


def is_number(value: Any) -> bool:
    """Whether it is an int or a float; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_positive(value: Any) -> bool:
    """Whether it is a finite number above 0."""
    return is_number(value) and 0 < value < float("inf")


def is_coefficient(value: Any) -> bool:
    """Whether it is "estimated" or a number from 0 to 1."""
    return value == "estimated" or is_number(value) and 0 <= value <= 1


def mu(value: Any) -> str | float:
    """A validator: "auto", "displacement", or a positive number as float."""
    if value in ("auto", "displacement"):
        return value
    if not is_positive(value):
        raise ValueError("expected 'displacement', 'auto' or a number greater than 0")
    return float(value)


def interval(value: Any) -> str | int | float:
    """A validator: "epoch", a number of steps, or the probability of a snapshot after a step."""
    is_count = isinstance(value, int) and value <= MOST
    is_count_or_probability = is_positive(value) and (value < 1 or is_count)
    if value == "epoch" or is_count_or_probability:
        return value
    raise ValueError(
        f"expected 'epoch', a number of steps from 1 to {MOST}, or a probability below 1"
    )


def error_feedback(value: Any) -> str | int | None:
    """A validator: None, "exact", "momentum", or a residual's number of bits."""
    low, high = format_facts.RANGES["residual"]["word_bits"]
    is_bits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    if value in (None, "exact", "momentum") or is_bits:
        return value
    raise ValueError(f"expected null, 'exact', 'momentum' or a whole number from {low} to {high}")


def format_or_none(value: Any) -> Any:
    """A validator: None, or what ``formats.get`` takes."""
    if value is not None:
        formats.get(value)
    return value


def bits_or_format(value: Any) -> Any:
    """A validator: None, a number of bits, or what ``formats.get`` takes."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return formats.ScaledInteger(value).word_bits if is_number else format_or_none(value)


def from_to(low: int, high: int) -> AfterValidator:
    """A validator: a whole number from `low` to `high`."""

    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return value

    return AfterValidator(check)


def in_range(format: str, name: str) -> AfterValidator:
    """A validator: what a parameter of a number format may be."""
    return from_to(*format_facts.RANGES[format][name])


def stages(value: list[int]) -> list[int]:
    """A validator: the numbers of blocks in one to five stages."""
    if not 1 <= len(value) <= 5:
        raise ValueError("expected one to five numbers, one for each stage")
    if sum(value) > DEEPEST:
        raise ValueError(f"expected at most {DEEPEST} blocks in all")
    return value


def path_or_mapping(value: Any) -> str | dict | None:
    """A validator: the path of a map file, a map, or None."""
    if not (value is None or isinstance(value, (str, dict))):
        raise ValueError("expected the path of a map file, a map itself or null")
    return value


class KerasObject(Section):
    """A class of Keras by its name, and the arguments of its constructor."""

    class_name: str
    config: dict[str, Any] = {}


class Schedule(KerasObject):
    """A Keras learning-rate schedule."""


def loss(value: Any) -> str | KerasObject | None:
    """A validator: a Keras loss by its name, or by its class and configuration; or None."""
    if isinstance(value, dict):
        return KerasObject(**value)
    if not (value is None or isinstance(value, (str, KerasObject))):
        raise ValueError("expected the name of a Keras loss or {class_name: ..., config: {...}}")
    return value


Loss = Annotated[str | KerasObject | None, BeforeValidator(loss)]


def _or_schedule(accepts: Callable[[Any], bool], valid: str) -> BeforeValidator:
    """A validator: what `accepts` takes (described by `valid`), a number as float; a schedule."""

    def check(value: Any) -> Any:
        if isinstance(value, dict):
            return Schedule(**value)
        if not (isinstance(value, Schedule) or accepts(value)):
            raise ValueError(f"expected {valid} or {{class_name: ..., config: {{...}}}}")
        return float(value) if isinstance(value, int) else value

    return BeforeValidator(check)


Rate = Annotated[float | Schedule, _or_schedule(is_positive, "a number greater than 0")]
Coefficient = Annotated[
    float | Literal["estimated"] | Schedule,
    _or_schedule(is_coefficient, "a number from 0 to 1, 'estimated'"),
]
