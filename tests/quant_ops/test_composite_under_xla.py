"""The composite compiled by XLA gives the bits that it gives op by op."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from carrier_values import DTYPES, from_bits, spread, to_bits

import quant_ops
from quant_ops.composite import float_bits
from quant_ops.library import forced

STOCHASTIC = {"rounding": "stochastic", "seed": -3, "counter": 1 << 40}
QUANTIZERS = {
    "fixed_point": lambda x: quant_ops.fixed_point(x, 8, 4),
    "fixed_point_wrapped": lambda x: quant_ops.fixed_point(x, 8, 4, overflow="wrap", **STOCHASTIC),
    # Computed in float64; limits and results among float32's subnormals.
    "fine_steps": lambda x: quant_ops.fixed_point(x, 40, 150, signed=False, **STOCHASTIC),
    # XLA too would turn division by a constant into a product.
    "scaled_integer": lambda x: quant_ops.scaled_integer(x, 0.1, 8, rounding="nearest_even"),
    "scaled_integer_wrapped": lambda x: quant_ops.scaled_integer(x, 0.1, 8, overflow="wrap"),
    "minifloat": lambda x: quant_ops.minifloat(x, 4, 3, overflow="infinity", **STOCHASTIC),
    "minifloat_fnuz": lambda x: quant_ops.minifloat(
        x, 5, 0, specials="fnuz", overflow="infinity", subnormals=False
    ),
    # Limits and results among the subnormals of bfloat16 and float32.
    "minifloat_tiny": lambda x: quant_ops.minifloat(x, 8, 10, rounding="up"),
    "power_of_two": lambda x: quant_ops.power_of_two(x, -140, 7),
    "block_float": lambda x: quant_ops.block_float(x, 5, block_size=4),
    "block_float_fine": lambda x: quant_ops.block_float(x, 20, block_size=2, **STOCHASTIC),
    "mx": lambda x: quant_ops.mx(x, block_size=8, scale_rounding="even", **STOCHASTIC),
    "mx_int8": lambda x: quant_ops.mx(x, "int8", block_size=8, axis=-2, scale_rounding="rceil"),
    "binary": lambda x: quant_ops.binary(x, 0.3),
    "binary_stochastic": lambda x: quant_ops.binary(x, 0.3, **STOCHASTIC),
    "ternary": lambda x: quant_ops.ternary(x, 0.3, 0.2),
    "ternary_mean": lambda x: quant_ops.ternary(x),
    "sparse": lambda x: quant_ops.sparse(x, 0.2),
}
ONE_OF_EACH = (
    "fixed_point", "scaled_integer", "minifloat", "power_of_two", "block_float", "mx",
    "binary_stochastic", "ternary_mean", "sparse",
)  # fmt: skip


@pytest.fixture(autouse=True)
def composite():
    with forced("composite"):
        yield


# Compiling takes longer than all the rest: the cases of an op share the dtypes out among them.
COMPILED = {
    "fixed_point": ("float16", "float64"),
    "fixed_point_wrapped": ("bfloat16", "float32"),
    "fine_steps": ("float32", "float64"),
    "scaled_integer": ("float16", "float32"),
    "scaled_integer_wrapped": ("bfloat16", "float64"),
    "minifloat": ("float16", "float64"),
    "minifloat_fnuz": ("float32", "float64"),
    "minifloat_tiny": ("bfloat16", "float32"),
    "power_of_two": DTYPES,
    "block_float": ("float16", "float32"),
    "block_float_fine": ("bfloat16", "float64"),
    "mx": ("bfloat16", "float64"),
    "mx_int8": ("float16", "float32"),
    "binary": ("float16", "float32"),
    "binary_stochastic": ("bfloat16", "float64"),
    "ternary": ("float16", "float64"),
    "ternary_mean": ("bfloat16", "float32"),
    "sparse": DTYPES,
}


@pytest.mark.parametrize("name, dtype", [(n, dtype) for n in QUANTIZERS for dtype in COMPILED[n]])
def test_same_bits(name, dtype):
    quantize = QUANTIZERS[name]
    bits = spread(dtype, 40_000, 0.1, seed=1)
    x = from_bits(bits.reshape(8, -1), dtype)
    compiled = to_bits(tf.function(quantize, jit_compile=True)(x))
    op_by_op = to_bits(quantize(x))
    differ = np.argwhere(compiled != op_by_op)
    assert not len(differ), (len(differ), [hex(to_bits(x)[tuple(i)]) for i in differ[:5]])


@pytest.mark.parametrize("jit_compile", [False, True])
def test_shapes_unknown_when_the_graph_is_built(jit_compile):
    """One graph for all shapes; blocks, which a scalar has none of, in another one."""
    blocks = ("block_float", "mx")
    for names in (blocks, [name for name in ONE_OF_EACH if name not in blocks]):

        @tf.function(input_signature=[tf.TensorSpec(None)], jit_compile=jit_compile)
        def quantize(x, names=tuple(names)):
            return {name: QUANTIZERS[name](x) for name in names}

        for shape in ((), (0, 8), (1, 2, 1, 2, 1, 1, 8))[names is blocks :]:
            x = tf.random.stateless_normal(shape, (1, 2))
            for name, result in quantize(x).items():
                assert result.shape == shape
                assert (to_bits(result) == to_bits(QUANTIZERS[name](x))).all(), (name, shape)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_an_opaque_constant_is_divided_by(jit_compile):
    """Grappler and XLA would multiply by its inverse, which rounds differently."""
    x = tf.constant(np.arange(1, 4001) * 0.05, tf.float64)

    @tf.function(jit_compile=jit_compile)
    def divide(x):
        return x / float_bits.opaque(tf.constant(0.1, tf.float64), x)

    assert (divide(x).numpy() == x.numpy() / 0.1).all()


class Quantized(keras.layers.Layer):
    """y = q(w * x): no sum, so neither the order of one nor a fused one can show in the weights."""

    def __init__(self, quantize, **kwargs):
        super().__init__(**kwargs)
        self.quantize = quantize

    def build(self, shape):
        self.kernel = self.add_weight(shape=shape[1:], initializer="ones")

    def call(self, inputs):
        return self.quantize(inputs * self.kernel)


def test_a_keras_model_trains_to_the_same_bits():
    """One layer for each op, side by side; batches of one example, powers of two as factors.

    Op by op the other time: that is what the compiled steps must equal.
    """
    x = np.random.default_rng(0).standard_normal((6, 8, 8)).astype(np.float32)
    trained = []
    for jit_compile in (False, True):
        inputs = keras.Input([8, 8])
        layers = [Quantized(QUANTIZERS[name], name=name) for name in ONE_OF_EACH]
        model = keras.Model(inputs, [layer(inputs) for layer in layers])
        model.compile(
            keras.optimizers.SGD(0.5), ["mse"] * len(layers),
            jit_compile=jit_compile, run_eagerly=not jit_compile,
        )  # fmt: skip
        model.fit(x, [2 * x] * len(layers), batch_size=1, shuffle=False, verbose=0)
        assert model.jit_compile is jit_compile
        trained.append({layer.name: layer.kernel.numpy() for layer in layers})
    for name, kernel in trained[0].items():
        assert np.isfinite(kernel).all() and (kernel != 1).any(), name
        assert (kernel == trained[1][name]).all(), name
