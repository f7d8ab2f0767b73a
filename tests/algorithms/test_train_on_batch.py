"""train_on_batch where something comes in between, and what the training data may be."""

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import BATCH, SAMPLES, X, Y, assert_same_weights, trainer

import tq_halp
from tq_halp.algorithms.full_gradient import FullGradient

SVRG_KINDS = ("SVRG", "LowPrecisionSVRG", "HALP")
NEED_DATA = (*SVRG_KINDS, "BitCenteredSGD", "SAGA", "BitCenteredSAGA")


def informed(kind, **kwargs):
    """A trainer that knows its data."""
    algorithm = trainer(kind, **kwargs)
    algorithm.set_full_gradient_data(X, Y, batch_size=BATCH)
    return algorithm


def step(algorithm, *numbers):
    for number in numbers:
        algorithm.train_on_batch(*contract.batches()[number])


@pytest.mark.parametrize("kind", SVRG_KINDS)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_snapshot_that_was_broken_off_is_taken_again(kind, steps, monkeypatch):
    """The first or the second one, broken off in the middle of its pass."""
    broken, whole = informed(kind), informed(kind)
    for each in (broken, whole):
        step(each, *range(steps))
    accumulate, calls = FullGradient._accumulate, []

    def stopped(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return accumulate(*args)

    with monkeypatch.context() as patch:
        patch.setattr(FullGradient, "_accumulate", stopped)
        with pytest.raises(KeyboardInterrupt):
            step(broken, 0)
    for each in (broken, whole):
        step(each, 0, 1)
    for got, want in zip(broken.full_gradient, whole.full_gradient, strict=True):
        np.testing.assert_array_equal(got, want)
    assert_same_weights(broken.model, whole.model)


@pytest.mark.parametrize("kind", SVRG_KINDS)
def test_after_data_that_are_not_finite_good_ones_train(kind):
    algorithm = trainer(kind)
    bad = X.copy()
    bad[3, 1] = np.nan
    algorithm.set_full_gradient_data(bad, Y, batch_size=BATCH)
    step_size = contract.GRID.step if kind == "LowPrecisionSVRG" else 0.0
    before = algorithm.model.get_weights()
    for _ in range(2):
        with pytest.raises(tq_halp.InputError, match="x must hold finite numbers"):
            step(algorithm, 1)
    for got, want in zip(algorithm.model.get_weights(), before, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=step_size)
    algorithm.set_full_gradient_data(X, Y, batch_size=BATCH)
    step(algorithm, 1)
    assert all(np.isfinite(weight).all() for weight in algorithm.model.get_weights())


@pytest.mark.parametrize("kind", SVRG_KINDS)
def test_compiled_anew_it_begins_anew(kind):
    """With another loss the snapshot is of that loss."""
    algorithm = informed(kind)
    step(algorithm, 0, 1)
    algorithm.compile(keras.optimizers.SGD(0.0), "mae", run_eagerly=True)
    step(algorithm, 2)
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.abs(algorithm.model(X) - Y))
    want = tape.gradient(loss, algorithm.trainable_variables)
    for got, expected in zip(algorithm.full_gradient, want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", (*SVRG_KINDS, "SWALP"))
def test_a_layer_frozen_in_between_is_refused(kind):
    algorithm = informed(kind) if kind != "SWALP" else trainer(kind)
    step(algorithm, 0, 1)
    algorithm.model.layers[0].trainable = False
    algorithm.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    with pytest.raises(tq_halp.InputError, match="other trainable weights than when"):
        step(algorithm, 2)


@pytest.mark.parametrize("kind", contract.CLASSES)
def test_it_builds_an_unbuilt_model(kind):
    unbuilt, built = (
        trainer(kind, keras.Sequential(layers))
        for layers in ([keras.layers.Dense(2)], [keras.Input((4,)), keras.layers.Dense(2)])
    )
    for algorithm in (unbuilt, built):
        if kind in NEED_DATA:
            algorithm.set_full_gradient_data((X, Y), batch_size=BATCH)
        keras.utils.set_random_seed(0)
        algorithm.train_on_batch(X, Y)
        assert len(algorithm.model.get_weights()) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": X, "y": Y[:21]}, "as many samples each. Received: 21, 25"),
        ({"x": X, "y": Y, "sample_weight": np.ones(3)}, "as many samples each. Received: 3, 25"),
        ({"x": X, "y": Y, "batch_size": -1}, "batch_size must be a positive integer. Received: -1"),
        (
            {"x": X, "y": Y, "sample_weight": np.ones(SAMPLES), "class_weight": {0: 2.0}},
            "class_weight must be None beside sample_weight",
        ),
        ({"x": [1.0, 2.0]}, "arrays, a finite tf.data.Dataset or a PyDataset. Received a list"),
        ({"x": iter([X])}, "Received a list_iterator, which can be read only once"),
        ({"x": X[:0], "y": Y[:0]}, "at least one sample"),
    ],
)
def test_data_that_are_none(data, message):
    with pytest.raises(tq_halp.InputError, match=message):
        trainer("SVRG").set_full_gradient_data(**data)
