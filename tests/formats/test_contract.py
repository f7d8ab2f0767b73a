"""What holds for every format: its mapping, its op, and the quantizers that round to it."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from ruamel.yaml import YAML

import quant_ops
from tests.formats.every_format import EXAMPLES, every_format
from tq_halp import formats
from tq_halp.formats import FAMILIES, MX, BlockFloat, Ternary
from tq_halp.quantizers import Quantizer
from tq_halp.quantizers.format_options import options_of

# As many as the largest block has.
X = np.tile(np.float32([0.3, -0.1, 0.0, 5.0, -7.0, 0.25, 1.5, -3.25]), 4)
ALONE = [f for f in EXAMPLES if f.elementwise and not Quantizer(f).has_dynamic_range]


def test_there_is_an_example_of_every_family():
    assert {type(format) for format in EXAMPLES} == set(FAMILIES.values())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_an_op_with_its_fields_as_arguments(name):
    family = FAMILIES[name]
    assert family.name == name
    arguments = inspect.signature(getattr(quant_ops, name)).parameters
    fields = [field.name for field in dataclasses.fields(family)]
    assert set(fields) <= set(arguments)
    extra = {"x", "scale", "axis", "rounding", "overflow", "seed", "counter"}
    assert set(arguments) - set(fields) <= extra
    # What its errors show.
    assert type(formats.get(YAML(typ="safe").load(family.example))) is family


def test_which_formats_look_at_more_than_one_number():
    together = [format for format in EXAMPLES if not format.elementwise]
    assert {type(format) for format in together} == {BlockFloat, MX, Ternary}
    assert Ternary() in together and Ternary(0.5, 0.25) not in together


@every_format
def test_mapping_round_trip(format):
    mapping = format.to_dict()
    assert mapping["format"] in FAMILIES
    assert formats.get(mapping) == format == formats.get(format)
    assert type(format).from_dict(mapping) == format
    assert hash(formats.get(mapping)) == hash(format)


@every_format
def test_dtype_and_gradient(format):
    quantizer = Quantizer(format)
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        x = tf.cast(X, dtype)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = quantizer(x)
        assert y.dtype == dtype
        np.testing.assert_array_equal(tf.cast(tape.gradient(y, x), "float32"), np.ones(len(X)))


@every_format
def test_every_choice_is_one_of_the_op_and_of_the_configuration(format):
    valid = options_of(format)
    for rounding in valid.rounding or (None,):
        for overflow in valid.overflow:
            y = Quantizer(format, rounding, overflow)(X)
            assert np.all(np.isfinite(y)) or overflow == "infinity"
            for gradient in valid.gradient:
                quantizer = Quantizer(format, rounding, overflow, gradient, seed=3)
                assert Quantizer.from_config(quantizer.get_config()) == quantizer
                packed = keras.saving.serialize_keras_object(quantizer)
                assert keras.saving.deserialize_keras_object(packed) == quantizer


@pytest.mark.parametrize("format", ALONE, ids=str)
def test_numbers_of_a_format_stay_what_they_are(format):
    """Unless others are rounded with them, or decide upon the step."""
    for rounding in options_of(format).rounding or (None,):
        y = Quantizer(format)(X)
        np.testing.assert_array_equal(Quantizer(format, rounding, seed=5)(y), y)


def test_a_graph_gives_what_eager_calls_give():
    every = [Quantizer(format) for format in EXAMPLES]
    found = tf.function(lambda x: [quantizer(x) for quantizer in every])(X)
    for quantizer, y in zip(every, found, strict=True):
        np.testing.assert_array_equal(y, quantizer(X), err_msg=str(quantizer))
