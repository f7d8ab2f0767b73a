"""What is found of one tensor, as data and as the cells of a table."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """What was found of one tensor. Shares are of its finite elements; see `Tally`."""

    layer: str  # path, "outer/inner/lstm_1"
    class_name: str
    role: str  # "weights", "activations", ...: a key of quantization maps
    tensor: str  # "kernel", "input_gate", "output", ...
    format: str  # and rounding; "float" where nothing is quantized
    count: int  # finite elements, summed over batches and time steps
    nonfinite: int  # NaN and infinities
    min: float | None  # None of an empty tensor
    max: float | None
    max_abs: float | None
    saturation: float | None  # outside the format's limits; None where there are none
    underflow: float | None  # x ≠ 0 that became 0; None in floating point
    sqnr_db: float | None  # None in floating point, and where x = 0
    limits: tuple[float, float] | None  # the format's smallest and largest number
    step: float | None  # of a fixed-point format
    frac_bits: int | None  # in use, of a fixed-point format
    word_bits: int  # of the suggestions
    suggested_frac_bits: int | None  # of the largest signal-to-noise ratio; None where x = 0
    suggested_sqnr_db: float | None  # to nearest, with the suggested fraction length
    covering_frac_bits: int | None  # the largest without saturation
    histogram_edges: tuple[float, ...]  # 129, ascending
    histogram_counts: tuple[int, ...]  # 128
    magnitudes: dict[int, int]  # {e: number with floor(log2|x|) = e}; zeros are none of these

    def to_dict(self) -> dict[str, Any]:
        """Plain data; histograms as lists."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(self).items()
        }


HEADINGS = (
    "min",
    "max",
    "max|x|",
    "saturated",
    "to zero",
    "SQNR",
    "suggested frac_bits",
    "its SQNR",
)


def tensor_of(row: Row) -> str:
    """The role, and the tensor where the role does not say all."""
    return f"{row.role}: {row.tensor}"


def cells(row: Row) -> list[str]:
    """The numbers of a row under `HEADINGS`, "-" for what there is not."""
    return [
        *(_number(value) for value in (row.min, row.max, row.max_abs)),
        *(_share(value) for value in (row.saturation, row.underflow)),
        _decibels(row.sqnr_db),
        suggestion_of(row),
        _decibels(row.suggested_sqnr_db),
    ]


def suggestion_of(row: Row) -> str:
    """ "6 at 8 bits", and what covers the range where that is another."""
    if row.suggested_frac_bits is None:
        return "-"
    covers = row.covering_frac_bits != row.suggested_frac_bits
    rest = f" (range: {row.covering_frac_bits})" if covers else ""
    return f"{row.suggested_frac_bits} at {row.word_bits} bits{rest}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _share(value: float | None) -> str:
    if value is None:
        return "-"
    percent = 100 * value
    return "0 %" if value == 0 else "<0.01 %" if percent < 0.01 else f"{percent:.2f} %"


def _decibels(value: float | None) -> str:
    if value is None:
        return "-"
    return "exact" if value == math.inf else f"{value:.1f} dB"
