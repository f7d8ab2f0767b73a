"""The report: one row per tensor, as a table, as data, and as a page."""

import dataclasses
import io
import math
import os
from typing import Any

from rich.console import Console
from rich.table import Table


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


@dataclasses.dataclass(frozen=True)
class Report:
    """What `tq_halp.report` returns; `print(report)` shows a table."""

    model: str  # name
    batches: int
    samples: int
    rows: tuple[Row, ...]  # in the order in which a training step computes them, by layer
    notes: tuple[str, ...]  # what is left out, and why

    def to_dict(self) -> dict[str, Any]:
        """Plain data: numbers, strings, lists and dicts, infinities among the numbers."""
        own = {key: getattr(self, key) for key in ("model", "batches", "samples")}
        return {**own, "rows": [row.to_dict() for row in self.rows], "notes": list(self.notes)}

    def save_html(self, path: str | os.PathLike) -> None:
        """Writes one HTML page that needs no other file, no network and no script.

        Raises:
            InputError: it cannot be written there.
        """
        from tq_halp.report.page import save

        save(self, path)

    def __str__(self):
        table = Table()
        for heading in ("layer", "tensor", "format"):
            table.add_column(heading, overflow="fold")
        for heading in HEADINGS:
            table.add_column(heading, justify="right")
        previous = None
        for row in self.rows:
            is_first = row.layer != previous
            if is_first and previous is not None:
                table.add_section()
            previous = row.layer
            table.add_row(row.layer if is_first else "", tensor_of(row), row.format, *cells(row))
        # A fixed width: the text is the same in a terminal, a log and a test.
        console = Console(file=io.StringIO(), width=160, color_system=None, markup=False)
        console.print(table)
        for note in self.notes:
            console.print(f"note: {note}", highlight=False)
        return console.file.getvalue().rstrip("\n")


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


def _number(value):
    return "-" if value is None else f"{value:.4g}"


def _share(value):
    if value is None:
        return "-"
    percent = 100 * value
    return "0 %" if value == 0 else "<0.01 %" if percent < 0.01 else f"{percent:.2f} %"


def _decibels(value):
    if value is None:
        return "-"
    return "exact" if value == math.inf else f"{value:.1f} dB"
