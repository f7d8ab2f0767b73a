"""Saved, loaded by a process that only imports tq_halp, and trained on: the same bits."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tq_halp
from tests.keras_picture import picture_of_keras

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
    done = subprocess.run([sys.executable, PROGRAM, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return {name: (*unbroken[name], dict(np.load(folder / f"{name}.npz"))) for name in unbroken}


def test_a_new_process_goes_on(runs):
    """One test, as what all look at is made once for each process that tests."""
    for name in NAMES:
        check_predictions_and_training_go_on_bit_for_bit(runs, name)
        check_everything_was_quantized_and_random(runs, name)
        check_the_map_is_in_the_model(runs, name)


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
    layers = [(each.name, type(each), id(each)) for each in model._flatten_layers()]
    with keras.StatelessScope():  # a call of Keras' own LSTM moves its seeds on
        y = model(saved_models.inputs(model))
    return layers, [each.numpy().tobytes() for each in (y, *model.variables)]


def quantized(model):
    return [each for each in model._flatten_layers() if hasattr(each, "quantizers")]
