"""The HTML page: whole, self-contained, and drawn from the numbers."""

import dataclasses
import re

import keras
import numpy as np
import pytest

import tq_halp
from tests.html_page import Checker
from tests.mappings import make_map
from tq_halp.analysis.svg_plots import HEIGHT, WIDTH, magnitudes_svg, values_svg

VOID = {"meta", "path", "line", "br"}


@pytest.fixture(scope="module")
def report():
    """Of a layer whose name has to be escaped, with values beyond the limits and below a step."""
    name = "a<b&c"
    model = keras.Sequential([keras.Input([4]), keras.layers.Dense(4, name=name)], name="<script>")
    model.set_weights([np.float32(np.diag([0.01, 0.3, 0.9, 5.0])), np.zeros(4, np.float32)])
    grid = {"format": "fixed_point", "word_bits": 4, "frac_bits": 3}  # 1/8 from -1 to 7/8
    rule = {"layers": ".*", "weights": grid}
    model = make_map(rule).apply(model)
    return tq_halp.report(model, np.eye(4, dtype=np.float32))


def test_page_is_whole_and_needs_nothing(report, tmp_path):
    path = tmp_path / "report.html"
    report.save_html(path)
    text = path.read_text(encoding="utf-8")
    page = Checker(VOID)
    page.feed(text)
    page.close()
    assert page.open == []
    assert "script" not in page.tags and "link" not in page.tags and "img" not in page.tags
    assert not re.search(r"https?:|src=|@import|url\(", text)
    anchors = {value for key, value in page.attributes if key == "href"}
    places = {f"#{value}" for key, value in page.attributes if key == "id"}
    assert anchors == places == {f"#tensor-{k}" for k in range(len(report.rows))}
    assert page.tags.count("svg") == 2 * len(report.rows)
    for shown in ("a<b&c (Dense)", "Number formats in <script>", "weights: kernel", "12.50 %"):
        assert shown in page.text or any(shown in piece for piece in page.text), shown
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_half_written(report, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr("tq_halp.analysis.report_result.page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.save_html(path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_where_no_file_can_be(report, tmp_path):
    with pytest.raises(tq_halp.InputError, match="cannot be written: No such file"):
        report.save_html(tmp_path / "nowhere" / "report.html")


def test_bars_say_what_is_beyond_and_what_is_below(report):
    kernel = report.rows[0]
    assert kernel.magnitudes[2] == 1  # 5.0: [4, 8)
    svg = magnitudes_svg(kernel)
    low, high = -7, 3  # 0.01 in [2^-7, 2^-6), 5 in [4, 8)
    bars = {
        kind: re.findall(r"M([\d.]+) \d+V([\d.]+)H([\d.]+)", path)
        for kind, path in re.findall(r'<path class="([\w-]+)" d="([^"]+)"', svg)
    }
    unit = WIDTH / (high - low)
    assert {kind: len(found) for kind, found in bars.items()} == {
        "to-zero": 1,
        "inside": 2,
        "saturated": 1,
    }
    left, top, right = map(float, bars["saturated"][0])
    assert (left, right) == pytest.approx((9 * unit, 10 * unit), abs=0.06)
    assert top == pytest.approx(4, abs=0.06)  # the highest bar; others have one value as well
    assert HEIGHT > top


def test_a_limit_in_sight_is_drawn(report):
    kernel = report.rows[0]
    assert values_svg(kernel).count('class="limit"') == 1  # 7/8, not -1
    assert values_svg(dataclasses.replace(kernel, limits=None)).count('class="limit"') == 0


def test_an_empty_tensor_has_empty_plots(report):
    counts = (0,) * len(report.rows[0].histogram_counts)
    empty = dataclasses.replace(report.rows[0], histogram_counts=counts, magnitudes={})
    assert "<path" not in values_svg(empty) + magnitudes_svg(empty)
