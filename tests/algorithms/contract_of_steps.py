"""Steps without fit, and data whose length Keras learns at their end."""

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import BATCH, X, Y, assert_same_weights, fit, is_svrg, network, trainer

import tq_halp


def train_on_batch(kind, _):
    by_hand, by_fit = trainer(kind), trainer(kind)
    for _ in range(2):
        for x, y in contract.batches():
            by_hand.train_on_batch(x, y)
    fit(by_fit)
    assert by_hand.evaluate(X, Y, verbose=0) == by_fit.evaluate(X, Y, verbose=0)
    assert_same_weights(by_hand.model, by_fit.model)


def train_on_batch_with_data(kind, _):
    by_hand, by_fit = trainer(kind), trainer(kind)
    by_hand.set_full_gradient_data(X, Y, batch_size=BATCH)
    for _ in range(2):
        for x, y in contract.batches():
            by_hand.train_on_batch(x, y)
    fit(by_fit)
    assert_same_weights(by_hand, by_fit)
    if kind == "SAGA":  # which takes no snapshots
        return
    # Other data, another snapshot.
    by_hand.set_full_gradient_data(X[:BATCH], Y[:BATCH], batch_size=BATCH)
    before = [center.numpy() for center in by_hand.center]
    by_hand.train_on_batch(*contract.batches()[0])
    assert any(np.any(c.numpy() != b) for c, b in zip(by_hand.center, before, strict=True))


def train_on_batch_after_fit(kind, tmp_path):
    algorithm = trainer(kind)
    fit(algorithm)
    step = int(algorithm.step_count)
    algorithm.train_on_batch(X[:BATCH], Y[:BATCH])
    assert int(algorithm.step_count) == step + 1


def train_step_by_itself(kind, _):
    algorithm = trainer(kind)
    before = algorithm.model.get_weights()
    algorithm.optimizer.build(algorithm.trainable_variables)
    algorithm.train_step((tf.constant(X), tf.constant(Y)))
    assert any(np.any(w != b) for w, b in zip(algorithm.model.get_weights(), before, strict=True))


def _same_of_unknown_length(kind, whole, **kwargs):
    """The same data, with and without a length that Keras can know, in a model that draws."""
    results, count = [], int(whole.cardinality())
    for data in (whole, whole.filter(lambda x, y: True)):
        model = network()
        quantization = {"format": "bfloat16", "rounding": "stochastic"}
        layers = [
            tq_halp.layers.Quantize(quantization, name="noise"),
            keras.layers.Dropout(0.2, seed=3, name="mask"),
        ]
        model = keras.Sequential([keras.Input((4,)), *layers, *model.layers])
        algorithm = trainer(kind, model, keras.optimizers.Adam(0.05), eagerly=False, **kwargs)
        history = fit(algorithm, 3, x=data, y=None, batch_size=None, shuffle=True)
        results.append((algorithm, history))
    (known, history), (unknown, other) = results
    assert history.keys() == other.keys()
    for name in history:
        np.testing.assert_array_equal(history[name], other[name], err_msg=name)
    assert history["step"] == [count, 2 * count, 3 * count]
    assert_same_weights(known, unknown)
    for one, two in zip(known.optimizer.variables, unknown.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert getattr(known, "segment_length", count) == count
    return known


def unknown_length(kind, _):
    algorithm = _same_of_unknown_length(kind, contract.data_set())
    assert int(getattr(algorithm, "snapshot_count", 3)) == 3


def several_steps_per_execution(kind, _):
    six = contract.data_set().unbatch().take(22).batch(4)
    six = six.apply(tf.data.experimental.assert_cardinality(6))
    _same_of_unknown_length(kind, six, steps_per_execution=3)


def other_lengths_every_epoch(kind, _):
    """Passes over the data of 3, 2, 3, 2, ... minibatches: each epoch begins with a snapshot."""
    passes = []

    def generate():
        passes.append(len(passes))
        yield from contract.batches()[: 3 - len(passes) // 2 % 2 if is_svrg(kind) else 3]

    spec = tuple(tf.TensorSpec((None, n), tf.float32) for n in (4, 2))
    algorithm = trainer(kind)
    snapshots = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            snapshots.append((batch, int(getattr(self.model, "snapshot_count", 0))))

    data = tf.data.Dataset.from_generator(generate, output_signature=spec)
    history = fit(algorithm, 4, x=data, y=None, batch_size=None, callbacks=[Watch()])
    assert history["step"][-1] == len(snapshots)
    if is_svrg(kind):
        numbers = [count for batch, count in snapshots if batch == 0]
        assert numbers == [1, 2, 3, 4] and snapshots[-1][1] == 4
    else:
        assert history["gradient_evaluations"] == [1.0, 2.0, 3.0, 4.0]


def a_longer_epoch_than_the_first(kind, _):
    """Keras ends it early; that is said."""
    passes = []

    def generate():
        passes.append(len(passes))
        yield from (2 * contract.batches())[: 2 if len(passes) <= 1 + is_svrg(kind) else 6]

    spec = tuple(tf.TensorSpec((None, n), tf.float32) for n in (4, 2))
    data = tf.data.Dataset.from_generator(generate, output_signature=spec)
    if "SAGA" in kind:  # One refuses them: pytest.warns would hide how.
        fit(trainer(kind), 2, x=data, y=None, batch_size=None)
    with pytest.warns(UserWarning, match="longer than those of the first.*assert_cardinality"):
        history = fit(trainer(kind), 2, x=data, y=None, batch_size=None)
    assert history["step"] == [2, 5]


def weights_set_by_a_callback(kind, _):
    """Set between two steps, they are what the next step begins with."""
    learning = trainer(kind, optimizer=keras.optimizers.SGD(1e-4))

    class Set(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kernel = learning.model.layers[-1].kernel
            if batch == 0:
                kernel.assign(np.full(kernel.shape, 1.5))
            if batch == 1:
                self.after = kernel.numpy()

    callback = Set()
    fit(learning, 1, callbacks=[callback])
    # A step of 1e-4 moves it by one step of the grid at most.
    np.testing.assert_allclose(callback.after, 1.5, atol=contract.GRID.step)
    if is_svrg(kind):
        assert int(learning.snapshot_count) == (1 if "SVRG" in kind else 2)
