"""docs/algorithms.md says of each combination which test shows what becomes of it."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
TABLE = (DOCS / "algorithms.md").read_text(encoding="utf-8").split("<!-- combinations -->")[1]
ROWS = TABLE.split("<!-- /combinations -->")[0].strip().splitlines()[2:]


def test_there_are_rows():
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_its_test(row):
    _, _, verdict, _, shown_by, _ = (cell.strip() for cell in row.split("|"))
    assert verdict in ("yes", "refused")
    words, path = re.fullmatch(r"\[(.*)\]\((.*)\)", shown_by).groups()
    source = (DOCS / path).read_text(encoding="utf-8")
    assert f"\ndef test_{words.replace(' ', '_')}(" in source
