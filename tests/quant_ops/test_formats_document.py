"""docs/formats.md says what the ops do."""

import re

import formats_document
import pytest
from carrier_values import BACKENDS

from quant_ops.library import forced


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_tables_are_what_the_ops_give(backend):
    """If not: python tests/quant_ops/formats_document.py --write, and read the difference."""
    with forced(backend):
        assert formats_document.current() == formats_document.PAGE.read_text(encoding="utf-8")


def test_every_table_of_the_page_is_computed():
    page = formats_document.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"<!-- (\w+) -->", page)) == set(formats_document.TABLES)
