"""Writes a measured table into a Markdown page, between two marks: no figure is typed by hand."""

import os
import pathlib
import re


def fill(page, mark, text):
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->`` in the file ``page``.

    Raises:
        ValueError: the page does not hold the pair of marks exactly once.
    """
    page = pathlib.Path(page)
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    pattern = re.escape(begin) + ".*?" + re.escape(end)
    old = page.read_text(encoding="utf-8")
    new, count = re.subn(pattern, lambda _: f"{begin}\n{text}\n{end}", old, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"{page}: expected one pair {begin} ... {end}, found {count}")
    temporary = page.with_suffix(".tmp")
    temporary.write_text(new, encoding="utf-8")
    os.replace(temporary, page)


def table(head, rows):
    """The lines of a table."""
    lines = [f"| {' | '.join(map(str, line))} |" for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
