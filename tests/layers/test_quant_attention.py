"""Attention: projections, probabilities and output quantized, against NumPy and plain Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import eighths, fixed_point, q, train_and_reload

from tests.arrays import floats
from tq_halp import layers
from tq_halp.layers.tensor_observers import observing

W, B, A = fixed_point(2), fixed_point(3), fixed_point(4)
ROLES = {"weights": W, "bias": B, "activations": A}
MAKE = {
    "multi_head": lambda cls, **options: cls(2, 4, **options),
    "grouped": lambda cls, **options: cls(4, num_query_heads=4, num_key_value_heads=2, **options),
}
CLASSES = {
    "multi_head": (keras.layers.MultiHeadAttention, layers.QuantMultiHeadAttention),
    "grouped": (keras.layers.GroupQueryAttention, layers.QuantGroupQueryAttention),
}
kinds = pytest.mark.parametrize("kind", MAKE)


def make(kind, quantized=True, **options):
    return MAKE[kind](CLASSES[kind][quantized], **options)


def fill(layer, values, features=4):
    layer.build((2, 5, features), (2, 3, features))
    for k, variable in enumerate(layer.trainable_variables):
        variable.assign(values(*variable.shape, seed=k))
    return layer


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def numpy_attention(x, y, weights, mask, activations):
    """The formula of QuantizedAttention's docstring in float64; the output and P."""
    w = [q(each, B if k % 2 else W) for k, each in enumerate(weights)]
    a = (lambda x: q(x, activations)) if activations else (lambda x: x)
    query = a(np.einsum("btd,dnh->btnh", x, w[0]) + w[1])
    key = a(np.einsum("bsd,dnh->bsnh", y, w[2]) + w[3])
    value = a(np.einsum("bsd,dnh->bsnh", y, w[4]) + w[5])
    groups = query.shape[2] // key.shape[2]
    key, value = (np.repeat(each, groups, axis=2) for each in (key, value))
    scores = np.einsum("btnh,bsnh->bnts", query, key) / np.sqrt(query.shape[-1])
    scores = np.where(mask[:, None], scores, -np.inf)
    p = a(softmax(scores))
    context = np.einsum("bnts,bsnh->btnh", p, value)
    return a(np.einsum("btnh,nhd->btd", context, w[6]) + w[7]), p


@kinds
@pytest.mark.parametrize("causal", [False, True], ids=["", "causal"])
def test_it_equals_the_numpy_formula(kind, causal):
    """Equality: all but the softmax is exact in float32, and that differs in its last bits, which
    no probability here is near enough to the middle between two grid points to notice."""
    layer = fill(make(kind, **ROLES), eighths)
    x, y = eighths(2, 5, 4, seed=8), eighths(2, 3, 4, seed=9)
    mask = np.array([[[True, True, False]] * 5, [[True, False, True]] * 5])
    options = dict(attention_mask=mask)
    if causal:
        options["use_causal_mask"] = True
        mask = mask & np.tril(np.ones([5, 3], bool))
    want, p = numpy_attention(x, y, layer.get_weights(), mask, A)
    got, scores = layer(x, y, return_attention_scores=True, **options)
    np.testing.assert_array_equal(scores, p)
    np.testing.assert_array_equal(got, want)
    # Not asked for the scores Keras would take the fused way, past them.
    np.testing.assert_array_equal(layer(x, y, **options), want)
    np.testing.assert_array_equal(tf.function(layer)(x, y, **options), want)


OPTIONS = [
    dict(),
    dict(dropout=0.4, seed=3),
    dict(use_gate=True, sliding_window=2),
    dict(use_bias=False, dtype="mixed_bfloat16"),
]


@kinds
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o))
def test_without_quantizers_it_is_the_keras_layer(kind, options):
    """Bit for bit, with masks and without, the gradients too."""
    results = []
    for quantized in (False, True):
        keras.utils.set_random_seed(7)
        layer = make(kind, quantized, **options)
        x = tf.constant(floats(2, 5, 4))
        results.append([])
        for call in (
            dict(training=True),
            dict(use_causal_mask=True),
            dict(attention_mask=np.tril(np.ones([2, 5, 5], bool)), return_attention_scores=True),
        ):
            with tf.GradientTape() as tape:
                y = layer(x, x, **call)
                loss = tf.add_n(
                    [tf.reduce_sum(tf.cast(each, "float32") ** 2) for each in keras.tree.flatten(y)]
                )
            results[-1] += [loss, *tape.gradient(loss, layer.trainable_variables)]
    for got, want in zip(*results, strict=True):
        np.testing.assert_array_equal(np.float32(got), np.float32(want))


@kinds
def test_every_tensor_is_on_its_grid_inside_the_call(kind):
    roles = {**ROLES, "gradients": fixed_point(6), "errors": fixed_point(7)}
    layer = fill(make(kind, **roles), floats)
    seen = []
    with observing(seen.append), tf.GradientTape() as tape:
        x = tf.constant(floats(2, 5, 4))
        loss = tf.reduce_sum(layer(x, x, training=True) ** 2)
        tape.gradient(loss, layer.trainable_variables)
    for each in seen:
        step = 2.0 ** -roles[each.role]["frac_bits"]
        value = each.quantized.numpy()
        np.testing.assert_array_equal(value, np.rint(value / step) * step)
    inside = ["query", "key", "value", "probabilities", "output"]
    assert [each.tensor for each in seen if each.role == "activations"] == inside
    errors = [each.tensor for each in seen if each.role == "errors"]
    assert sorted(errors) == sorted(f"{name}/error" for name in inside)
    for role, count in {"weights": 4, "bias": 4, "gradients": 8}.items():
        names = {each.tensor for each in seen if each.role == role}
        assert len(names) == sum(each.role == role for each in seen) == count


def test_heads_of_a_group_share_their_keys_and_values():
    s = fixed_point(4, "stochastic")
    layer = fill(make("grouped", activations=s), floats)
    seen = []
    with observing(seen.append):
        layer(floats(2, 5, 4), floats(2, 3, 4))
    assert {each.tensor: each.x.shape[2] for each in seen if each.tensor in ("key", "value")} == {
        "key": 2,
        "value": 2,
    }


@kinds
def test_flash_attention_never_passes_a_quantizer_by(kind):
    layer, other = make(kind, activations=A, flash_attention=True), make(kind, **ROLES)
    fill(layer, eighths)
    other.build((2, 5, 4), (2, 3, 4))
    plain = make(kind, activations=A)
    fill(plain, eighths)
    x, y = eighths(2, 5, 4, seed=8), eighths(2, 3, 4, seed=9)
    np.testing.assert_array_equal(layer(x, y), plain(x, y))


@kinds
def test_it_trains_is_saved_and_goes_on_after_loading(kind, tmp_path):
    s = fixed_point(5, "stochastic")
    layer = make(kind, **dict.fromkeys(layers.QuantMultiHeadAttention.roles, s))
    tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(7, 4, mask_zero=kind == "multi_head")(tokens)
    model = keras.Model(tokens, layer(x, x, use_causal_mask=True))
    x = np.random.default_rng(0).integers(0, 7, (4, 5))
    train_and_reload(model, tmp_path, x, floats(4, 5, 4))
    assert layer.rounding_counter.calls.numpy() == 4
