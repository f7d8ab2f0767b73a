"""Formats: the facts derived from the bits, their mapping, and what a wrong one says."""

import subprocess
import sys

import pytest

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.formats import (
    MX,
    NAMED,
    Binary,
    BlockFloat,
    FixedPoint,
    Minifloat,
    PowerOfTwo,
    ScaledInteger,
    Sparse,
    Ternary,
)


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
    ("format", "low", "high"),
    [
        (PowerOfTwo(-7, 1), -2.0, 2.0),
        (Binary(), -1.0, 1.0),
        (Binary(0.5), -0.5, 0.5),
        (Ternary(2), -2.0, 2.0),
        (BlockFloat(8, 16), -127, 127),
        (MX("float8_e5m2"), -57344 * 2.0**127, 57344 * 2.0**127),
        (MX("int8"), -127 / 64 * 2.0**127, 127 / 64 * 2.0**127),
    ],
)
def test_range_of_the_other_formats(format, low, high):
    assert (format.min, format.max) == (low, high)


def test_smallest_numbers_and_steps_of_the_other_formats():
    assert PowerOfTwo(-7, 1).smallest == 1 / 128
    assert PowerOfTwo(-512, 512).smallest * PowerOfTwo(-512, 512).max == 1.0
    # A block whose largest magnitude is in [1, 2) holds the codes / 2^(w-2), from -2 to 2 - step.
    assert (BlockFloat(2, 1).eps, BlockFloat(8, 16).eps) == (1.0, 1 / 64)
    assert BlockFloat(8, 16).max * BlockFloat(8, 16).eps == 2 - 1 / 64


def test_elements_of_mx_are_formats():
    assert MX("float6_e3m2fn").element_format == NAMED["float6_e3m2fn"]
    int8 = MX("int8").element_format
    assert (int8.min, int8.max, int8.step) == (-2.0, 127 / 64, 1 / 64)


@pytest.mark.parametrize("name", NAMED)
def test_a_name_stands_for_its_format(name):
    assert formats.get(name) == formats.get({"format": name}) == NAMED[name]


def test_short_names_of_mx():
    assert NAMED["mxfp8"] == NAMED["mxfp8_e4m3"] == MX("float8_e4m3fn", 32)
    assert NAMED["mxfp6"] == NAMED["mxfp6_e3m2"] == MX("float6_e3m2fn", 32)
    assert NAMED["mxfp8_e5m2"] == MX("float8_e5m2", 32)
    assert NAMED["mxfp6_e2m3"] == MX("float6_e2m3fn", 32)
    assert NAMED["mxfp4"] == MX("float4_e2m1fn", 32)
    assert NAMED["mxint8"] == MX("int8", 32)


def test_a_family_without_needs_is_its_own_name():
    assert formats.get("binary") == Binary() == Binary(1)
    assert formats.get("ternary") == Ternary()
    assert formats.get("mx") == MX()


def test_a_name_leaves_some_parameters_open():
    assert formats.get({"format": "mxfp4", "axis": 0, "block_size": 16}) == MX(
        "float4_e2m1fn", 16, axis=0
    )
    assert formats.get({"format": "bfloat16", "subnormals": False}) == Minifloat(8, 7, False)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (FixedPoint(8, 6), "fixed_point(8, 6)"),
        (FixedPoint(8, 6, signed=False), "fixed_point(8, 6, signed=False)"),
        (ScaledInteger(8), "scaled_integer(8)"),
        (Minifloat(5, 2), "float8_e5m2"),
        (Minifloat(8, 7, subnormals=False), "bfloat16(subnormals=False)"),
        (Minifloat(4, 2), "minifloat(4, 2)"),
        (Minifloat(4, 2, specials="nan"), "minifloat(4, 2, specials=nan)"),
        (MX(), "mxfp8_e4m3"),
        (MX("float6_e3m2fn"), "mxfp6_e3m2"),
        (MX("int8", axis=0), "mxint8(axis=0)"),
        (BlockFloat(8, 16), "block_float(8, 16)"),
        (PowerOfTwo(-7, 0), "power_of_two(-7, 0)"),
        (Binary(), "binary"),
        (Ternary(threshold=0.5), "ternary(threshold=0.5)"),
        (Sparse(0.01), "sparse(0.01)"),
    ],
)
def test_text_shows_the_name_where_there_is_one(format, text):
    assert str(format) == text


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
        (lambda: FixedPoint(0, 6), "word_bits must be an integer from 1 to 64. Received: 0"),
        (lambda: FixedPoint(65, 6), "word_bits must be an integer from 1 to 64. Received: 65"),
        (lambda: FixedPoint(8.0, 6), "word_bits must be an integer from 1 to 64. Received: 8.0"),
        (lambda: FixedPoint(True, 6), "Received: True"),
        (
            lambda: FixedPoint(8, 513),
            "frac_bits must be an integer from -512 to 512. Received: 51",
        ),
        (lambda: FixedPoint(8, 6, "no"), "signed must be true or false. Received: 'no'"),
        (lambda: ScaledInteger("8"), "word_bits must be an integer from 1 to 64. Received: '8'"),
        (lambda: formats.get(8), "format must be a name such as float8_e5m2 or a mapping such as"),
        (lambda: formats.get("fixed_point"), "fixed_point needs word_bits: write, for example, {"),
        (lambda: formats.get("sparse"), "for example, {format: sparse, threshold: 0.01}"),
        (lambda: formats.get("float8_e4m3f"), "did you mean 'float8_e4m3fn'?"),
        (lambda: PowerOfTwo(-513, 0), "min_exponent must be an integer from -512 to 512. Received"),
        (lambda: PowerOfTwo(2, 1), "max_exponent must be an integer from 2 to 512. Received: 1"),
        (lambda: BlockFloat(1, 16), "word_bits must be an integer from 2 to 32. Received: 1"),
        (lambda: BlockFloat(33, 16), "word_bits must be an integer from 2 to 32. Received: 33"),
        (lambda: BlockFloat(8, 0), "block_size must be an integer from 1 to 2147483647. Received"),
        (lambda: BlockFloat(8, 16, axis=1.0), "axis must be an integer from -254 to 253. Received"),
        (lambda: MX("float16"), "unknown element 'float16', valid: float8_e4m3fn, float8_e5m2, "),
        (lambda: MX("int9"), "did you mean 'int8'?"),
        (lambda: MX(block_size=True), "block_size must be an integer"),
        (lambda: MX(scale_rounding="up"), "unknown scale_rounding 'up', valid: floor, ceil, rceil"),
        (lambda: Binary(0.0), "level must be a finite number, greater than 0. Received: 0.0"),
        (lambda: Binary(True), "level must be a finite number, greater than 0. Received: True"),
        (lambda: Binary("1"), "level must be a finite number, greater than 0. Received: '1'"),
        (lambda: Ternary(float("inf")), "level must be a finite number, greater than 0. Received"),
        (lambda: Ternary(threshold=-0.1), "threshold must be a finite number, 0 or greater. Rece"),
        (lambda: Sparse(float("nan")), "threshold must be a finite number, 0 or greater. Received"),
        (lambda: Sparse(None), "threshold must be a finite number, 0 or greater. Received: None"),
        (
            lambda: formats.get({"format": "float8_e5m2", "mantissa_bits": 3}),
            "unknown parameter of float8_e5m2 'mantissa_bits', valid: subnormals",
        ),
        (
            lambda: formats.get({"format": "mxfp4", "element": "int8"}),
            "unknown parameter of mxfp4 'element', valid: block_size, axis, scale_rounding",
        ),
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
