"""`Row`, the statistics of one tensor, and its cells in a table."""

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """The statistics of one tensor. Shares are of its finite elements: see `Tally`."""

    layer: str  # path, "outer/inner/lstm_1"
    class_name: str
    role: str  # "weights", "activations", ...: a key of quantization maps
    tensor: str  # "kernel", "input_gate", "output", ...
    format: str  # and rounding; "float": not quantized
    count: int  # finite elements, summed over batches and time steps
    nonfinite: int  # NaN and infinities
    min: float | None  # None: the tensor is empty
    max: float | None
    max_abs: float | None
    saturation: float | None  # share outside the format's limits; None: no limits
    underflow: float | None  # share of x ≠ 0 that became 0; None in floating point
    sqnr_db: float | None  # None in floating point, and where x = 0
    limits: tuple[float, float] | None  # the format's smallest and largest number
    step: float | None  # of a fixed-point format
    frac_bits: int | None  # in use, of a fixed-point format
    word_bits: int  # word length of the suggestion
    suggested_frac_bits: int | None  # with the largest signal-to-noise ratio; None if x = 0
    suggested_sqnr_db: float | None  # with the suggested fraction length, rounded to nearest
    covering_frac_bits: int | None  # the largest that saturates nothing
    histogram_edges: tuple[float, ...]  # 129, ascending
    histogram_counts: tuple[int, ...]  # 128
    magnitudes: dict[int, int]  # {e: number of x with floor(log2|x|) = e}; without zeros

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
    """The cell "role: tensor"."""
    return f"{row.role}: {row.tensor}"


def cells(row: Row) -> list[str]:
    """The cells of a row under `HEADINGS`; "-" where there is no number."""
    return [
        *(_number(value) for value in (row.min, row.max, row.max_abs)),
        *(_share(value) for value in (row.saturation, row.underflow)),
        _decibels(row.sqnr_db),
        suggestion_of(row),
        _decibels(row.suggested_sqnr_db),
    ]


def suggestion_of(row: Row) -> str:
    """The cell "6 at 8 bits", with the fraction length that covers the range, if it differs."""
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
