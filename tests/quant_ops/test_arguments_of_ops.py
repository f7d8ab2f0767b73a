"""What the ops accept, and what their errors say."""

import numpy as np
import pytest
import tensorflow as tf

import quant_ops

X = [0.3, 0.7]
FIXED = {"x": X, "word_bits": 8, "frac_bits": 4}
SCALED = {"x": X, "scale": 0.1, "word_bits": 8}


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"word_bits": 0}, r"word_bits must be an integer from 1 to 64. Received: 0"),
        ({"word_bits": 65}, r"word_bits must be an integer from 1 to 64. Received: 65"),
        ({"word_bits": 8.0}, r"word_bits must be an integer from 1 to 64. Received: 8.0"),
        ({"word_bits": True}, "word_bits must be an integer"),
        ({"frac_bits": 513}, r"frac_bits must be an integer from -512 to 512. Received: 513"),
        ({"frac_bits": "4"}, r"frac_bits must be an integer from -512 to 512. Received: '4'"),
        ({"signed": 1}, "signed must be True or False. Received: 1"),
        ({"rounding": "nearest"}, "rounding must be one of nearest_even, .*. Received: 'nearest'"),
        ({"overflow": "clip"}, "overflow must be one of saturate, wrap. Received: 'clip'"),
        ({"seed": 0.5}, "seed must be an integer or a scalar integer tensor. Received: 0.5"),
        ({"seed": 1 << 63}, r"seed must be an integer from -9223372036854775808 to "),
        (
            {"counter": [1]},
            r"counter must be an integer or a scalar integer tensor. Received: \[1\]",
        ),
    ],
)
def test_fixed_point_errors(changed, message):
    with pytest.raises(ValueError, match=message):
        quant_ops.fixed_point(**(FIXED | changed))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"word_bits": 65}, r"word_bits must be an integer from 1 to 64. Received: 65"),
        (
            {"axis": 1, "scale": [0.1]},
            r"axis must be in \[-1, 1\) for x of shape \(2,\). Received: 1",
        ),
        ({"axis": 0}, "scale must be a vector when axis is given. Received: shape"),
        ({"axis": 0.0, "scale": [1.0, 1.0]}, "axis must be an integer"),
        ({"axis": 0, "scale": [0.1]}, "scale must have one value for each index along axis 0 of x"),
        ({"scale": [0.1, 0.2]}, r"scale must be a scalar when .* Received: shape \(2,\)"),
        ({"scale": -0.1}, "scale must be finite and not negative. Received: -0.1"),
        ({"scale": [0.1, np.inf], "axis": 0}, "scale must be finite and not negative"),
    ],
)
def test_scaled_integer_errors(changed, message):
    with pytest.raises(ValueError, match=message):
        quant_ops.scaled_integer(**(SCALED | changed))


FLOAT = {"x": X, "exponent_bits": 4, "mantissa_bits": 3}
POWER = {"x": X, "min_exponent": -3, "max_exponent": 3}
BLOCK = {"x": X, "word_bits": 8, "block_size": 2}
MX = {"x": X, "block_size": 2}


@pytest.mark.parametrize(
    "op, given, changed, message",
    [
        (
            "minifloat",
            FLOAT,
            {"exponent_bits": 0},
            r"exponent_bits must be .* from 1 to 8. Received: 0",
        ),
        (
            "minifloat",
            FLOAT,
            {"mantissa_bits": 24},
            r"mantissa_bits must be .* from 0 to 23. Received: 24",
        ),
        (
            "minifloat",
            FLOAT,
            {"exponent_bits": 1},
            "exponent_bits must be at least 2 with specials",
        ),
        ("minifloat", FLOAT, {"exponent_bits": 8, "specials": "none"}, "exponent_bias must leave"),
        (
            "minifloat",
            FLOAT,
            {"exponent_bits": 5, "exponent_bias": -100},
            "exponent_bias must leave .* Received: -100 with",
        ),
        ("minifloat", FLOAT, {"exponent_bias": 7.0}, "exponent_bias must be an integer"),
        ("minifloat", FLOAT, {"exponent_bias": 128}, "exponent_bias .* from -126 to 127. Rec"),
        (
            "minifloat",
            FLOAT,
            {"specials": "fn"},
            "specials must be one of ieee, nan, fnuz, none. Rec",
        ),
        (
            "minifloat",
            FLOAT,
            {"subnormals": None},
            "subnormals must be True or False. Received: None",
        ),
        (
            "minifloat",
            FLOAT,
            {"overflow": "wrap"},
            "overflow must be one of saturate, infinity. Rec",
        ),
        (
            "minifloat",
            FLOAT,
            {"overflow": "infinity", "specials": "none"},
            "overflow must be saturate with specials 'none', .*. Received: 'infinity'",
        ),
        ("power_of_two", POWER, {"min_exponent": -513}, r"min_exponent must .* from -512 to 512"),
        ("power_of_two", POWER, {"max_exponent": -4}, r"max_exponent must .* from -3 to 512. Rec"),
        ("power_of_two", POWER, {"overflow": "infinity"}, "overflow must be one of saturate. Rec"),
        ("block_float", BLOCK, {"word_bits": 1}, r"word_bits must be .* from 2 to 32. Received: 1"),
        (
            "block_float",
            BLOCK,
            {"block_size": 0},
            "block_size must be an integer from .*. Received: 0",
        ),
        ("block_float", BLOCK, {"block_size": 3}, "block_size must divide .* axis -1 of x, 2. Rec"),
        (
            "block_float",
            BLOCK,
            {"axis": 1},
            r"axis must be in \[-1, 1\) for x of shape \(2,\). Rec",
        ),
        ("block_float", BLOCK, {"axis": None}, "axis must be an integer"),
        ("block_float", BLOCK, {"x": 0.3}, "x must have at least one axis. Received: a scalar"),
        (
            "mx",
            MX,
            {"element": "int4"},
            "element must be one of float8_e4m3fn, .*. Received: 'int4'",
        ),
        (
            "mx",
            MX,
            {"scale_rounding": "up"},
            "scale_rounding must be one of floor, ceil, rceil, even",
        ),
        ("mx", MX, {"block_size": 32}, "block_size must divide the length of axis -1 of x, 2. Rec"),
        (
            "binary",
            {"x": X},
            {"rounding": "down"},
            "rounding must be one of nearest_up, stochastic",
        ),
        (
            "binary",
            {"x": X},
            {"level": 0},
            "level must be positive and finite in x's dtype, float32",
        ),
        (
            "binary",
            {"x": X},
            {"level": 1e39},
            r"level must be positive and finite .* Received: 1e\+39",
        ),
        (
            "binary",
            {"x": X},
            {"level": 1e-46},
            "level must be positive and finite .* Received: 1e-46",
        ),
        ("binary", {"x": X}, {"level": [1.0]}, r"level must be a scalar. Received: shape \(1,\)"),
        (
            "ternary",
            {"x": X},
            {"level": np.nan},
            "level must be positive and finite .* Received: nan",
        ),
        (
            "ternary",
            {"x": X},
            {"threshold": -0.1},
            "threshold must be finite and not negative. Rec",
        ),
        (
            "sparse",
            {"x": X},
            {"threshold": np.inf},
            "threshold must be finite and not negative. Rec",
        ),
        (
            "sparse",
            {"x": X},
            {"threshold": [0.1]},
            r"threshold must be a scalar. Received: shape \(1",
        ),
    ],
)
def test_errors_of_the_other_ops(op, given, changed, message):
    with pytest.raises(ValueError, match=message):
        getattr(quant_ops, op)(**(given | changed))


SEEDED = (
    ("minifloat", FLOAT), ("power_of_two", POWER), ("block_float", BLOCK), ("mx", MX),
    ("binary", {"x": X}),
)  # fmt: skip


@pytest.mark.parametrize("op, given", SEEDED, ids=[op for op, _ in SEEDED])
def test_every_rounding_op_checks_rounding_and_seeds(op, given):
    for changed, message in (
        ({"rounding": "nearest"}, "rounding must be one of nearest.*. Received: 'nearest'"),
        ({"seed": 1.5}, "seed must be an integer or a scalar integer tensor. Received: 1.5"),
        ({"counter": 1 << 63}, r"counter must be an integer from -9223372036854775808 to "),
    ):
        with pytest.raises(ValueError, match=message):
            getattr(quant_ops, op)(**(given | changed))


@pytest.mark.parametrize("x", [1, [1, 2], np.arange(3), tf.constant([True]), 1j])
def test_only_floats_are_quantized(x):
    with pytest.raises(
        TypeError, match="x must be float16, bfloat16, float32 or float64. Received:"
    ):
        quant_ops.fixed_point(x, 8, 4)


def test_a_scale_that_overflows_the_dtype_of_x_is_an_error():
    with pytest.raises(ValueError, match="scale must be finite and not negative. Received: inf"):
        with np.errstate(over="ignore"):
            quant_ops.scaled_integer(np.float16(1), 1e6, 8)


def test_what_converts_to_a_tensor_is_accepted():
    for x in (0.3, [0.3], np.float32([0.3]), tf.constant(0.3), tf.Variable([0.3])):
        result = quant_ops.fixed_point(x, np.int64(8), np.int32(1), signed=np.bool_(True))
        assert result.dtype == tf.float32
        assert (result.numpy() == 0.5).all()
    assert quant_ops.fixed_point(np.float64(0.3), 8, 1).dtype == tf.float64


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_python_scale_takes_the_dtype_of_x(dtype):
    x = tf.constant([0.35], dtype)
    converted = tf.constant(0.1, dtype)
    expected = quant_ops.scaled_integer(x, converted, 8, rounding="down").numpy()
    assert (quant_ops.scaled_integer(x, 0.1, 8, rounding="down").numpy() == expected).all()


def test_small_integer_tensors_serve_as_seeds():
    how = {"rounding": "stochastic"}
    x = tf.fill([100], 0.5)
    expected = quant_ops.fixed_point(x, 8, 0, seed=3, counter=4, **how)
    result = quant_ops.fixed_point(x, 8, 0, seed=tf.constant(3), counter=np.int16(4), **how)
    assert (result.numpy() == expected.numpy()).all()


def test_the_composite_says_that_a_tensor_is_too_large(monkeypatch):
    monkeypatch.setenv("QUANT_OPS_BACKEND", "composite")

    @tf.function(input_signature=[tf.TensorSpec([1 << 16, 1 << 16])])
    def quantize(x):
        return quant_ops.fixed_point(x, 8, 4, rounding="stochastic")

    with pytest.raises(ValueError, match="fewer than 2\\^32 elements on the composite backend"):
        quantize.get_concrete_function()
