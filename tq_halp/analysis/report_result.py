"""`Report`, the result of `tq_halp.report`: as a table, as plain data and as an HTML page."""

import dataclasses
import io
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tq_halp import html_document
from tq_halp.analysis.report_page import page
from tq_halp.analysis.report_row import HEADINGS, Row, cells, tensor_of


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `tq_halp.report`; `print(report)` shows a table."""

    model: str  # name
    batches: int
    samples: int
    rows: tuple[Row, ...]  # in the order in which a training step computes them, by layer
    notes: tuple[str, ...]  # what is left out, and why

    def to_dict(self) -> dict[str, Any]:
        """Plain data: numbers (also infinite), strings, lists and dicts."""
        own = {key: getattr(self, key) for key in ("model", "batches", "samples")}
        return {**own, "rows": [row.to_dict() for row in self.rows], "notes": list(self.notes)}

    def save_html(self, path: str | os.PathLike) -> None:
        """Writes the report as one HTML page, which needs no other file, network or script.

        Raises:
            InputError: the file cannot be written.
        """
        counts = {"batches": self.batches, "samples": self.samples, "tensors": len(self.rows)}
        html_document.save(Path(path), page(self.model, counts, self.rows, self.notes))

    def __str__(self) -> str:
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
