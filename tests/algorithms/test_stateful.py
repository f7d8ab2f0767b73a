"""Stateful RNNs: truncated back-propagation through states that are carried across batches."""

import keras
import numpy as np
import pytest

import tq_halp

SEQUENCES, STEPS, FEATURES, BATCHES = 3, 4, 2, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(BATCHES * SEQUENCES, STEPS, FEATURES)).astype("float32")
Y = RNG.normal(size=(BATCHES * SEQUENCES, 1)).astype("float32")


def build():
    keras.utils.set_random_seed(3)
    inputs = keras.Input(batch_shape=(SEQUENCES, STEPS, FEATURES))
    hidden = keras.layers.LSTM(3, stateful=True)(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


class Reset(keras.callbacks.Callback):
    """Every epoch begins at the beginning of the sequences."""

    def __init__(self, lstm):
        super().__init__()
        self.lstm = lstm

    def on_epoch_begin(self, epoch, logs=None):
        self.lstm.reset_state()


def states(model):
    return [state.numpy() for state in model.layers[1].states]


def fit(algorithm, rate=0.2, epochs=2, callbacks=()):
    algorithm.compile(keras.optimizers.SGD(rate), loss="mse", run_eagerly=True)
    callbacks = [Reset(algorithm.model.layers[1]), *callbacks]
    algorithm.fit(
        X, Y, batch_size=SEQUENCES, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
    )


@pytest.mark.parametrize("name", ["svrg", "halp"])
def test_state_after_an_epoch_is_that_of_a_plain_forward_pass(name):
    algorithm = {"svrg": tq_halp.SVRG, "halp": tq_halp.HALP}[name](build(), snapshot_every=2)
    fit(algorithm, rate=0.0)
    plain = build()
    for start in range(0, len(X), SEQUENCES):
        plain(X[start : start + SEQUENCES])
    for got, want in zip(states(algorithm.model), states(plain), strict=True):
        assert np.abs(want).max() > 0.01
        np.testing.assert_array_equal(got, want)


class Recording(tq_halp.estimators.VarianceReduced):
    """Keeps the gradients at the snapshot and the steps."""

    def anchor_gradients(self, batch):
        gradients = super().anchor_gradients(batch)
        self.anchors.append([g.numpy() for g in gradients])
        return gradients


def recording(**kwargs):
    estimator = Recording(**kwargs)
    estimator.anchors = []
    return tq_halp.Trainer(build(), estimator=estimator), estimator.anchors


def test_states_along_the_snapshot_are_carried_as_in_its_pass():
    """The anchors of an epoch have the full gradient as their mean, while the weights move on."""
    (algorithm, kept), epochs = recording(), []

    class Check(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            anchors = kept[-BATCHES:]
            means = [np.mean(parts, axis=0) for parts in zip(*anchors, strict=True)]
            for mean, full in zip(means, algorithm.full_gradient, strict=True):
                np.testing.assert_allclose(mean, full, rtol=1e-4, atol=1e-6)
            epochs.append(means[0])

    fit(algorithm, epochs=3, callbacks=[Check()])
    assert len(epochs) == 3 and np.abs(epochs[0] - epochs[1]).max() > 1e-3


def test_first_step_after_a_snapshot_in_the_middle_of_a_sequence():
    """There the state along w̃ is the iterate's own: the step is the full gradient itself."""
    algorithm, before, checked = tq_halp.SVRG(build(), snapshot_every=3), [], []

    class Check(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            before[:] = [v.numpy() for v in algorithm.trainable_variables]

        def on_train_batch_end(self, batch, logs=None):
            if int(algorithm.steps_since_snapshot) == 1:
                checked.append(batch)
                for old, new, full in zip(
                    before, algorithm.trainable_variables, algorithm.full_gradient, strict=True
                ):
                    want = old - np.float32(0.2) * full.numpy()
                    np.testing.assert_allclose(new, want, rtol=1e-6, atol=1e-7)

    fit(algorithm, callbacks=[Check()])
    assert checked == [0, 3, 1, 4]


def test_a_reset_by_hand_resets_the_state_along_the_snapshot():
    """T = two epochs: the second epoch's anchors are those of the first, from a state of zero."""
    algorithm, anchors = recording(snapshot_every=2 * BATCHES)
    fit(algorithm)
    for first, second in zip(anchors[:BATCHES], anchors[BATCHES:], strict=True):
        for one, two in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, two)


def test_shuffled_samples_are_refused():
    algorithm = tq_halp.SVRG(build())
    algorithm.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="shuffle must be False: a stateful RNN"):
        algorithm.fit(X, Y, batch_size=SEQUENCES, verbose=0)
