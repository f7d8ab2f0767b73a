"""The role `accumulator`: products of Dense and Conv layers whose running sum is rounded."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import quant_ops
from tq_halp import layers, quantizers
from tq_halp.errors import InputError
from tq_halp.quantizers import Accumulator

NARROW = {"every": 1, "format": "fixed_point", "word_bits": 6, "frac_bits": 1}
# Nothing is rounded: the sums of small integers fit.
WIDE = {"every": 1, "format": "fixed_point", "word_bits": 32, "frac_bits": 0}
STOCHASTIC = {"every": 3, "format": "minifloat", "exponent_bits": 4, "mantissa_bits": 3}
STOCHASTIC |= {"rounding": "stochastic"}


def integers(*shape, seed=0):
    return np.random.default_rng(seed).integers(-3, 4, shape).astype(np.float32)


def filled(layer, x):
    """The layer, built for x, with small integers in its weights."""
    layer.build(x.shape)
    for i, weight in enumerate(layer.trainable_weights):
        weight.assign(integers(*weight.shape, seed=i))
    return layer


def test_dense():
    x, w8 = integers(2, 5, 40) / 8, {"format": "fixed_point", "word_bits": 4, "frac_bits": 1}
    layer = filled(
        layers.QuantDense(7, activation="relu", weights=w8, activations=w8, accumulator=NARROW), x
    )
    kernel, bias = (w / 3 for w in layer.get_weights())
    layer.set_weights([kernel, bias])
    product = quant_ops.matmul_rounded(
        x, quant_ops.fixed_point(kernel, 4, 1), "fixed_point", every=1, word_bits=6, frac_bits=1
    )
    expected = quant_ops.fixed_point(tf.nn.relu(product + bias), 4, 1)
    assert (layer(x).numpy() == expected.numpy()).all()


CONVOLUTIONS = [
    ("Conv1D", (2, 9, 4), {"kernel_size": 3, "strides": 2, "padding": "same"}),
    ("Conv1D", (2, 9, 4), {"kernel_size": 3, "dilation_rate": 2, "padding": "causal"}),
    ("Conv2D", (2, 7, 6, 3), {"kernel_size": (3, 2), "strides": (2, 1)}),
    ("Conv2D", (2, 7, 6, 3), {"kernel_size": (4, 3), "strides": 3, "padding": "same"}),
    ("Conv2D", (2, 7, 6, 3), {"kernel_size": 2, "dilation_rate": (2, 3), "padding": "same"}),
    ("Conv2D", (2, 5, 5, 6), {"kernel_size": 3, "groups": 2, "padding": "same"}),
    ("Conv2D", (2, 3, 7, 6), {"kernel_size": 3, "data_format": "channels_first"}),
    ("Conv3D", (2, 4, 5, 3, 2), {"kernel_size": 2, "padding": "same"}),
]


@pytest.mark.parametrize("name, shape, arguments", CONVOLUTIONS)
def test_convolution_that_rounds_nothing_is_keras(name, shape, arguments):
    """Values and gradients; sums of small integers are exact in any order."""
    x = tf.constant(integers(*shape))
    plain = filled(getattr(keras.layers, name)(4, **arguments), x)
    quantized = filled(getattr(layers, f"Quant{name}")(4, **arguments, accumulator=WIDE), x)
    try:
        plain(x)
    except tf.errors.UnimplementedError as error:
        pytest.skip(f"TensorFlow has no such convolution on this processor: {error}"[:200])
    results = []
    for layer in (plain, quantized):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * tf.reshape(tf.range(float(tf.size(y))) % 5, y.shape))
        results.append([y, *tape.gradient(loss, [x, *layer.trainable_weights])])
    for expected, received in zip(*results, strict=True):
        assert expected.shape == received.shape
        assert (expected.numpy() == received.numpy()).all()


@pytest.mark.parametrize("groups", [1, 2])
def test_order_of_a_convolutions_terms(groups):
    """Position by position, row by row, then by channels; padding counts. Saturating integers."""
    x, size = integers(1, 4, 4, 4), 3
    accumulator = {**WIDE, "word_bits": 5, "every": 2}
    layer = filled(
        layers.QuantConv2D(2, size, padding="same", groups=groups, accumulator=accumulator), x
    )
    kernel, bias = layer.get_weights()
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected = np.zeros((1, 4, 4, 2), np.float32)
    per_group = 4 // groups
    for row, column, n in itertools.product(range(4), range(4), range(2)):
        first = n // (2 // groups) * per_group
        part = padded[0, row : row + size, column : column + size, first : first + per_group]
        terms = (part * kernel[..., n]).ravel()
        total = 0
        for start in range(0, len(terms), 2):
            total = np.clip(total + terms[start : start + 2].sum(), -16, 15)
        expected[0, row, column, n] = total + bias[n]
    assert (layer(x).numpy() == expected).all()


def test_unknown_sizes():
    """Of the batch and of the image, as in a functional model."""
    inputs = keras.Input([None, None, 3])
    outputs = layers.QuantConv2D(2, 3, 2, "same", accumulator=NARROW, name="c")(inputs)
    model = keras.Model(inputs, outputs)
    assert outputs.shape == (None, None, None, 2)
    x = integers(3, 7, 5, 3)
    assert (model.predict(x, verbose=0) == model.get_layer("c")(x).numpy()).all()


def test_random_bits_move_on_with_training_calls():
    x = integers(4, 30) / 4
    layer = filled(layers.QuantDense(20, accumulator=STOCHASTIC, name="d"), x)
    first, again = layer(x).numpy(), layer(x).numpy()
    training = [layer(x, training=True).numpy() for _ in range(2)]
    assert (first == again).all() and (training[0] == first).all()
    assert (training[1] != first).any()
    accumulator = quantizers.get_accumulator(STOCHASTIC).derive("d/accumulator")
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    assert (first == (accumulator(x, kernel) + bias).numpy()).all()


def test_a_model_trains_and_comes_back_from_its_file(tmp_path):
    model = keras.Sequential(
        [
            keras.Input([6, 6, 2]),
            layers.QuantConv2D(3, 3, accumulator=STOCHASTIC),
            keras.layers.Flatten(),
            layers.QuantDense(2, accumulator="bfloat16"),
        ]
    )
    model.compile("sgd", "mse")
    x, y = integers(8, 6, 6, 2), integers(8, 2)
    before = model.get_weights()
    model.fit(x, y, batch_size=4, verbose=0)
    assert all((b != a).any() for b, a in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.layers[0].quantizers == model.layers[0].quantizers
    assert (loaded.predict(x, verbose=0) == model.predict(x, verbose=0)).all()


def test_bfloat16():
    x = integers(2, 9)
    layer = filled(layers.QuantDense(3, accumulator=WIDE, dtype="mixed_bfloat16"), x)
    assert layer(x).dtype == tf.bfloat16
    assert (layer(x).numpy() == filled(keras.layers.Dense(3), x)(x).numpy()).all()


def test_mapping():
    accumulator = quantizers.get_accumulator({**STOCHASTIC, "seed": 3})
    assert accumulator == Accumulator(accumulator.quantizer, every=3)
    assert Accumulator.from_config(accumulator.get_config()) == accumulator
    assert quantizers.for_role("accumulator", accumulator) is accumulator
    assert quantizers.get_accumulator("float16") == Accumulator("float16", every=1)
    assert quantizers.get_accumulator(None) is None
    assert str(accumulator) == "float8_e4m3 stochastic every 3"


@pytest.mark.parametrize(
    "given, message",
    [
        ({**NARROW, "every": 0}, "every must be an integer of at least 1. Received: 0"),
        ({**NARROW, "every": True}, "every must be an integer of at least 1. Received: True"),
        (
            {"every": 2, "format": "mxfp8"},
            "format of an accumulator must be fixed_point, minifloat",
        ),
        ({**NARROW, "gradient": "clipped"}, "gradient of an accumulator must be straight_through"),
        ({**NARROW, "evry": 2}, "evry"),
        ({"every": 2}, "format is missing"),
        ({"stages": []}, "an accumulator takes no schedule"),
        (7, "must be None, an Accumulator, a quantizer or a mapping"),
        ("float33", "float33"),
    ],
)
def test_errors(given, message):
    with pytest.raises(InputError, match=f"QuantDense: accumulator: .*{message}"):
        layers.QuantDense(2, accumulator=given)


def test_float64_has_no_accumulator():
    layer = layers.QuantDense(2, accumulator=NARROW, dtype="float64")
    with pytest.raises(InputError, match="dtype of a product with an accumulator .* float64"):
        layer(np.ones((1, 3)))


def test_layers_without_one_product_have_no_such_role():
    assert "accumulator" in layers.QuantConv3D.roles
    assert "accumulator" not in layers.QuantSeparableConv2D.roles
    with pytest.raises(Exception, match="accumulator"):
        layers.QuantEinsumDense("ab,bc->ac", 2, accumulator=NARROW)
