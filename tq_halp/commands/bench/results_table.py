"""A benchmark's results as a table on the terminal and as a CSV file."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tq_halp.atomic_files import replacing

# Width of a table that is not written to a terminal.
WIDTH = 132


def show(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = ""
) -> None:
    """Prints a table; columns of words are set to the left, columns of numbers to the right."""
    rows = list(rows)
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for index, column in enumerate(columns):
        words = all(row[index][:1].isalpha() or not row[index] for row in rows)
        table.add_column(column, justify="left" if words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table, highlight=False)


def write_csv(path: Path, fields: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes one line per row; a field that a row lacks is empty."""
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
