"""Self-contained HTML pages: styles and pictures inside, nothing to download."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from tq_halp.atomic_files import replacing
from tq_halp.errors import InputError

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #66707d; --line: #d9dee5; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #97a2b0; --line: #343c48;
  --page: #15191f; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 1400px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p, li, figcaption { color: var(--soft); margin: .2rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%;
  font-size: 13px; }
th, td { padding: .25rem .45rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; } .word { text-align: left; } a { color: inherit; }
figure { margin: 0; padding: .7rem; border: 1px solid var(--line); border-radius: 6px; }
"""


def page(title: str, body: str, style: str = "") -> str:
    """The text of a page.

    Args:
        title: plain text.
        body: HTML below the title.
        style: CSS after the common one.
    """
    title = escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}{style}</style></head>\n<body><h1>{title}</h1>\n"
        f"{body}\n</body></html>\n"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """The HTML of a table, which scrolls within its own box on a narrow page.

    Args:
        head: plain text.
        rows: HTML of the cells.
        words: the first so many columns hold words and are set to the left; the others hold
            numbers.
    """
    sides = [' class="word"' if k < words else "" for k in range(len(head))]
    first = "".join(f"<th{side}>{escape(n)}</th>" for side, n in zip(sides, head, strict=True))
    lines = (
        "".join(f"<td{side}>{cell}</td>" for side, cell in zip(sides, row, strict=True))
        for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in (first, *lines))
    return f'<div class="wide"><table>{body}</table></div>'


def image(png: bytes, description: str) -> str:
    """The HTML of a PNG, with its bytes inside."""
    data = base64.b64encode(png).decode("ascii")
    return f'<img alt="{escape(description)}" src="data:image/png;base64,{data}">'


def save(path: Path, text: str) -> None:
    """Writes a page in one step.

    Raises:
        InputError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
