"""Keys that several algorithms have: where the weights may be, snapshots, the correction."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tq_halp import formats
from tq_halp.config import value_types
from tq_halp.config.section import Named
from tq_halp.config.value_types import (
    Coefficient,
    NotNegative,
    Positive,
    Rounding,
    format_or_none,
    in_range,
    interval,
)

# Any number format, in place of word_bits and frac_bits.
Format = Annotated[Any, BeforeValidator(format_or_none)]
# A number of bits, or any number format.
TableFormat = Annotated[Any, BeforeValidator(value_types.bits_or_format)]


class OnGrid(Named):
    """Weights in a number format."""

    word_bits: Annotated[int, in_range("fixed_point", "word_bits")] = 8
    frac_bits: Annotated[int, in_range("fixed_point", "frac_bits")] = 6
    format: Format = None
    # None where the format leaves nothing to round.
    rounding: Rounding | None = "stochastic"
    error_feedback: Annotated[str | int | None, BeforeValidator(value_types.error_feedback)] = None

    @property
    def numbers(self) -> str:
        """The number format in words."""
        return _numbers(self)


class Averaged(OnGrid):
    """Weights in a number format, and their average."""

    average_after: NotNegative = 0
    average_every: Positive = 1


class BitCentered(Named):
    """Offsets from a center in a number format."""

    word_bits: Annotated[int, in_range("offset", "word_bits")] = 8
    format: Format = None
    mu: Annotated[str | float, BeforeValidator(value_types.mu)] = "auto"
    scale: Literal["per_tensor", "per_channel", "global"] = "per_tensor"
    rounding: Rounding | None = "stochastic"

    @property
    def numbers(self) -> str:
        """The number format in words."""
        return _numbers(self)


class Snapshots(Named):
    """When the weights become the center."""

    snapshot_every: Annotated[str | int | float, BeforeValidator(interval)] = "epoch"
    # None: the algorithm's own default.
    snapshot_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    iterate: Literal["last", "random"] = "last"


class Recentering(Named):
    """When the weights become the center, where that takes no pass over the data."""

    snapshot_every: Annotated[str | int | float, BeforeValidator(interval)] = "epoch"
    iterate: Literal["last", "random"] = "last"


class Table(Named):
    """A table of gradients, under the names that a named algorithm has for its arguments."""

    table: Literal["epoch", "step"] = "epoch"
    coefficient: Coefficient = 1.0
    table_format: TableFormat = None
    draws: Literal["locked", "fresh"] = "locked"
    table_packed: bool = False
    table_folder: str | None = None


class Correction(Named):
    """How the gradient is corrected at the center."""

    coefficient: Coefficient = 1.0
    start_after: NotNegative = 0
    draws: Literal["locked", "fresh"] = "locked"
    variance_ratio: bool = True


def _numbers(part: OnGrid | BitCentered) -> str:
    return f"{part.word_bits} bits" if part.format is None else str(formats.get(part.format))
