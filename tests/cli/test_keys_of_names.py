"""Which keys a name has: the same in the sections, in what is built of them, and in the docs."""

import inspect
import re
from pathlib import Path

import pytest
from key_values import VALUES

from tq_halp.algorithms import config_names
from tq_halp.config.sections import KEYS, NAMED

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_a_key_has_one_meaning_wherever_it_stands():
    """So that it is known by what it is for, and can be set for several names at once."""
    assert {key for names in KEYS.values() for keys in names.values() for key in keys} == set(
        VALUES
    )
    for kinds in NAMED.values():
        for key in VALUES.keys() - {"word_bits"}:  # of a grid from 1, of offsets from 2
            fields = [kind.model_fields[key] for kind in kinds.values() if key in kind.model_fields]
            assert len({(repr(f.annotation), repr(f.default)) for f in fields}) < 2, key


@pytest.mark.parametrize("place", ["algorithm", "algorithm.estimator", "algorithm.iterate"])
def test_the_parts_of_an_algorithm_have_the_keys_that_their_signatures_show(place):
    """The grid of a fixed-point format is two keys in a config, and a format in Python."""
    table = {"algorithm": "ALGORITHMS", "algorithm.estimator": "ESTIMATORS"}.get(place, "ITERATES")
    kinds = getattr(config_names, table)
    assert set(kinds) == set(KEYS[place])
    for name, kind in kinds.items():
        taken = set(inspect.signature(kind).parameters)
        keys = set(KEYS[place][name])
        if "frac_bits" in keys:
            taken, keys = (each - {"word_bits", "frac_bits"} for each in (taken, keys))
        assert taken - {"model", "seed", "name", "kwargs"} == keys, name


def test_models_have_the_keys_that_their_functions_take():
    from tq_halp import models

    for name, keys in KEYS["model"].items():
        if name != "file":
            parameters = inspect.signature(getattr(models, name)).parameters.values()
            options = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
            assert set(keys) == options - {"seed", "pixels"}


def test_the_page_has_the_same_table():
    page = (DOCS / "config.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \| (.*) \|$", page, re.M)
    found = {(section, name): tuple(re.findall(r"`(\w+)`", keys)) for section, name, keys in rows}
    assert found == {(s, n): keys for s, names in KEYS.items() for n, keys in names.items()}
