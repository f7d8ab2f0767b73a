"""What an RNN can be given: no samples, no steps, ragged rows, masks, states."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from recurrent_layers import KINDS, fill

from tests.arrays import floats
from tests.graphs import traced
from tests.mappings import make_map
from tq_halp import InputError

# So fine that it changes no float32 of this size: what is compared is all the rest.
FINE = {"format": "minifloat", "exponent_bits": 8, "mantissa_bits": 23}
X = floats(2, 5, 4)
MASK = tf.constant([[True, True, True, False, False], [False] * 5])
OPTIONS = [
    dict(),
    dict(go_backwards=True, return_sequences=True),
    dict(unroll=True, return_state=True),
    dict(zero_output_for_mask=True, return_sequences=True),
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def pair(kind, **options):
    roles = dict.fromkeys(["weights", "bias", "state", "gates", "activations", "errors"], FINE)
    plain, ours = kind.keras(3, **options), kind.layer(3, **options, **kind.roles(roles))
    return fill(plain, 4), fill(ours, 4)


def check(got, want):
    got, want = keras.tree.flatten(got), keras.tree.flatten(want)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, atol=1e-6)


@kinds
@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o))
def test_masks_and_states_mean_what_they_mean_to_keras(kind, options):
    plain, ours = pair(kind, **options)
    states = [floats(2, 3, seed=7 + k) for k in range(kind.states)]
    both = {"mask": MASK, "initial_state": states}
    for call in ({}, {"mask": MASK}, {"initial_state": states}, both):
        check(ours(X, **call), plain(X, **call))
    # One graph a kind of loop, as tracing takes longer than all the rest.
    if not options or options.get("unroll"):
        check(traced(ours)(X, **both), plain(X, **both))


@kinds
@pytest.mark.parametrize("keyword", [False, True])
def test_states_that_are_inputs_of_a_model(kind, keyword, tmp_path):
    """keras #18367."""

    def model(layer):
        inputs = keras.Input((5, 4))
        states = [keras.Input((3,)) for _ in range(kind.states)]
        y = layer(inputs, initial_state=states) if keyword else layer(inputs, states)
        return keras.Model([inputs, *states], y)

    plain, ours = map(model, pair(kind, return_state=True))
    x = [X, *(floats(2, 3, seed=7 + k) for k in range(kind.states))]
    check(ours(x), plain(x))
    rule = {"layers": ".*", "weights": FINE, "state": FINE}
    mapped = make_map(rule).apply(plain)
    check(mapped(x), plain(x))
    ours.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for got, want in zip(loaded(x), ours(x), strict=True):
        np.testing.assert_array_equal(got, want)


@kinds
@pytest.mark.parametrize("unroll", [False, True], ids=["loop", "unroll"])
def test_a_batch_of_no_samples_has_no_outputs(kind, unroll):
    _, ours = pair(kind, return_sequences=True, return_state=True, unroll=unroll)
    for call in (ours, traced(ours)):
        y, *states = call(X[:0])
        assert y.shape == (0, 5, 3) and [s.shape for s in states] == [(0, 3)] * kind.states


@kinds
def test_sequences_that_it_cannot_take_are_named(kind):
    _, ours = pair(kind)
    with pytest.raises(InputError, match=r"at least one time step. Received: shape \(2, 0, 4\)"):
        ours(X[:, :0])
    ragged = tf.ragged.constant([[[1.0] * 4] * 2, [[1.0] * 4] * 3])
    with pytest.raises(InputError, match="must be a dense tensor, padded and with a mask"):
        ours(ragged)


def test_masks_reach_what_comes_after_a_wrapper():
    """tensorflow #82316: past TimeDistributed and Bidirectional too."""

    def model():
        keras.utils.set_random_seed(0)
        return keras.Sequential(
            [
                keras.Input((5, 4)),
                keras.layers.Masking(),
                keras.layers.TimeDistributed(keras.layers.Dense(3)),
                keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True)),
                keras.layers.Dense(2),
                keras.layers.GRU(2),
            ]
        )

    rule = {"layers": ".*", "weights": FINE, "activations": FINE, "optional": True}
    plain = model()
    ours = make_map(rule).apply(plain)
    x = X.copy()
    x[:, 3:] = 0
    check(ours(x), plain(x))
    check(ours.predict(x, verbose=0), plain.predict(x, verbose=0))
    assert np.any(plain(X) != plain(x))
