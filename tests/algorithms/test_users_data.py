"""Data and models as users have them: not finite, ragged, sparse; names that are taken already."""

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import X, Y, fit, trainer

import tq_halp

SVRG_KINDS = ("SVRG", "LowPrecisionSVRG", "HALP")


@pytest.mark.parametrize("kind", SVRG_KINDS)
@pytest.mark.parametrize(
    ("name", "value", "place"),
    [("x", np.nan, (17, 2)), ("y", np.inf, (5, 1)), ("sample_weight", np.nan, (24,))],
)
def test_what_is_not_finite_is_named(kind, name, value, place):
    data = {"x": X.copy(), "y": Y.copy(), "sample_weight": np.ones(len(X), "float32")}
    data[name][place] = value
    with pytest.raises(tq_halp.InputError, match=f"^{name} must hold finite.*sample {place[0]}"):
        fit(trainer(kind), **data)


def test_what_is_not_finite_in_a_data_set_is_named():
    x = X.copy()
    x[17, 2] = np.nan
    data = tf.data.Dataset.from_tensor_slices((x, Y)).batch(10)
    with pytest.raises(tq_halp.InputError, match=r"^x must hold .* nan in sample 17, at \[2\]"):
        fit(trainer("HALP"), x=data, y=None, batch_size=None)


@pytest.mark.parametrize("kind", ["LowPrecisionSGD", "SVRG", "HALP"])
def test_ragged_inputs(kind):
    """As much as padded ones that are masked: the mean over the tokens that are there."""
    rows = [[1, 2, 3], [1, 2], [4], [1, 2, 3, 4]] * 3
    ragged, y = tf.ragged.constant(rows), np.arange(12.0)[:, None] / 12

    def model():
        keras.utils.set_random_seed(0)
        inputs = keras.Input((None,), dtype="int32", ragged=True)
        pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(5, 4)(inputs))
        return keras.Model(inputs, keras.layers.Dense(1)(pooled))

    losses = []
    data = tf.data.Dataset.from_tensor_slices((ragged, y)).batch(4)
    for source in ({"x": ragged, "y": y, "batch_size": 4}, {"x": data, "y": None}):
        algorithm = trainer(kind, model(), eagerly=False)
        losses.append(fit(algorithm, 3, **({"batch_size": None} | source))["loss"])
    np.testing.assert_array_equal(*losses)
    assert losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("kind", SVRG_KINDS)
def test_sparse_arrays_are_refused_and_sparse_data_sets_taken(kind):
    sparse = tf.sparse.from_dense(X * (X > 0))
    with pytest.raises(tq_halp.InputError, match="tf.data.Dataset.*sparse arrays"):
        fit(trainer(kind), x=sparse)
    data = tf.data.Dataset.from_tensor_slices((sparse, Y)).batch(10)
    dense = tf.data.Dataset.from_tensor_slices((X * (X > 0), Y)).batch(10)
    losses = [fit(trainer(kind), x=each, y=None, batch_size=None)["loss"] for each in (data, dense)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_arrays_of_the_other_byte_order():
    swapped = {"x": X.astype(">f4"), "y": Y.astype(">f8")}
    got, want = (fit(trainer("HALP"), **data)["loss"] for data in (swapped, {}))
    assert got == want


@keras.saving.register_keras_serializable("tests")
class Counting(keras.layers.Layer):
    """Has variables of its own with names that Keras and this package use for theirs."""

    def build(self, shape):
        named = ("calls", "seed_generator_state", "epoch", "loss")
        self.counts = [
            self.add_weight(
                shape=(2,), dtype="int64", initializer="zeros", trainable=False, name=name
            )
            for name in named
        ]
        self.driven = "mine"

    def call(self, x):
        for count in self.counts:
            count.assign_add([1, 1])
        return x


@pytest.mark.parametrize("kind", SVRG_KINDS)
def test_a_users_variable_is_the_users_whatever_its_name(kind):
    model = contract.network()
    noise = keras.layers.Dropout(0.1, seed=1)
    model = keras.Sequential([keras.Input((4,)), Counting(), noise, *model.layers])
    algorithm = trainer(kind, model, metrics=["mae"])
    fit(algorithm, 2)
    for count in model.layers[0].counts:
        np.testing.assert_array_equal(count, [6, 6])
    assert model.layers[0].driven == "mine"


def test_augmentation_is_known_by_its_class():
    from tq_halp.algorithms.transform_locking import TransformLocking

    def draws(*layers):
        model = keras.Sequential([keras.Input((4, 4, 3)), *layers])
        return TransformLocking(model)

    assert draws(keras.layers.RandAugment(seed=1)).of_augmentation
    assert draws(keras.Sequential([keras.layers.RandomFlip(seed=1)])).of_augmentation
    for layer in (keras.layers.Rescaling(2.0), keras.layers.Dropout(0.5, seed=1)):
        assert not draws(layer).of_augmentation


def test_the_variance_ratio_can_be_left_out():
    """And with it the minibatch gradients that it costs: six of the nine in a tiny epoch."""
    taken = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            taken.append(1)
            return x

    counts = {}
    for wanted in (True, False):
        taken.clear()
        model = keras.Sequential([keras.Input((4,)), Counted(), *contract.network().layers])
        algorithm = tq_halp.SVRG(model, variance_ratio=wanted)
        algorithm.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
        history = fit(algorithm, 1)
        counts[wanted] = len(taken)
        assert ("variance_ratio" in history) is wanted
        again = tq_halp.SVRG.from_config({**algorithm.get_config(), "model": contract_config()})
        assert again.variance_ratio is wanted
    assert counts[True] - counts[False] == 6


def contract_config():
    return keras.saving.serialize_keras_object(contract.network())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda m: tq_halp.HALP(m, mu=True),
            "mu must be 'displacement', 'auto' or a positive number",
        ),
        (
            lambda m: tq_halp.HALP(m, mu=float("nan")),
            "mu must be 'displacement', 'auto' or a positive number",
        ),
        (lambda m: tq_halp.HALP(m, word_bits=True), "word_bits must be an integer from 2"),
        (lambda m: tq_halp.HALP(m, word_bits=4, format="mxfp8"), "word_bits must be left out"),
        (lambda m: tq_halp.HALP(m, seed=1.5), "seed must be an integer from 0.*Received: 1.5"),
        (lambda m: tq_halp.SVRG(m, seed=True), "seed must be an integer from 0.*Received: True"),
        (lambda m: tq_halp.SVRG(m, variance_ratio=1), "variance_ratio must be True or False"),
        (lambda m: tq_halp.SVRG(m, coefficient=True), "coefficient must be a number from 0"),
        (lambda m: tq_halp.BitCenteredSGD(m, coefficient=0.5), "coefficient must be left out"),
        (lambda m: tq_halp.BitCenteredSGD(m, start_after=5), "start_after must be left out"),
    ],
)
def test_settings_that_mean_nothing_are_refused(build, message):
    with pytest.raises(tq_halp.InputError, match=message):
        build(contract.network())


def test_numbers_of_numpy_are_numbers():
    algorithm = tq_halp.HALP(contract.network(), mu=np.float32(0.5), word_bits=np.int64(6))
    assert (algorithm.mu, algorithm.word_bits) == (0.5, 6)


def test_a_constraint_that_the_format_cannot_hold_is_refused():
    model = contract.network(keras.constraints.NonNeg())
    algorithm = tq_halp.LowPrecisionSGD(model, "binary")
    algorithm.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    with pytest.raises(tq_halp.InputError, match="format must have the number 0 for the NonNeg"):
        fit(algorithm)
