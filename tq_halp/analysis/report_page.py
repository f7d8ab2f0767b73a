"""A report as one HTML page, with its styles and plots, without scripts or other files."""

from collections.abc import Mapping, Sequence
from html import escape

from tq_halp import html_document
from tq_halp.analysis.report_row import HEADINGS, Row, cells
from tq_halp.analysis.svg_plots import magnitudes_svg, values_svg

_STYLE = """
:root { --inside: #3b73b9; --saturated: #c8372d; --zero: #e0932f; --mark: #2b8a57; }
@media (prefers-color-scheme: dark) { :root { --inside: #6ea3e6; --saturated: #ef6b60;
  --zero: #efb25c; --mark: #58c48b; } }
.bad { color: var(--saturated); }
.tensors { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 1rem; }
figure h3 { font-size: .95rem; margin: 0; } svg { display: block; width: 100%; height: auto; }
svg text { font-size: 10px; fill: var(--soft); } .power { font-size: 7px; }
.inside { fill: var(--inside); }
.saturated { fill: var(--saturated); } .to-zero { fill: var(--zero); }
.axis { stroke: var(--soft); }
.limit { stroke: var(--saturated); stroke-dasharray: 4 3; }
.suggested { stroke: var(--mark); stroke-dasharray: 4 3; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 1em; }
"""

_KEY = """<p>For each tensor: the histogram of its values; below, the number of values of
each power of two, on a logarithmic scale.
<span class="key" style="background: var(--inside)"></span>within the format
<span class="key" style="background: var(--saturated)"></span>beyond its limits
<span class="key" style="background: var(--zero)"></span>less than half a step
<span class="key" style="background: var(--mark)"></span>step and end of the range of the suggested
fraction length</p>"""


def page(model: str, counts: Mapping[str, int], rows: Sequence[Row], notes: Sequence[str]) -> str:
    """The HTML text of a report.

    Args:
        model: its name.
        counts: {what: number} for the first line.
        rows: one per tensor.
        notes: what is left out, and why.
    """
    count = ", ".join(f"{name}: {number:,}" for name, number in counts.items())
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    body = f"<p>{count}</p><ul>{listed}</ul>\n{_table(rows)}\n{_KEY}\n{_plots(rows)}"
    return html_document.page(f"Number formats in {model}", body, _STYLE)


def _table(rows: Sequence[Row]) -> str:
    body, previous = [], None
    for number, row in enumerate(rows):
        layer = "" if row.layer == previous else escape(row.layer)
        previous = row.layer
        tensor = f'<a href="#tensor-{number}">{escape(row.role)}: {escape(row.tensor)}</a>'
        numbers = [escape(cell) for cell in cells(row)]
        body.append((layer, tensor, escape(row.format), *numbers))
    return html_document.table(("layer", "tensor", "format", *HEADINGS), body, words=3)


def _plots(rows: Sequence[Row]) -> str:
    parts, previous = [], None
    for number, row in enumerate(rows):
        if row.layer != previous:
            closing = "</div>" if previous is not None else ""
            heading = f"{escape(row.layer)} ({escape(row.class_name)})"
            parts.append(f'{closing}<h2>{heading}</h2><div class="tensors">')
            previous = row.layer
        parts.append(_figure(number, row))
    return "\n".join(parts) + ("</div>" if rows else "")


def _figure(number: int, row: Row) -> str:
    shown = dict(zip(HEADINGS, cells(row), strict=True))
    lines = (
        row.format,
        f"SQNR {shown['SQNR']}, saturated {shown['saturated']}, to zero {shown['to zero']}",
        f"suggested fraction length {shown['suggested frac_bits']} ({shown['its SQNR']})",
        f"{row.count:,} values" + (f", {row.nonfinite:,} not finite" if row.nonfinite else ""),
    )
    return (
        f'<figure id="tensor-{number}"><h3>{escape(row.role)}: {escape(row.tensor)}</h3>'
        f"{values_svg(row)}{magnitudes_svg(row)}"
        f"<figcaption>{'<br>'.join(map(escape, lines))}</figcaption></figure>"
    )
