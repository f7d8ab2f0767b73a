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
        ({"word_bits": 0}, r"word_bits must be an integer in \[1, 64\], received 0"),
        ({"word_bits": 65}, r"word_bits must be an integer in \[1, 64\], received 65"),
        ({"word_bits": 8.0}, r"word_bits must be an integer in \[1, 64\], received 8.0"),
        ({"word_bits": True}, "word_bits must be an integer"),
        ({"frac_bits": 513}, r"frac_bits must be an integer in \[-512, 512\], received 513"),
        ({"frac_bits": "4"}, r"frac_bits must be an integer in \[-512, 512\], received '4'"),
        ({"signed": 1}, "signed must be True or False, received 1"),
        ({"rounding": "nearest"}, "rounding must be one of nearest_even, .*, received 'nearest'"),
        ({"overflow": "clip"}, "overflow must be one of saturate, wrap, received 'clip'"),
        ({"seed": 0.5}, "seed must be an integer or a scalar integer tensor, received 0.5"),
        ({"seed": 1 << 63}, r"seed must be an integer in \[-9223372036854775808, "),
        (
            {"counter": [1]},
            r"counter must be an integer or a scalar integer tensor, received \[1\]",
        ),
    ],
)
def test_fixed_point_errors(changed, message):
    with pytest.raises(ValueError, match=message):
        quant_ops.fixed_point(**(FIXED | changed))


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"word_bits": 65}, r"word_bits must be an integer in \[1, 64\], received 65"),
        (
            {"axis": 1, "scale": [0.1]},
            r"axis must be in \[-1, 1\) for x of shape \(2,\), received 1",
        ),
        ({"axis": 0}, "scale must be a vector when axis is given, received shape"),
        ({"axis": 0.0, "scale": [1.0, 1.0]}, "axis must be an integer"),
        ({"axis": 0, "scale": [0.1]}, "scale must have one value for each index along axis 0 of x"),
        ({"scale": [0.1, 0.2]}, r"scale must be a scalar when axis is None, received shape \(2,\)"),
        ({"scale": -0.1}, "scale must be finite and not negative, received -0.1"),
        ({"scale": [0.1, np.inf], "axis": 0}, "scale must be finite and not negative"),
    ],
)
def test_scaled_integer_errors(changed, message):
    with pytest.raises(ValueError, match=message):
        quant_ops.scaled_integer(**(SCALED | changed))


@pytest.mark.parametrize("x", [1, [1, 2], np.arange(3), tf.constant([True]), 1j])
def test_only_floats_are_quantized(x):
    with pytest.raises(
        TypeError, match="x must be float16, bfloat16, float32 or float64, received"
    ):
        quant_ops.fixed_point(x, 8, 4)


def test_a_scale_that_overflows_the_dtype_of_x_is_an_error():
    with pytest.raises(ValueError, match="scale must be finite and not negative, received inf"):
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
