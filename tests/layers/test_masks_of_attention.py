"""What masks mean to a quantized attention: what they mean to Keras, also where nothing is left."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import eighths

from tests.arrays import floats
from tests.graphs import traced
from tq_halp import layers

# So fine that it changes no float32 of this size: what is compared is all the rest.
FINE = {"format": "minifloat", "exponent_bits": 8, "mantissa_bits": 23}
CLASSES = {
    "multi_head": (
        lambda **k: keras.layers.MultiHeadAttention(2, 4, **k),
        lambda **k: layers.QuantMultiHeadAttention(2, 4, activations=FINE, errors=FINE, **k),
    ),
    "grouped": (
        lambda **k: keras.layers.GroupQueryAttention(4, 4, 2, **k),
        lambda **k: layers.QuantGroupQueryAttention(4, 4, 2, activations=FINE, errors=FINE, **k),
    ),
}
NOTHING = np.ones([2, 5, 3], bool)
NOTHING[0, 1] = NOTHING[1, 2:] = False
MASKS = {
    "bool": dict(attention_mask=NOTHING),
    "float": dict(attention_mask=np.where(NOTHING, 0.25, 0).astype("float32")),
    "int": dict(attention_mask=NOTHING.astype("int32")),
    "causal": dict(use_causal_mask=True),
    "causal and more": dict(attention_mask=NOTHING, use_causal_mask=True),
    "query": dict(query_mask=np.array([[True] * 5, [False, True] * 2 + [True]])),
    "value": dict(value_mask=np.array([[False] * 3, [True, False, True]])),
    "key": dict(key_mask=np.array([[True, True, False], [False] * 3])),
    "all": dict(
        query_mask=np.array([[True, False] * 2 + [True]] * 2),
        value_mask=np.array([[False, True, True]] * 2),
        key_mask=np.array([[True, True, False]] * 2),
        use_causal_mask=True,
    ),
}
OPTIONS = {
    "": {},
    "scores": {},
    "dropout": {"dropout": 0.5},
    "flash off": {"flash_attention": False},
    "mixed_float16": {"dtype": "mixed_float16"},
    "mixed_bfloat16": {"dtype": "mixed_bfloat16"},
}


def pair(kind, **options):
    made = [make(**options) for make in CLASSES[kind]]
    for layer in made:
        layer.build((2, 5, 4), (2, 3, 4))
        for k, variable in enumerate(layer.trainable_variables):
            variable.assign(floats(*variable.shape, seed=k))
    return made


def combinations():
    """Every mask without options and in half precision, whose range is the smallest; with another
    option the one class has half of the masks and the other class the others, and all has both."""
    for (k, kind), (m, mask), (o, option) in itertools.product(
        *map(enumerate, (CLASSES, MASKS, OPTIONS))
    ):
        if option in ("", "mixed_float16") or mask == "all" or (k + m + o) % 2:
            yield option, mask, kind


@pytest.mark.parametrize("option, mask, kind", list(combinations()))
def test_a_mask_is_the_one_of_keras(kind, mask, option):
    plain, quantized = pair(kind, **OPTIONS[option])
    call = {**MASKS[mask], "return_attention_scores": option == "scores"}
    call = {k: tf.constant(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}
    x, y = eighths(2, 5, 4, seed=8), eighths(2, 3, 4, seed=9)
    tolerance = {"mixed_float16": 2e-3, "mixed_bfloat16": 2e-2}.get(option, 1e-6)
    # In a graph every mask without options and every option with all masks.
    in_a_graph = [traced(quantized)] if not option or mask == "all" else []
    for each in (quantized, *in_a_graph):
        got, want = (keras.tree.flatten(layer(x, y, **call)) for layer in (each, plain))
        for a, b in zip(got, want, strict=True):
            assert a.dtype == b.dtype
            a, b = np.float32(a), np.float32(b)
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.mark.parametrize("kind", CLASSES)
def test_scores_far_below_zero_are_not_taken_for_masked(kind):
    """-31752 is below the -30000 that Keras' softmax puts where a mask says no, in half precision.

    A query of 4 * 31.5 and its negative as key: 4 products of -15876, divided by sqrt(4).
    """
    plain, quantized = pair(kind, dtype="mixed_float16")
    for layer in (plain, quantized):
        layer._query_dense.kernel.assign(31.5 + 0 * layer._query_dense.kernel)
        layer._key_dense.kernel.assign(-31.5 + 0 * layer._key_dense.kernel)
        layer._query_dense.bias.assign(0 * layer._query_dense.bias)
        layer._key_dense.bias.assign(0 * layer._key_dense.bias)
    x = np.ones([2, 3, 4], np.float32)
    got, want = (np.float32(each(x, x, use_causal_mask=True)) for each in (quantized, plain))
    assert np.ptp(want, axis=1).max() < 1e-2 < np.abs(want).min()  # the mean of equal values
    np.testing.assert_allclose(got, want, rtol=2e-3)


@pytest.mark.parametrize("kind", CLASSES)
def test_gradients_where_nothing_is_left_are_those_of_keras(kind):
    results = []
    for layer in pair(kind):
        x = tf.constant(eighths(2, 5, 4, seed=8))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, x[:, :3], attention_mask=NOTHING) ** 2)
        results.append(tape.gradient(loss, layer.trainable_variables))
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", [{}, {"use_scale": True}], ids=["", "scale"])
@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
@pytest.mark.parametrize("automatic", [False, True], ids=["given", "of the input"])
def test_a_wrapped_attention_masks_as_keras_does(name, option, automatic):
    plain = getattr(keras.layers, name)(**option)
    wrapped = layers.QuantLayer(getattr(keras.layers, name)(**option), activations=FINE)
    for each in (plain, wrapped):
        each.build([(2, 5, 4), (2, 3, 4)])
    wrapped.set_weights(plain.get_weights())
    x = [tf.constant(floats(2, 5, 4)), tf.constant(floats(2, 3, 4, seed=1))]
    masks = [
        tf.constant([[True, False] * 2 + [True], [False] * 5]),
        tf.constant([[True, True, False], [False] * 3]),
    ]
    results = []
    for layer in (plain, wrapped):
        given = [tf.identity(each) for each in x]
        if automatic:
            for each, mask in zip(given, masks, strict=True):
                each._keras_mask = mask
        call = {} if automatic else {"mask": masks}
        results.append(layer(given, use_causal_mask=True, **call))
    np.testing.assert_array_equal(results[1], results[0])
