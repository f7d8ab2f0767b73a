"""The train command on images and on libsvm files: what it records, resumes and refuses."""

import csv
import json

import numpy as np
import pytest
from resuming import outcome, run, unbroken

from tests.tiny_images import write_cifar10, write_mnist
from tq_halp.commands import train

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

SOFTMAX = {
    "model": {"name": "linear_classifier", "weight_decay": 0.01},
    "algorithm": {"name": "halp"},
    "optimizer": {"learning_rate": 0.1},
    "train": {"epochs": 3, "batch_size": 8},
}
RESNET = {
    "model": {"name": "resnet", "blocks": [1], "weight_decay": 2e-4},
    "algorithm": {"name": "halp"},
    "optimizer": {"learning_rate": 0.05},
    "train": {"epochs": 2, "batch_size": 8, "checkpoint_every_steps": 2},
}


def rows_of(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_accuracy_is_recorded_and_the_test_comes_at_the_end(tmp_path, monkeypatch):
    import keras

    images, labels = write_mnist(tmp_path, monkeypatch)["t10k"]
    config = {"data": {"name": "mnist", "dir": str(tmp_path)}, **SOFTMAX}
    assert run(config, tmp_path / "run") == train.FINISHED
    rows = rows_of(tmp_path / "run")
    # Of ten classes, zero weights tell one, the first; images of one label resemble each other.
    assert float(rows[0]["val_accuracy"]) == np.float32(0.1) and rows[0]["train_accuracy"] == ""
    assert float(rows[3]["val_accuracy"]) > 0.8 and float(rows[3]["train_accuracy"]) > 0.5
    assert rows[3]["val_perplexity"] == ""
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["final"]["val_accuracy"] == float(rows[3]["val_accuracy"])
    assert summary["dataset"]["classes"] == 10 and summary["dataset"]["test_examples"] == 20
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    logits = model.predict(images[..., None], verbose=0).astype(np.float64)
    likelihood = logits[np.arange(20), labels] - np.log(np.exp(logits).sum(axis=1))
    penalty = 0.005 * np.sum(np.square(model.get_layer("logits").get_weights()[0]))
    assert set(summary["test"]) == {"loss", "accuracy"}
    assert summary["test"]["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == labels))
    # The objective, penalty included, summed in float32.
    assert summary["test"]["loss"] == pytest.approx(penalty - likelihood.mean(), rel=1e-4)


def test_augmentation_is_locked_and_resumed(tmp_path, monkeypatch):
    """Killed at any moment: the batches, shifts and statistics are those of the unbroken run."""
    write_cifar10(tmp_path, monkeypatch)
    config = {"data": {"name": "cifar10", "dir": str(tmp_path)}, **RESNET}
    expected, moments = unbroken(config, tmp_path / "run", monkeypatch)
    assert expected["rows"][-1]["val_accuracy"] != ""
    copy = moments[len(moments) // 2]
    assert run(config, copy, "--resume") == train.FINISHED
    assert outcome(copy) == expected


def test_libsvm_files_for_classification_and_regression(tmp_path):
    lines = [f"{2 * (n % 2)} {1 + n % 2}:1 3:{n / 40}" for n in range(40)]
    (tmp_path / "train").write_text("\n".join(lines))
    data = {"name": "libsvm", "dir": str(tmp_path), "file": "train", "test_file": "train"}
    assert run({"data": data, **SOFTMAX}, tmp_path / "classes") == train.FINISHED
    summary = json.loads((tmp_path / "classes" / "summary.json").read_text())
    assert summary["test"]["accuracy"] == 1 and summary["dataset"]["name"] == "train"
    least_squares = {"model": {"name": "linear", "dtype": "float64"}}
    config = {"data": {**data, "task": "regression"}, **SOFTMAX, **least_squares}
    assert run(config, tmp_path / "numbers") == train.FINISHED
    rows = rows_of(tmp_path / "numbers")
    assert float(rows[3]["val_loss"]) < float(rows[0]["val_loss"])
    assert rows[3]["val_accuracy"] == ""


def test_a_wrong_line_is_answered_with_its_place(tmp_path, capsys):
    (tmp_path / "train").write_text("1 1:1\n-1 0:1\n")
    data = {"name": "libsvm", "dir": str(tmp_path), "file": "train"}
    assert run({"data": data, **SOFTMAX}, tmp_path / "run") == train.WRONG_INPUT
    message = f"error: {tmp_path}/train:2: must be index:value"
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize(
    "data, model, remedy",
    [
        ("mnist", "lstm_language_model", "use linear_classifier or resnet or file"),
        ("mnist", "linear", "use linear_classifier or resnet or file"),
        ("libsvm", "resnet", "use linear_classifier or file"),
        ("linear_regression", "resnet", "use linear or file"),
        ("python_docs", "linear_classifier", "use lstm_language_model or file"),
    ],
)
def test_a_model_that_cannot_learn_the_data(tmp_path, monkeypatch, capsys, data, model, remedy):
    write_mnist(tmp_path, monkeypatch)
    (tmp_path / "some").write_text("1 1:1\n0 1:2\n" * 10)
    config = {"data": {"name": data}, **SOFTMAX, "model": {"name": model}}
    if data == "libsvm":
        config["data"]["file"] = "some"
    if data in ("mnist", "libsvm"):
        config["data"]["dir"] = str(tmp_path)
    assert run(config, tmp_path / "run") == train.WRONG_INPUT
    name = {"libsvm": "some"}.get(data, data)
    error = capsys.readouterr().err.strip()
    assert error.endswith(f"model.name: {model} cannot learn {name}; {remedy}")
