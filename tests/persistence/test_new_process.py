"""Saved, loaded by a process that only imports tq_halp, and trained on: the same bits."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tq_halp
from tests.arrays import floats
from tests.keras_picture import picture_of_keras
from tq_halp import layers

W = {"format": "fixed_point", "word_bits": 6, "frac_bits": 4}
A = {"format": "fixed_point", "word_bits": 5, "frac_bits": 3}
STOCHASTIC = {**W, "rounding": "stochastic"}

PROGRAM = Path(__file__).with_name("saved_models.py")
specification = importlib.util.spec_from_file_location("saved_models", PROGRAM)
saved_models = importlib.util.module_from_spec(specification)
specification.loader.exec_module(saved_models)
NAMES = list(saved_models.BUILDERS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By name: what the unbroken run ends with and the other process ends with, and its model."""
    folder = tmp_path_factory.mktemp("saved")
    unbroken, before_all = {}, picture_of_keras(saved_models.UsersModel)
    for name, build in saved_models.BUILDERS.items():
        keras.utils.set_random_seed(11)
        quantization = tq_halp.QuantizationMap.from_dict(saved_models.MAP)
        source = build()
        source.compile(keras.optimizers.Adam(0.01), "mse")
        held = looks(source)
        model = quantization.apply(source)
        saved_models.train(model)
        model.save(folder / f"{name}.keras")
        before = saved_models.state(model)["predictions"]
        saved_models.train(model)
        unbroken[name] = (source, model, before, saved_models.state(model))
        assert looks(source) == held
    assert picture_of_keras(saved_models.UsersModel) == before_all
    models_to_call(folder / "called")
    done = subprocess.run([sys.executable, PROGRAM, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    found = {name: (*unbroken[name], dict(np.load(folder / f"{name}.npz"))) for name in unbroken}
    return found, folder / "called"


def models_to_call(folder):
    """A user's layer, and quantized layers that no map has made; with what they put out here."""
    folder.mkdir()
    users = keras.Sequential(
        [keras.Input((4,)), layers.QuantLayer(saved_models.Unregistered(name="u"), weights=W)]
    )
    ours = keras.Sequential(
        [
            keras.Input((4, 4)),
            layers.Quantize(A),
            layers.QuantLSTM(3, return_sequences=True, weights=STOCHASTIC, gates=STOCHASTIC),
            keras.layers.Reshape((2, 2, 3)),
            layers.QuantConv2D(2, 2, weights=W, bias=A),
            keras.layers.Flatten(),
            layers.QuantDense(11, weights=STOCHASTIC, activations=A),
        ]
    )
    for seed, variable in enumerate(users.trainable_variables):
        variable.assign(floats(*variable.shape, seed=seed))
    ours.compile("sgd", "mse")
    ours.fit(floats(8, 4, 4), np.zeros((8, 11)), verbose=0)  # so that the counters are not 0
    for name, model, x in (("users", users, floats(3, 4)), ("ours", ours, floats(8, 4, 4))):
        model.save(folder / f"{name}.keras")
        np.save(folder / f"{name}.x.npy", x)
        np.save(folder / f"{name}.y.npy", model(x))


def test_a_new_process_goes_on(runs):
    """One test, as what all look at is made once for each process that tests."""
    runs, called = runs
    check_called_models_are_the_same(called)
    for name in NAMES:
        check_predictions_and_training_go_on_bit_for_bit(runs, name)
        check_everything_was_quantized_and_random(runs, name)
        check_the_map_is_in_the_model(runs, name)


def check_called_models_are_the_same(folder):
    """A user's class by custom_objects, ours by their names, with their counters."""
    for name, calls in (("users", []), ("ours", [1])):
        with np.load(folder / f"{name}.npz") as found:
            np.testing.assert_array_equal(found["y"], np.load(folder / f"{name}.y.npy"))
            assert found["calls"].tolist() == calls


def check_predictions_and_training_go_on_bit_for_bit(runs, name):
    _, _, before, unbroken, other = runs[name]
    np.testing.assert_array_equal(other["before"], before)
    assert set(other) == {*unbroken, "before", "map"}
    for key, want in unbroken.items():
        np.testing.assert_array_equal(other[key], want, err_msg=key)


def check_everything_was_quantized_and_random(runs, name):
    """That the runs agree says nothing about parts that were left out."""
    _, model, *_ = runs[name]
    slots = model.optimizer.inner_optimizer._momentums
    for slot in slots:
        half = np.asarray(slot).astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(slot, half)
    names = [variable.name for variable in model.variables]
    assert names.count("calls") >= 4
    assert names.count("seed_generator_state") >= 1
    counters = [int(v) for v in model.variables if v.name == "calls"]
    assert min(counters) >= 6


def check_the_map_is_in_the_model(runs, name):
    source, model, _, _, other = runs[name]
    found = tq_halp.QuantizationMap.of(model)
    assert other["map"] == str(found.to_dict())
    again = found.apply(source)
    wanted = {layer.name: layer.get_config() for layer in quantized(model)}
    assert wanted and wanted == {layer.name: layer.get_config() for layer in quantized(again)}


def looks(model):
    """Its layers, their classes, its weights and what it predicts."""
    held = [(each.name, type(each), id(each)) for each in model._flatten_layers()]
    with keras.StatelessScope():  # a call of Keras' own LSTM moves its seeds on
        y = model(saved_models.inputs(model))
    return held, [each.numpy().tobytes() for each in (y, *model.variables)]


def quantized(model):
    return [each for each in model._flatten_layers() if hasattr(each, "quantizers")]
