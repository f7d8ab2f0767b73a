"""Each algorithm behaves as any Keras model: fit, callbacks, save, and errors that help."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp

ALGORITHMS = ("sgd", "lp_sgd", "svrg", "lp_svrg", "halp")
VARIANCE_REDUCED = ("svrg", "lp_svrg", "halp")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_fit_evaluate_predict_and_logs(name, data, wrap, network, compiled):
    x, y = data
    algorithm = compiled(wrap(name, network()))
    history = algorithm.fit(x, y, batch_size=8, epochs=3, validation_split=0.2, verbose=0).history
    assert history["step"] == [5, 10, 15]
    expected = {"loss", "val_loss", "accuracy", "val_accuracy", "step", "gradient_evaluations"}
    if name in VARIANCE_REDUCED:
        expected |= {"full_gradient_norm", "variance_ratio"}
        assert history["gradient_evaluations"] == [3.0, 6.0, 9.0]
    else:
        assert history["gradient_evaluations"] == [1.0, 2.0, 3.0]
    if name in ("halp", "lp_sgd", "lp_svrg"):
        expected |= {"scale", "saturated_fraction", "underflow_fraction"}
    expected |= {"mu"} if name == "halp" else set()
    assert set(history) == expected
    np.testing.assert_array_equal(
        algorithm.predict(x, verbose=0), algorithm.model.predict(x, verbose=0)
    )
    assert algorithm.evaluate(x, y, verbose=0, return_dict=True)["loss"] > 0


@pytest.mark.parametrize("name", ALGORITHMS)
def test_save_load_continue(name, data, tmp_path, wrap, network, compiled):
    x, y = data
    # Without dropout, whose seed Keras itself does not save.
    eagerly = name not in ("sgd", "halp")  # two are traced
    algorithm = compiled(wrap(name, network(dropout=0.0)), run_eagerly=eagerly)
    algorithm.fit(x, y, batch_size=8, epochs=1, verbose=0)
    algorithm.save(tmp_path / "algorithm.keras")
    loaded = keras.saving.load_model(tmp_path / "algorithm.keras")
    assert type(loaded) is type(algorithm)
    loaded.run_eagerly = eagerly
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), algorithm.predict(x, verbose=0))
    for model in (algorithm, loaded):
        model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for got, want in zip(loaded.get_weights(), algorithm.get_weights(), strict=True):
        np.testing.assert_array_equal(got, want)
    algorithm.model.save(tmp_path / "model.keras")
    plain = keras.saving.load_model(tmp_path / "model.keras")
    plain.run_eagerly = eagerly
    np.testing.assert_array_equal(plain.predict(x, verbose=0), algorithm.predict(x, verbose=0))


def test_takes_over_the_compilation_of_a_compiled_model(data, network):
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    algorithm = tq_halp.HALP(model)
    history = algorithm.fit(*data, epochs=2, verbose=0).history
    assert isinstance(algorithm.optimizer, keras.optimizers.Adam) and "accuracy" in history


def test_unbuilt_and_subclassed_models(data, compiled):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    for model in (keras.Sequential([keras.layers.Dense(3)]), Net()):
        algorithm = compiled(tq_halp.HALP(model))
        algorithm.fit(*data, batch_size=8, epochs=1, verbose=0)
        assert len(algorithm.offset) == 2


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adamw"])
def test_any_optimizer_and_callbacks(optimizer, data, tmp_path, network):
    algorithm = tq_halp.HALP(network())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    algorithm.compile(optimizer, loss=loss)
    log = tmp_path / "log.csv"
    callbacks = [
        keras.callbacks.CSVLogger(log),
        keras.callbacks.EarlyStopping("loss", patience=10, restore_best_weights=True),
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
    ]
    algorithm.fit(*data, batch_size=8, epochs=2, callbacks=callbacks, verbose=0)
    assert "full_gradient_norm" in log.read_text().splitlines()[0]


def test_steps_per_execution_changes_nothing(data, network, compiled):
    results = []
    for steps in (1, 7):
        algorithm = compiled(tq_halp.HALP(network(), mu=0.1), steps_per_execution=steps)
        algorithm.fit(*data, batch_size=8, epochs=3, shuffle=False, verbose=0)
        results.append(algorithm.model.get_weights())
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)
    with pytest.raises(ValueError, match="steps_per_execution=2.*must divide 7"):
        bad = compiled(tq_halp.HALP(network()), steps_per_execution=2)
        bad.fit(*data, batch_size=8, epochs=1, verbose=0)


@pytest.mark.parametrize(
    ("format", "rounding"),
    [
        ("float8_e4m3fn", "stochastic"),
        ({"format": "power_of_two", "min_exponent": -7, "max_exponent": 0}, "stochastic"),
        ({"format": "block_float", "word_bits": 8, "block_size": 2}, "stochastic"),
        ({"format": "mxfp8", "block_size": 2}, "stochastic"),
        ("binary", "stochastic"),
        ({"format": "ternary", "threshold": 0.5}, None),
        ({"format": "sparse", "threshold": 0.01}, None),
    ],
    ids=str,
)
def test_low_precision_weights_are_numbers_of_any_format(format, rounding, compiled):
    x = np.random.default_rng(0).normal(size=(16, 6)).astype("float32")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    algorithm = compiled(tq_halp.LowPrecisionSGD(model, format, rounding=rounding), rate=0.5)
    algorithm.fit(x, np.arange(16) % 2, batch_size=4, epochs=2, verbose=0)
    to_format = tq_halp.quantizers.get(format)
    for weight in model.get_weights():
        np.testing.assert_array_equal(weight, to_format(weight))
    again = type(algorithm).from_config(algorithm.get_config())
    assert (again.format, again.rounding) == (algorithm.format, rounding)


@pytest.mark.parametrize(
    "build,message",
    [
        (lambda m: tq_halp.HALP("model"), "model must be a keras.Model"),
        (lambda m: tq_halp.HALP(m, word_bits=1), "word_bits must be an integer from 2 to 64"),
        (lambda m: tq_halp.HALP(m, mu=0), "mu must be 'displacement', 'auto' or a positive number"),
        (lambda m: tq_halp.HALP(m, scale="layer"), "scale must be"),
        (lambda m: tq_halp.HALP(m, rounding="odd"), "rounding"),
        (lambda m: tq_halp.SVRG(m, snapshot_every=0), "snapshot_every must be"),
        (lambda m: tq_halp.SVRG(m, snapshot_every=True), "snapshot_every must be"),
        (lambda m: tq_halp.SVRG(m, iterate="first"), "iterate must be"),
        (lambda m: tq_halp.LowPrecisionSGD(m, "fixed"), "format"),
        (lambda m: tq_halp.LowPrecisionSGD(m, "ternary"), "rounding must be None for ternary"),
        (
            lambda m: tq_halp.LowPrecisionSGD(m, tq_halp.formats.ScaledInteger(8)),
            "a grid that does not move",
        ),
    ],
)
def test_wrong_arguments(build, message, network):
    with pytest.raises(ValueError, match=message):
        build(network())


def test_models_with_a_step_of_their_own_are_refused():
    class OwnStep(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    for model in (OwnStep([keras.Input((6,))]), tq_halp.SGD(keras.Sequential([keras.Input((6,))]))):
        with pytest.raises(ValueError, match="must not have a train_step of its own"):
            tq_halp.HALP(model)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_several_replicas_are_refused(name, data, wrap, network, compiled, monkeypatch):
    algorithm = compiled(wrap(name, network()))
    strategy = types.SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(type(algorithm), "distribute_strategy", strategy)
    with pytest.raises(ValueError, match="trains on one device"):
        algorithm.loop.on_fit_begin(verbose=False)


def test_data_that_cannot_be_passed_over_again_is_refused(data, network, compiled):
    x, y = data

    def endless():
        while True:
            yield x[:8], y[:8]

    algorithm = compiled(tq_halp.SVRG(network()))
    stream = tf.data.Dataset.from_tensor_slices(data).batch(8).repeat()
    for source in (endless(), stream):
        with pytest.raises(ValueError, match="full_gradient_data"):
            algorithm.fit(source, steps_per_epoch=3, epochs=1, verbose=0)
    history = algorithm.fit(
        stream, steps_per_epoch=3, epochs=2, verbose=0, full_gradient_data=data
    ).history
    assert history["step"] == [3, 6]


def test_saturation_that_persists_is_said_with_its_remedy(data, network, compiled):
    algorithm = compiled(tq_halp.HALP(network(dropout=0.0), mu=1e4))
    with pytest.warns(UserWarning, match="mu=10000.0 is too large.*mu='auto'"):
        algorithm.fit(*data, batch_size=8, epochs=3, verbose=0)
