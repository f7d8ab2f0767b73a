"""Experiments whose results are lines of a CSV file: what the file does not hold yet is run."""

import csv
import io
import math
import time


def read(path):
    """The lines, each {column: text}; none if there is no file."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run_missing(path, columns, missing, lines_of, title, minutes=math.inf):
    """Makes runs, with a progress bar; adds the lines of a run to the file when it is over.

    Args:
        path: of the CSV file.
        columns: its columns.
        missing: the runs.
        lines_of: called with a run; trains, and returns its lines.
        title: of the progress bar.
        minutes: no run begins after so many.
    """
    from rich.progress import track

    end = time.monotonic() + 60 * minutes
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _append(path, [columns])
    for run in track(missing, title):
        if time.monotonic() > end:
            return
        _append(path, lines_of(run))


def _append(path, lines):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    with open(path, "a", newline="", encoding="utf-8") as file:
        file.write(text.getvalue())
