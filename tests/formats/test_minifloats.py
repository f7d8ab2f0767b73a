"""Minifloats: range, precision and smallest numbers, against two libraries and our own ops."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from quant_ops.minifloat_grid import minifloat_grid
from tq_halp.errors import InputError
from tq_halp.formats import NAMED, Minifloat

MINIFLOATS = {name: f for name, f in NAMED.items() if isinstance(f, Minifloat)}
# No library has it; its numbers are in the last test.
IN_LIBRARIES = [name for name in MINIFLOATS if name != "tensorfloat32"]


def limits(name):
    """The facts of a floating-point type of NumPy or ml_dtypes."""
    dtype = getattr(ml_dtypes, name, None) or getattr(np, name)
    info = ml_dtypes.finfo(dtype)
    return [float(x) for x in (info.max, info.smallest_normal, info.smallest_subnormal, info.eps)]


@pytest.mark.parametrize("name", IN_LIBRARIES)
def test_facts_are_those_of_the_library(name):
    f = MINIFLOATS[name]
    assert [f.max, f.smallest_normal, f.smallest, f.eps] == limits(name)
    assert f.min == -f.max


def test_every_float_of_the_library_has_a_name():
    """But for those without a sign, which are scales of blocks and no formats."""
    theirs = {name for name in dir(ml_dtypes) if "float" in name}
    signed = {name for name in theirs if ml_dtypes.finfo(getattr(ml_dtypes, name)).min < 0}
    assert "float8_e8m0fnu" in theirs - signed and "float8_e5m2" in signed
    assert signed <= set(MINIFLOATS)


@pytest.mark.parametrize("specials", ["ieee", "nan", "fnuz", "none"])
def test_facts_are_those_of_the_op(specials):
    """For every number of bits; a format that the op refuses is refused, and no other."""
    valid = 0
    for e, m, bias, subnormals in itertools.product(
        range(1, 9), (0, 1, 2, 7, 23), (None, -126, -1, 0, 7, 127), (True, False)
    ):
        try:
            grid = minifloat_grid(e, m, specials, bias, subnormals)
        except ValueError:
            with pytest.raises(InputError):
                Minifloat(e, m, subnormals, specials, bias)
            continue
        valid += 1
        f = Minifloat(e, m, subnormals, specials, bias)
        assert (f.min_exponent, f.max_exponent) == (grid.min_exponent, grid.max_exponent)
        assert (f.bias % 2 == 1) == grid.odd_bias
        assert f.max == grid.max
        assert f.smallest_normal == 2.0**grid.min_exponent
        assert f.smallest == 2.0 ** (grid.min_exponent - m * subnormals)
    assert valid > 200


def test_tensorfloat32_has_the_range_of_float32_and_the_precision_of_float16():
    f = NAMED["tensorfloat32"]
    assert f.eps == NAMED["float16"].eps == 2.0**-10
    assert f.smallest_normal == NAMED["float32"].smallest_normal == 2.0**-126
    assert f.max == (2 - 2.0**-10) * 2.0**127


def test_a_bias_that_is_the_usual_one_makes_no_difference():
    assert Minifloat(4, 3, exponent_bias=7) == Minifloat(4, 3)
    assert Minifloat(4, 3, exponent_bias=7).to_dict()["exponent_bias"] is None
    assert Minifloat(4, 3, specials="fnuz", exponent_bias=8) == Minifloat(4, 3, specials="fnuz")
    assert (Minifloat(4, 3).bias, Minifloat(4, 3, exponent_bias=6).bias) == (7, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(exponent_bits=0), "exponent_bits must be an integer from 1 to 8. Received: 0"),
        (dict(exponent_bits=9), "exponent_bits must be an integer from 1 to 8. Received: 9"),
        (dict(mantissa_bits=24), "mantissa_bits must be an integer from 0 to 23. Received: 24"),
        (dict(mantissa_bits=2.0), "mantissa_bits must be an integer from 0 to 23. Received: 2.0"),
        (dict(subnormals=1), "subnormals must be true or false. Received: 1"),
        (dict(specials="fn"), "unknown specials 'fn', valid: ieee, nan, fnuz, none"),
        (dict(exponent_bias=128), "exponent_bias must be an integer from -126 to 127. Received"),
        (
            dict(exponent_bits=1),
            "must be at least 2 with specials 'ieee' and mantissa_bits 3. Received: 1",
        ),
        (
            dict(exponent_bits=8, specials="none"),
            "must lie within -126..127, those of float32. Received: exponent_bits 8, specials "
            "'none', exponent_bias None: they would be -126..128",
        ),
        (dict(exponent_bias=-120), "exponent_bias -120: they would be 121..134"),
    ],
)
def test_wrong_input_is_named_with_what_is_valid(arguments, message):
    with pytest.raises(InputError) as error:
        Minifloat(**{"exponent_bits": 4, "mantissa_bits": 3, **arguments})
    assert message in str(error.value)
