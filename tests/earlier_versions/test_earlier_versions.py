"""What earlier versions wrote is read, and goes on as it did there (see `make_fixtures.py`).

What is read is compared bit for bit: weights, counters, numbers of exports, what quantizers make.
What is then computed (predictions, losses, trained weights) is compared bit for bit too where this
processor adds in the order of the one that wrote the files, which a training of plain Keras tells
(`probe.npz`). Elsewhere it may differ in the last bits: there by 1e-5, next to which a lost
counter, slot or seed is large.
"""

import json
import shutil
import warnings
from pathlib import Path

import earlier_models
import earlier_runs
import every_key
import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tq_halp import config as configs
from tq_halp.commands import train
from tq_halp.commands.compare import command as compare_command
from tq_halp.quantizers import Quantizer

FILES = Path(__file__).with_name("v0_1")
MAPS = ("every_key", "lstm_mxfp8", "lstm_w8a8", "lstm_w8a8g8e8")
RESULTS = ("predictions", "losses", "end/", "slot/")


@pytest.fixture(scope="module")
def tolerance():
    """The relative and absolute difference that this processor may make."""
    here, there = earlier_models.probe(), load(FILES / "probe.npz")
    same = all(np.array_equal(here[name], there[name]) for name in there)
    return {"rtol": 0, "atol": 0} if same else {"rtol": 1e-5, "atol": 1e-5}


def load(path):
    with np.load(path) as file:
        return dict(file)


def assert_close(found, stored, tolerance):
    """The same names, and numbers that are close; whole numbers are the same."""
    assert set(found) == set(stored)
    for name, want in stored.items():
        exact = {} if want.dtype.kind == "f" else {"rtol": 0, "atol": 0}
        np.testing.assert_allclose(found[name], want, **{**tolerance, **exact}, err_msg=name)


def assert_goes_on(model, stored, tolerance):
    """The model has the weights of the file, and ends where the unbroken run ended."""
    start = earlier_models.now(model)
    assert set(start) == {name for name in stored if name.startswith("start/")}
    for name, value in start.items():
        np.testing.assert_array_equal(value, stored[name], err_msg=name)
    results = {name: value for name, value in stored.items() if name.startswith(RESULTS)}
    assert_close(earlier_models.further(model, stored["x"], stored["y"]), results, tolerance)


def test_every_file_is_read_by_a_test():
    found = {path.stem for path in (FILES / "models").glob("*.keras")}
    assert found == set(earlier_models.BUILDERS)
    assert {path.stem for path in (FILES / "configs" / "maps").glob("*.yaml")} == set(MAPS)
    resolved = json.loads((FILES / "configs" / "resolved.json").read_text())
    assert set(resolved) == {path.name for path in (FILES / "configs").glob("*.yaml")}
    assert {name for name, _ in every_key.configs()} < {Path(name).stem for name in resolved}


@pytest.mark.parametrize("name", earlier_models.BUILDERS)
def test_a_model_goes_on(name, tolerance):
    model = keras.models.load_model(FILES / "models" / f"{name}.keras")
    assert_goes_on(model, load(FILES / "models" / f"{name}.npz"), tolerance)


def test_weights_go_on(tolerance):
    model = earlier_models.built("halp")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(FILES / "weights" / "halp.weights.h5")
    assert_goes_on(model, load(FILES / "models" / "halp.npz"), tolerance)


def test_weights_of_a_quantized_model():
    """With its counters; how such a model goes on is seen above."""
    model, stored = earlier_models.built("mixed"), load(FILES / "models" / "mixed.npz")
    model.optimizer.build(model.trainable_variables)
    model.load_weights(FILES / "weights" / "mixed.weights.h5")
    start = earlier_models.now(model)
    assert set(start) == {name for name in stored if name.startswith("start/")}
    for name, value in start.items():
        np.testing.assert_array_equal(value, stored[name], err_msg=name)


def test_a_checkpoint_of_tensorflow_goes_on(tolerance):
    model = earlier_models.built("halp")
    model.optimizer.build(model.trainable_variables)
    tf.train.Checkpoint(trainer=model).read(FILES / "weights" / "halp.checkpoint").assert_consumed()
    assert_goes_on(model, load(FILES / "models" / "halp.npz"), tolerance)


def test_an_export():
    path = FILES / "weights" / "mixed.export.npz"
    stored, read = load(FILES / "weights" / "mixed.numbers.npz"), tq_halp.load_export(path)
    assert set(read) == set(stored)
    for name, numbers in stored.items():
        np.testing.assert_array_equal(read[name].numbers, numbers, err_msg=name)
    model = earlier_models.mixed()
    tq_halp.import_weights(model, path)
    assert {each.tobytes() for each in model.get_weights()} <= {
        np.asarray(each, "float32").tobytes() for each in stored.values()
    }


def test_quantizers():
    stored = load(FILES / "quantizers.npz")
    assert len(stored["made"]) == len(every_key.QUANTIZERS)
    for config, want in zip(every_key.QUANTIZERS, stored["made"], strict=True):
        got = Quantizer.from_config(config)(stored["x"], counter=7)
        np.testing.assert_array_equal(got, want, err_msg=str(config))


@pytest.mark.parametrize("name", MAPS)
def test_a_map(name, tolerance):
    path = FILES / "configs" / "maps" / f"{name}.yaml"
    keras.utils.set_random_seed(5)
    assert_close(earlier_models.by_map(path), load(path.with_suffix(".npz")), tolerance)


def test_configs():
    """Each says what it said; a later version may say more beside it."""
    resolved = json.loads((FILES / "configs" / "resolved.json").read_text())
    for name, stored in resolved.items():
        text = json.dumps(configs.load(FILES / "configs" / name).model_dump())
        found = json.loads(text.replace(f"{FILES / 'configs'}/", ""))
        assert_holds(found, stored, name)


def assert_holds(found, stored, where):
    if not isinstance(stored, dict):
        assert found == stored, where
        return
    for key, value in stored.items():
        assert key in found, f"{where}: {key}"
        assert_holds(found[key], value, f"{where}: {key}")


# ---- what the commands left --------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of it, in which the commands are given, with warnings as users have them."""
    shutil.copytree(FILES / "commands", tmp_path / "commands")
    for path in (tmp_path / "commands").glob("*.zip"):
        earlier_runs.unpack(path, tmp_path / "commands")
    monkeypatch.chdir(tmp_path / "commands")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        yield tmp_path / "commands"


@pytest.mark.parametrize("name", earlier_runs.RUNS)
def test_a_stopped_run_goes_on(name, folder, tolerance, capfd):
    stopped, whole = folder / f"{name}-stopped", folder / f"{name}-whole"
    before = earlier_runs.rows(stopped)
    assert train.main(earlier_runs.train(name, stopped.name, "--resume")) == train.FINISHED
    assert "continuing after step" in capfd.readouterr().out
    rows, want = earlier_runs.rows(stopped), earlier_runs.rows(whole)
    assert 1 < len(before) < len(rows) == len(want)
    kept = len(before) - 1  # the last was in the middle of an epoch
    # A column that a later version has added is empty in rows that an earlier one wrote.
    assert rows[:kept] == [dict.fromkeys(rows[0], "") | row for row in before[:kept]]
    assert_close(columns(rows, want[0]), columns(want, want[0]), tolerance)
    ours, theirs = (keras.models.load_model(run / "model.keras") for run in (stopped, whole))
    assert_close(earlier_models.weights(ours), earlier_models.weights(theirs), tolerance)


def columns(rows, names):
    """The numbers of metrics.csv by column; an empty cell is none."""
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}


@pytest.mark.parametrize("name", earlier_runs.RUNS)
def test_a_finished_run_is_known(name, folder, capfd):
    arguments = earlier_runs.train(name, f"{name}-whole", "--resume")
    assert train.main(arguments) == train.FINISHED
    assert "is finished" in capfd.readouterr().out


def test_the_config_of_a_run_repeats_it(folder):
    """It is read as the config that the run had, with its map in it and checksums of its files."""
    for name in earlier_runs.RUNS:
        found = configs.load(folder / f"{name}-whole" / "config.yaml").model_dump()
        given = configs.load(folder / f"{name}.yaml").model_dump()
        same = ("algorithm", "optimizer", "train", "seed")
        assert {key: found[key] for key in same} == {key: given[key] for key in same}


def test_a_comparison(folder, capfd):
    """All its runs are there, and its table is made again."""
    table = (folder / "comparison" / "compare.csv").read_bytes()
    # As it was tuned then: on a seed that is compared too, and with unequal numbers of tries.
    arguments = [*earlier_runs.COMPARISON, "--tune-seeds", "0", "--allow-unequal-tries"]
    assert compare_command.main(arguments) == compare_command.FINISHED
    assert "nothing left to train" in capfd.readouterr().out
    assert (folder / "comparison" / "compare.csv").read_bytes() == table
