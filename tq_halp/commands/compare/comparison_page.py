"""A comparison as one self-contained HTML page: tables, curves, diagnostics, settings."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from tq_halp import html_document
from tq_halp.commands.compare import figures
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.text_and_tables import Code, Document, Section, Table, Text

_STYLE = """
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr));
  gap: 1rem; margin: .6rem 0; }
img { display: block; width: 100%; height: auto; background: #fff; }
h3 { font-size: .95rem; margin: 1.2rem 0 .3rem; }
p { max-width: 60rem; margin: .5rem 0; }
pre { overflow-x: auto; padding: .7rem; border: 1px solid var(--line); border-radius: 6px;
  font-size: 12.5px; }
"""


def write(results: Results, document: Document, path: Path) -> None:
    """Writes the page: all sections, the curves after the results, the diagnostics last.

    Raises:
        InputError: the file cannot be written.
    """
    after = {"Results": _curves(results), document.sections[-1].heading: _diagnostics(results)}
    parts = [_section(s) + "\n" + after.get(s.heading, "") for s in document.sections]
    html_document.save(path, html_document.page(document.title, "\n".join(parts), _STYLE))


def _section(section: Section) -> str:
    return f"<h2>{escape(section.heading)}</h2>\n" + "\n".join(map(_block, section.blocks))


def _block(block: Text | Code | Table) -> str:
    """The HTML of a block."""
    if isinstance(block, Table):
        rows = ([escape(cell) for cell in row] for row in block.rows)
        return html_document.table(block.head, rows, block.words)
    if isinstance(block, Code):
        return f"<pre>{escape(block.text)}</pre>"
    return f"<p>{escape(block.text)}</p>"


def _curves(results: Results) -> str:
    panels = [panel for row in figures.rows_of_panels(results) for panel in row]
    pictures = [(f"{p.label} against {p.budget[1]}", figures.png(results, p)) for p in panels]
    return (
        "<h2>Curves</h2>\n<p>Mean over the seeds whose run finished, with a band of one "
        "standard error on either side. Dotted, up to a cross: a run that diverged.</p>\n"
        + _plots(pictures)
    )


def _diagnostics(results: Results) -> str:
    parts = []
    for candidate in results.comparison.candidates:
        pictures = [
            (f"{candidate.label}: {name}", png)
            for name, png in figures.diagnostics(results, candidate)
        ]
        if pictures:
            parts.append(f"<h3>{escape(candidate.label)}</h3>\n{_plots(pictures)}")
    return "<h2>Diagnostics</h2>\n" + "\n".join(parts) if parts else ""


def _plots(pictures: Iterable[tuple[str, bytes]]) -> str:
    figures = (
        f"<figure>{html_document.image(png, text)}<figcaption>{escape(text)}</figcaption></figure>"
        for text, png in pictures
    )
    return f'<div class="plots">{"".join(figures)}</div>'
