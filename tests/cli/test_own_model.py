"""A user's own model and arrays in the train command: what is trained, resumed, refused."""

import json
import re
import shutil

import keras
import numpy as np
import pytest
from resuming import outcome, run, unbroken

from tq_halp import config as configs
from tq_halp.commands import train
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.compared_run import Run
from tq_halp.commands.plan import main as plan_command
from tq_halp.commands.running import load_user_model
from tq_halp.commands.running.run_directory import RunDirectory
from tq_halp.errors import InputError

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

SPARSE = "sparse_categorical_crossentropy"
OWN = """
import keras


@keras.saving.register_keras_serializable(package="user")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""
CONFIG = {
    "data": {"name": "arrays", "file": "mine.npz"},
    "model": {"name": "file", "file": "mine.keras"},
    "algorithm": {"name": "halp"},
    "optimizer": {"learning_rate": 0.1},
    "train": {"epochs": 2, "batch_size": 8, "checkpoint_every_steps": 2},
    "seed": 1,
}


def layered(outputs=3, activation="softmax"):
    """One layer of each kind: adapted to data, frozen, with statistics, with draws."""
    adapted = keras.layers.Normalization(name="adapted")
    adapted.adapt(10 + np.random.default_rng(0).normal(size=(50, 4)))
    frozen = keras.layers.Dense(5, name="frozen", trainable=False)
    statistics = keras.layers.BatchNormalization(name="statistics")
    drawn, last = keras.layers.Dropout(0.2), keras.layers.Dense(outputs, activation, name="last")
    return keras.Sequential([keras.Input((4,)), adapted, frozen, statistics, drawn, last])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("own")
    draw = np.random.default_rng(1)
    arrays = {}
    for part, count in [("train", 30), ("validation", 11), ("test", 7)]:
        arrays[f"x_{part}"] = draw.normal(10, 1, (count, 4)).astype("float32")
        arrays[f"y_{part}"] = draw.integers(0, 3, count)
    np.savez(path / "mine.npz", **arrays)
    np.savez(
        path / "numbers.npz",
        **{n: a[:, None] / 1.5 if n[0] == "y" else a for n, a in arrays.items()},
    )
    keras.utils.set_random_seed(3)
    model = layered()
    model.compile(loss=SPARSE, metrics=["accuracy"])
    model.fit(arrays["x_train"], arrays["y_train"], verbose=0)
    model.save(path / "mine.keras")
    keras.Sequential([keras.Input((4,)), *model.layers]).save(path / "uncompiled.keras")
    layered(activation=None).save(path / "logits.keras")
    layered(1, None).save(path / "number.keras")
    still = layered()
    still.trainable = False
    still.compile(loss=SPARSE)
    still.save(path / "still.keras")
    (path / "own_layers_of_a_user.py").write_text(OWN)
    namespace = {}
    exec(OWN, namespace)
    keras.Sequential([keras.Input((4,)), namespace["Doubled"]()]).save(path / "own.keras")
    keras.saving.get_custom_objects().pop("user>Doubled")
    x = keras.Input((4,))
    keras.Model(x, [x + 1, x + 2]).save(path / "two.keras")
    (path / "text.keras").write_text("x")
    whole = (path / "mine.keras").read_bytes()
    (path / "half.keras").write_bytes(whole[: len(whole) // 2])
    shutil.copy(path / "mine.npz", path / "data.keras")  # a zip archive as well
    model.save(path / "mine.h5")
    model.get_layer("last").kernel.assign(np.where(np.eye(5, 3, k=1), np.nan, 1.0))
    model.save(path / "nan.keras")
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(keras.ops.log)]).save(
        path / "lambda.keras"
    )
    huge = keras.layers.Rescaling(1e30)(keras.layers.Rescaling(1e30)(x))
    keras.Model(x, keras.layers.Dense(3, "softmax")(huge)).save(path / "infinite.keras")
    return path


def changed(folder, **sections):
    """The config, with paths, and keys of its sections changed."""
    made = {name: dict(s) if isinstance(s, dict) else s for name, s in CONFIG.items()}
    for name, section in sections.items():
        made[name].update(section)
    if made["model"]["name"] != "file":
        del made["model"]["file"]
    for name in ("data", "model"):
        if "file" in made[name]:
            made[name]["file"] = str(folder / made[name]["file"])
    return made


def loaded(tmp_path, made):
    (tmp_path / "made.yaml").write_text(json.dumps(made))
    return configs.load(tmp_path / "made.yaml")


# ---- what is trained -----------------------------------------------------------------------------


def test_a_run_measures_what_keras_measures_and_resumes_exactly(folder, tmp_path, monkeypatch):
    expected, moments = unbroken(changed(folder), tmp_path / "run", monkeypatch)
    model = keras.models.load_model(folder / "mine.keras")
    with np.load(folder / "mine.npz") as arrays:
        validation = arrays["x_validation"], arrays["y_validation"]
        test = arrays["x_test"], arrays["y_test"]
    # Sums of float32 over minibatches of another size.
    loss, accuracy = model.evaluate(*validation, verbose=0)
    assert float(expected["rows"][0]["val_loss"]) == pytest.approx(loss, rel=1e-5)
    assert float(expected["rows"][0]["val_accuracy"]) == pytest.approx(accuracy, rel=1e-6)
    assert len(expected["rows"]) == 3 and expected["rows"][2]["train_accuracy"] != ""
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    trained = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    trained.compile(loss=model.loss, metrics=["accuracy"])
    loss, accuracy = trained.evaluate(*test, verbose=0)
    assert summary["test"] == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-5)
    assert (summary["model"], summary["dataset"]["name"]) == ("mine", "mine.npz")
    copy = moments[len(moments) // 2]
    assert run(changed(folder), copy, "--resume") == train.FINISHED
    assert outcome(copy) == expected


def test_a_map_and_another_loss(folder, tmp_path):
    made = changed(
        folder,
        data={"file": "numbers.npz"},
        model={"file": "number.keras"},
        train={"epochs": 1, "loss": {"class_name": "Huber", "config": {"delta": 0.5}}},
        algorithm={"name": "lp_sgd"},
    )
    made["quantization"] = {"version": 1, "rules": [{"layers": "last", "weights": "bfloat16"}]}
    assert run(made, tmp_path / "run") == train.FINISHED
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    with np.load(folder / "numbers.npz") as arrays:
        error = np.abs(model.predict(arrays["x_validation"], verbose=0) - arrays["y_validation"])
    huber = np.where(error <= 0.5, error**2 / 2, 0.5 * error - 0.125).mean()
    final = json.loads((tmp_path / "run" / "summary.json").read_text())["final"]
    # float32 sums of eleven numbers.
    assert final["val_loss"] == pytest.approx(huber, rel=1e-5) and final["val_accuracy"] is None


def test_fresh_weights_are_drawn_by_the_seed_where_something_is_trained(folder, tmp_path):
    config = loaded(tmp_path, changed(folder, model={"weights": "fresh"}))

    def weights(seed, config=config):
        keras.utils.set_random_seed(seed)
        model = load_user_model.load(config)
        names = ("adapted", "frozen", "statistics", "last")
        return {name: [np.array(v) for v in model.get_layer(name).variables] for name in names}

    kept = weights(0, loaded(tmp_path, changed(folder)))
    one, again, other = weights(1), weights(1), weights(2)
    np.testing.assert_equal(one, again)
    for name in ("adapted", "frozen"):
        np.testing.assert_equal([one[name], other[name]], [kept[name], kept[name]])
    for a, b in [(one, kept), (one, other)]:
        assert np.all(a["last"][0] != b["last"][0])
    assert np.any(kept["statistics"][2] != 0)
    np.testing.assert_equal(one["statistics"], [np.ones(5), np.zeros(5), np.zeros(5), np.ones(5)])


@pytest.mark.parametrize(
    "loss, accuracy, threshold",
    [
        ("sparse_categorical_crossentropy", keras.metrics.SparseCategoricalAccuracy, None),
        (keras.losses.CategoricalCrossentropy(), keras.metrics.CategoricalAccuracy, None),
        ("binary_crossentropy", keras.metrics.BinaryAccuracy, 0.5),
        (keras.losses.BinaryCrossentropy(from_logits=True), keras.metrics.BinaryAccuracy, 0.0),
    ],
)
def test_accuracy_belongs_to_the_crossentropy(loss, accuracy, threshold):
    (found,) = load_user_model.accuracy_of(keras.losses.get(loss))
    assert type(found) is accuracy and found.name == "accuracy"
    assert getattr(found, "threshold", None) == threshold


# ---- the same run --------------------------------------------------------------------------------


def test_another_file_is_another_run(folder, tmp_path):
    """A run is known by what its files hold, not by where they lie."""
    place = tmp_path / "place"
    place.mkdir()
    for name in ("mine.keras", "mine.npz"):
        (place / name).write_bytes((folder / name).read_bytes())
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps(changed(place, train={"epochs": 1})))
    made = Run(Candidate("sgd", "sgd", ()), 0, (), str(path), tmp_path / "out")
    assert train.main(made.arguments) == train.FINISHED
    made.check()
    path.write_text(json.dumps(changed(folder, train={"epochs": 1})))
    made.check()
    path.write_text(json.dumps(changed(place, train={"epochs": 1})))
    (place / "mine.keras").write_bytes((folder / "uncompiled.keras").read_bytes())
    with pytest.raises(InputError, match="other settings: model.sha256 '"):
        made.check()
    repeated = ["--config", str(made.path / "config.yaml"), "--run-dir", str(tmp_path / "again")]
    assert train.main(repeated) == train.WRONG_INPUT
    assert not RunDirectory(tmp_path / "again").rows


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sections, said",
    [
        ({"model": {"file": "none.keras"}}, "model.file: no such model file: "),
        ({"data": {"file": "none.npz"}}, "data.file: no such data file: "),
        ({"model": {"file": "text.keras"}}, "text.keras: cannot be loaded as a Keras model: "),
        ({"model": {"file": "half.keras"}}, "half.keras: cannot be loaded as .*damaged one"),
        ({"model": {"file": "data.keras"}}, "data.keras: cannot be loaded as a Keras model: "),
        ({"model": {"file": "mine.h5"}}, "mine.h5: cannot be loaded as .*: is no .keras file, or"),
        ({"model": {"file": "lambda.keras"}}, "lambda.keras: cannot be loaded as a Keras model: "),
        ({"model": {"file": "nan.keras"}}, r"nan.keras: .*kernel\[0, 1\] is nan, expected a fini"),
        (
            {"model": {"file": "infinite.keras"}, "train": {"loss": SPARSE}},
            "model.file: for the first 8 examples infinite returns numbers that are not finite",
        ),
        ({"model": {"weights": "fresh", "file": "data.keras"}}, "data.keras: cannot be loaded"),
        ({"model": {"file": "still.keras"}}, "run.yaml:1: model.file: still has nothing to train"),
        ({"model": {"file": "two.keras"}, "train": {"loss": "mse"}}, "has several outputs"),
        ({"model": {"file": "uncompiled.keras"}}, "train.loss: .* was saved without a loss; name"),
        ({"train": {"loss": "squares"}}, "train.loss: "),
        ({"train": {"loss": 3}}, "train.loss: received 3, expected the name of a Keras loss"),
        (
            {"model": {"file": "logits.keras"}, "train": {"loss": SPARSE}},
            "train.loss: the model's outputs are no probabilities; for logits write "
            "{class_name: SparseCategoricalCrossentropy, config: {from_logits: true}}",
        ),
        ({"train": {"loss": "mse"}}, r"mine.npz: y has shape \(\) per example, expected \(3,\)"),
        (
            {"model": {"file": "number.keras"}, "train": {"loss": SPARSE}},
            r"mine.npz: y_train\[\d+\] is [12], expected classes from 0 to 0",
        ),
        ({"model": {"name": "linear_classifier"}, "train": {"loss": "mse"}}, "its own; leave it"),
        ({"model": {"name": "linear"}}, "linear cannot learn mine.npz; use linear_classifier or"),
        ({"model": {"imports": ["no_such_module"]}}, "no_such_module cannot be imported"),
    ],
)  # fmt: skip
def test_mistakes_are_one_message(folder, tmp_path, capsys, sections, said):
    assert run(changed(folder, **sections), tmp_path / "run") == train.WRONG_INPUT
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert re.search(said, error), error


def test_classes_of_a_users_module(folder, tmp_path, monkeypatch, capsys):
    """Only for who names the module; the plan and the report commands take it as well."""
    (tmp_path / "map.yaml").write_text(
        '{version: 1, rules: [{layers: ".*", activations: float16}]}'
    )
    plan = ["--model", str(folder / "own.keras"), "--map", str(tmp_path / "map.yaml")]
    assert plan_command(plan) == 2
    assert "Could not locate class 'Doubled'; register it with Keras" in capsys.readouterr().err
    monkeypatch.syspath_prepend(str(folder))
    assert plan_command([*plan, "--import", "own_layers_of_a_user"]) == 0
    config = loaded(
        tmp_path,
        changed(folder, model={"file": "own.keras", "imports": ["own_layers_of_a_user"]}),
    )
    assert load_user_model.load(config).predict(np.ones((1, 4)), verbose=0).tolist() == [[2] * 4]


def test_a_file_that_nobody_named(folder, tmp_path, capsys):
    made = changed(folder)
    del made["model"]["file"]
    assert run(made, tmp_path / "run") == train.WRONG_INPUT
    assert "model: file is missing, the name of a .keras file" in capsys.readouterr().err


def test_examples_of_another_shape(folder, tmp_path, capsys):
    with np.load(folder / "mine.npz") as arrays:
        narrow = {n: a[:, :3] if n[0] == "x" else a for n, a in arrays.items()}
    np.savez(tmp_path / "narrow.npz", **narrow)
    made = changed(folder, data={"file": str(tmp_path / "narrow.npz")})
    assert run(made, tmp_path / "run") == train.WRONG_INPUT
    said = "mine cannot take examples of float32 and shape (3,) (narrow.npz): "
    assert said in capsys.readouterr().err
