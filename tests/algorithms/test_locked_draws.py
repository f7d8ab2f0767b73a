"""Dropout masks and augmentation, fixed for a minibatch from one snapshot to the next."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tq_halp.algorithms import Batch
from tq_halp.algorithms.transform_locking import TransformLocking, key_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 6, 6, 2)).astype("float32")
Y = RNG.integers(0, 3, size=50)


def augmenting(*more):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.RandomFlip(seed=1), keras.layers.RandomTranslation(0.3, 0.3, seed=2)]
    layers += [*more, keras.layers.Flatten(), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((6, 6, 2)), *layers])


def compiled(algorithm, rate=0.1, **kwargs):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    algorithm.compile(keras.optimizers.SGD(rate), loss=loss, **kwargs)
    return algorithm


@pytest.fixture(scope="module")
def trained():
    """SVRG in the middle of its first segment, with everything that draws or has statistics."""
    model = augmenting(
        keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)
    )
    algorithm = compiled(tq_halp.SVRG(model, snapshot_every=100))
    algorithm.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert int(algorithm.snapshot_count) == 1 and int(algorithm.step_count) == 14

    @tf.function
    def both(x, y):
        anchor = algorithm.estimator.anchor_gradients(Batch(x, y))
        with tf.GradientTape() as tape:
            loss = algorithm.compute_loss(x, y, algorithm(x, training=True), training=True)
        return anchor, tape.gradient(loss, algorithm.trainable_variables)

    return algorithm, both


def anchors(trained):
    algorithm, both = trained
    return [(len(x), both(x, y)[0]) for x, y, _ in algorithm.batches]


def relative_mean_correction(trained):
    """‖(1/N) Σ_b n_b (∇f_b(w̃) − g̃)‖ / ‖g̃‖."""
    total = [np.zeros(g.shape) for g in trained[0].full_gradient]
    for size, gradients in anchors(trained):
        for index, gradient in enumerate(gradients):
            total[index] += size / len(X) * (gradient - trained[0].full_gradient[index]).numpy()
    norm = np.sqrt(sum(np.sum(np.square(t)) for t in total))
    return norm / float(tf.linalg.global_norm([g.value for g in trained[0].full_gradient]))


def test_mean_correction_over_an_epoch_is_zero(trained):
    """Float32 sums of 7 terms; without the same draws it would be of the size of 1."""
    assert relative_mean_correction(trained) < 1e-5


def test_another_snapshot_draws_anew(trained):
    count = trained[0].snapshot_count
    count.assign_add(1)
    assert relative_mean_correction(trained) > 0.1
    count.assign_sub(1)
    assert relative_mean_correction(trained) < 1e-5


def test_correction_is_exactly_zero_at_the_snapshot(trained):
    algorithm, both = trained
    for center, variable in zip(algorithm.center, algorithm.trainable_variables, strict=True):
        variable.assign(center)
    for x, y, _ in algorithm.batches:
        for a, b in zip(*both(x, y), strict=True):
            np.testing.assert_array_equal(a, b)


def test_batches_draw_differently_and_repeatably(trained):
    """What is drawn for one sample depends on its batch."""
    first, again = anchors(trained), anchors(trained)
    for (_, one), (_, two) in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    algorithm, both = trained
    x, y = X[:8], Y[:8]
    moved = np.concatenate([x[1:], x[:1]])
    plain, shifted = both(x, y)[0], both(moved, np.roll(y, -1))[0]
    assert np.abs(plain[0] - shifted[0]).max() > 1e-3


def test_the_first_step_after_a_snapshot_is_the_full_gradient():
    """In the whole of `fit`, at every snapshot, augmentation and shuffled batches included."""
    algorithm = compiled(tq_halp.SVRG(augmenting(keras.layers.Dropout(0.5)), snapshot_every=3))
    before, errors = [], []

    class Check(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before[:] = [w.numpy() for w in algorithm.trainable_variables]

        def on_train_batch_end(self, batch, logs=None):
            if int(algorithm.steps_since_snapshot) == 1:
                for old, new, full in zip(
                    before, algorithm.trainable_variables, algorithm.full_gradient, strict=True
                ):
                    want = old - np.float32(0.1) * full.numpy()
                    errors.append(np.abs(new.numpy() - want).max())

    algorithm.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[Check()])
    # One rounding of the product, one of the difference: weights are below 2.
    assert len(errors) == 2 * 5 and max(errors) <= 3 * 2.0**-23


def test_samples_in_other_batches_than_the_snapshots_are_refused():
    pairs = tf.data.Dataset.from_tensor_slices((X, Y))
    in_batches, in_samples = pairs.batch(8).shuffle(7), pairs.shuffle(50).batch(8)
    algorithm = compiled(tq_halp.SVRG(augmenting()))
    algorithm.fit(in_batches, epochs=2, verbose=0)
    with pytest.raises(ValueError, match="Batch the data before shuffling.*draws='fresh'"):
        algorithm.fit(in_samples, epochs=1, verbose=0)
    compiled(tq_halp.SVRG(augmenting(), draws="fresh")).fit(in_samples, epochs=1, verbose=0)


def test_masks_are_locked_under_xla_too(monkeypatch):
    """XLA makes other masks of a seed: the snapshot's pass and the step are compiled alike."""
    monkeypatch.setenv("QUANT_OPS_BACKEND", "composite")
    layers = [keras.layers.Flatten(), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((6, 6, 2)), *layers])
    algorithm = compiled(tq_halp.SVRG(model), jit_compile=True)
    algorithm.fit(X, Y, batch_size=8, epochs=1, verbose=0)
    anchor = tf.function(algorithm.estimator.anchor_gradients, jit_compile=True)
    kernel = [len(x) / len(X) * anchor(Batch(x, y))[0].numpy() for x, y, _ in algorithm.batches]
    full = algorithm.full_gradient[0].numpy()
    assert np.abs(sum(kernel) - full).max() < 1e-6 < 1e-2 < np.abs(full).max()


def test_arrays_keep_their_batches_only_where_something_is_drawn():
    def batches_kept(*layers, draws="locked"):
        model = keras.Sequential([keras.Input((6,)), *layers, keras.layers.Dense(3)])
        algorithm = compiled(tq_halp.SVRG(model, draws=draws), run_eagerly=True)
        seen = []

        class Keys(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen.append(int(algorithm.batch_key))

        x = X.reshape(50, -1)[:, :6]
        algorithm.fit(x, Y, batch_size=25, epochs=3, verbose=0, callbacks=[Keys()])
        return not algorithm.batches.of_arrays, len(set(seen))

    assert batches_kept(keras.layers.Dropout(0.5)) == (True, 2)
    assert batches_kept(keras.layers.Dropout(0.0)) == (False, 1)
    assert batches_kept(keras.layers.Dropout(0.5), draws="fresh") == (False, 1)


def test_recurrent_layers_draw_if_they_drop_out():
    """They have a seed generator in any case."""
    x = tf.zeros((2, 3, 4))
    for rate in (0.0, 0.5):
        model = keras.Sequential([keras.Input((3, 4)), keras.layers.LSTM(2, dropout=rate)])
        assert TransformLocking(model).are_made(x) == (rate > 0)


def test_stochastic_rounding_in_the_model_is_locked_too():
    x, y = X.reshape(50, -1)[:16, :6], Y[:16]
    w8 = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2, "rounding": "stochastic"}
    model = keras.Sequential([keras.Input((6,)), tq_halp.layers.QuantDense(3, weights=w8)])
    algorithm = compiled(tq_halp.SVRG(model, snapshot_every=50), run_eagerly=True)
    algorithm.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    parts = [
        algorithm.estimator.anchor_gradients(Batch(x[i : i + 8], y[i : i + 8])) for i in (0, 8)
    ]
    mean = (parts[0][0] + parts[1][0]) / 2
    np.testing.assert_allclose(mean, algorithm.full_gradient[0], atol=1e-6)


def test_keys():
    x = X[:4]
    assert int(key_of(x)) == int(key_of(x.astype("float64"))) >= 0
    others = [x[::-1].copy(), x + 1, X[:3], {"a": x, "b": x}, (X[:4] * 9).astype("int32")]
    others.append(np.array([b"one", b"two"]))
    assert len({int(key_of(other)) for other in [x, *others]}) == 1 + len(others)
