"""Formats: the facts derived from the bits, their mapping, and what a wrong one says."""

import subprocess
import sys

import pytest

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.formats import FixedPoint, ScaledInteger


@pytest.mark.parametrize(
    ("format", "step", "low", "high"),
    [
        (FixedPoint(8, 6), 1 / 64, -2.0, 127 / 64),
        (FixedPoint(8, 6, signed=False), 1 / 64, 0.0, 255 / 64),
        (FixedPoint(1, 0), 1.0, -1.0, 0.0),
        (FixedPoint(4, -3), 8.0, -64.0, 56.0),
        (FixedPoint(4, 10), 2.0**-10, -(2.0**-7), 7 * 2.0**-10),
        (FixedPoint(64, 512), 2.0**-512, -(2.0**-449), 2.0**-449),
    ],
)
def test_step_and_range_follow_from_the_bits(format, step, low, high):
    assert (format.step, format.min, format.max) == (step, low, high)


def test_scaled_integer_has_codes_and_no_step():
    assert (ScaledInteger(8).min, ScaledInteger(8).max) == (-128, 127)
    assert (ScaledInteger(1).min, ScaledInteger(1).max) == (-1, 0)
    assert not hasattr(ScaledInteger(8), "step")


@pytest.mark.parametrize(
    "format", [FixedPoint(8, 6), FixedPoint(3, -2, signed=False), ScaledInteger(5)]
)
def test_mapping_round_trip(format):
    assert formats.get(format.to_dict()) == format == formats.get(format)
    assert type(format).from_dict(format.to_dict()) == format


def test_mapping_is_what_yaml_holds():
    mapping = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}
    assert formats.get(mapping) == FixedPoint(8, 6)
    assert FixedPoint(8, 6).to_dict() == {**mapping, "signed": True}


def test_formats_are_frozen_and_hashable():
    with pytest.raises(AttributeError):
        FixedPoint(8, 6).word_bits = 4
    assert len({FixedPoint(8, 6), FixedPoint(8, 6), ScaledInteger(8)}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedPoint(0, 6), "word_bits must be an integer from 1 to 64, received 0"),
        (lambda: FixedPoint(65, 6), "word_bits must be an integer from 1 to 64, received 65"),
        (lambda: FixedPoint(8.0, 6), "word_bits must be an integer from 1 to 64, received 8.0"),
        (lambda: FixedPoint(True, 6), "received True"),
        (lambda: FixedPoint(8, 513), "frac_bits must be an integer from -512 to 512, received 513"),
        (lambda: FixedPoint(8, 6, "no"), "signed must be true or false, received 'no'"),
        (lambda: ScaledInteger("8"), "word_bits must be an integer from 1 to 64, received '8'"),
        (lambda: formats.get(8), "format must be a mapping such as"),
        (lambda: formats.get("fixed_point"), "format must be a mapping such as"),
        (lambda: formats.get("fixd_point"), "did you mean 'fixed_point'?"),
        (lambda: formats.get({"word_bits": 8}), "format is missing"),
        (
            lambda: formats.get({"format": "float", "word_bits": 8}),
            "unknown format 'float', valid: fixed_point, scaled_integer",
        ),
        (lambda: formats.get({"format": ["fixed_point"]}), "unknown format ['fixed_point']"),
        (
            lambda: formats.get({"format": "fixed_point", "word_bits": 8}),
            "fixed_point needs frac_bits",
        ),
        (
            lambda: formats.get({"format": "fixed_point", "word_bit": 8, "frac_bits": 6}),
            "unknown parameter of fixed_point 'word_bit', valid: word_bits, frac_bits, signed; "
            "did you mean 'word_bits'?",
        ),
    ],
)
def test_wrong_input_is_named_with_what_is_valid(make, message):
    with pytest.raises(InputError) as error:
        make()
    assert message in str(error.value)


def test_import_does_not_load_tensorflow():
    code = "import sys, tq_halp.formats; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
