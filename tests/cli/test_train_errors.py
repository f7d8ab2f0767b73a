"""The train command when it cannot go well: exit status, one message, nothing half written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tq_halp.commands import train
from tq_halp.commands.dispatch import main as cli
from tq_halp.commands.running.checkpoint_folder import files

ROOT = Path(__file__).resolve().parents[2]
# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tq_halp.train", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "QUANT_OPS_BACKEND": "composite"},
    )


# ---- a run that ends otherwise -------------------------------------------------------------------


def test_diverged_run_fails_with_one_message_and_a_whole_directory(folder, tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["--config", str(folder / "regression.yaml"), "--run-dir", str(run)]
    assert train.main([*arguments, "--set", "optimizer.learning_rate=1e9"]) == train.FAILED
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and "the training loss became" in errors[0]
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "failed" and summary["best"]["epoch"] == 0
    assert (run / "curves.png").exists() and (run / "model.keras").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_leaves_a_complete_run_directory(folder, tmp_path, rows_of, number):
    run = tmp_path / "run"
    process = start(
        "--config", folder / "regression.yaml", "--run-dir", run, "--set", "train.epochs=100000"
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(files(run / "checkpoints")) < 3:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == train.INTERRUPTED, errors
    assert "Traceback" not in errors and number.name in errors
    assert json.loads((run / "summary.json").read_text())["status"] == "interrupted"
    assert len(rows_of(run)) >= 3
    for name in ("config.yaml", "curves.png", "model.keras"):
        assert (run / name).stat().st_size > 0


def test_a_dry_run_that_fails_is_one_message(folder, capsys):
    arguments = ["--config", str(folder / "regression.yaml"), "--dry-run"]
    diverging = ["--set", "algorithm.name=svrg", "--set", "optimizer.learning_rate=1e37"]
    assert train.main([*arguments, *diverging]) == train.FAILED
    errors = capsys.readouterr().err
    assert errors.startswith("error: the run would fail: ") and errors.count("\n") == 1


# ---- wrong input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["--set", "algorithm.wordbits=8"], "did you mean 'word_bits'?"),
        (["--set", "train.epochs=many"], "received 'many'"),
        (["--set", "algorithm.word_bits=0"], "received 0"),
        (["--set", "algorithm.word_bits=65"], "received 65"),
        (
            ["--set", "algorithm={name: lp_sgd, error_feedback: 33}"],
            "error_feedback: received 33, expected null, 'exact', 'momentum' or a whole number "
            "from 2 to 32",
        ),
        (
            ["--set", "algorithm={name: swalp, format: bfloat16, error_feedback: 4}"],
            "error_feedback: error_feedback must be None, 'exact' or 'momentum' for bfloat16",
        ),
        (
            [
                *("--set", "algorithm={iterate: {name: fixed_grid, error_feedback: momentum}}"),
                "--set",
                "optimizer={name: RMSprop, learning_rate: 0.1}",
            ],
            "iterate.error_feedback: error_feedback='momentum' needs",
        ),
        (["--set", "data.name=ptb", "--set", "data.dir=."], "ptb.train.txt"),
        (["--set", "optimizer.momentm=0.9"], "did you mean 'momentum'?"),
        (["--set", "optimizer.name=sgdd"], "did you mean 'SGD'?"),
        (
            ["--set", "optimizer.momentum=7"],
            "--set optimizer.momentum must be a number from 0 to 1. Received: 7",
        ),
        (["--set", "optimizer.nesterov=no"], "must be true or false. Received: 'no'"),
        (["--set", "optimizer.clipnorm=much"], "must be a finite number above 0. Received: 'much'"),
        (["--set", "optimizer.momentum='0.9'"], "must be a number from 0 to 1. Received: '0.9'"),
        (
            ["--set", "optimizer.learning_rate={class_name: CosineDecay, config: {decay_step: 1}}"],
            "config.decay_step: CosineDecay has no such argument; did you mean 'decay_steps'?",
        ),
        (
            [
                "--set",
                "optimizer.learning_rate={class_name: ExponentialDecay, config: {staircase: no}}",
            ],
            "config.staircase must be true or false. Received: 'no'",
        ),
        (["--set", "optimizer.learning_rate={class_name: CosineDeca}"], "'CosineDecay'"),
        (
            ["--set", "optimizer.learning_rate={class_name: CosineDecay}"],
            "missing 2 required",
        ),
        (
            ["--set", "algorithm.name=sgd", "--set", "algorithm.mu=3"],
            "it is for halp, bc_sgd and bc_saga",
        ),
        (["--set", "model.name=linear"], "use lstm_language_model or file"),
        (["--set", "train.batch_size=2147483648"], "received 2147483648, expected a number less"),
        (["--set", "train.validation_batch_size=99999999999999999999"], "expected a number less"),
        (["--set", "train.epochs=99999999999999999999"], "expected a number less than or equal"),
        (["--set", "data.limit=99999999999999999999"], "expected a number less than or equal"),
        (["--set", "algorithm.start_after=99999999999999999999"], "expected a number less than"),
        (["--set", "algorithm.snapshot_every=99999999999999999999"], "steps from 1 to 2147483647"),
        (
            ["--set", "algorithm={name: swalp, average_after: 99999999999999999999}"],
            "expected a number less than or equal to 2147483647",
        ),
        (
            ["--set", "data={name: linear_regression, features: 9}", "--set", "data.samples=1e9"],
            "--set data.samples: received 1000000000.0, expected a valid integer",
        ),
        (
            [
                *("--set", "data={name: linear_regression, features: 9}"),
                *("--set", "data.samples=1000000000"),
            ],
            "--set data.samples: 1000000000 samples of 9 features, expected at most 268435456 numb",
        ),
        (
            ["--set", "model.units=1000000"],
            "--set model.units: lstm_language_model does not fit in",
        ),
        (
            ["--set", "model.embedding=2147483647"],
            "--set model.embedding: lstm_language_model does",
        ),
        (["--set", "algorithm.format=mxfp8"], "block_size must divide "),
        (["--set", "algorithm={name: lp_sgd, format: mxfp8}"], "block_size must divide "),
        (["--resume"], "--resume: needs --run-dir"),
        (["--resume", "--run-dir", "."], "is not empty and holds no run"),
        (["--resume", "--run-dir", "run.yaml"], "is a file, expected a folder"),
        (["--set", "train.checkpoint_every_steps=0"], "received 0"),
        (["--run-dir", "."], "is not empty and holds no run"),
        (
            ["--set", "quantization={version: 1, rules: [{layers: nope, weights: bfloat17}]}"],
            "--set quantization: ",
        ),
    ],
)
def test_wrong_input_is_one_message_and_exit_2(folder, capsys, monkeypatch, arguments, part):
    monkeypatch.chdir(folder)
    assert train.main(["--config", "run.yaml", *arguments]) == train.WRONG_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert part in captured.err


@pytest.mark.parametrize(
    "old, new, part",
    [
        ("layers: logits", "layers: logit", "map.yaml:3"),
        ("fixed_point", "fixd_point", "map.yaml:3"),
        ("word_bits: 8", "word_bits: 65", "map.yaml:3"),
    ],
)
def test_mistake_in_the_map_names_its_line(folder, tmp_path, capsys, old, new, part):
    (tmp_path / "run.yaml").write_text((folder / "run.yaml").read_text())
    (tmp_path / "map.yaml").write_text((folder / "map.yaml").read_text().replace(old, new))
    assert train.main(["--config", str(tmp_path / "run.yaml")]) == train.WRONG_INPUT
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and part in message


def test_wrong_input_is_answered_without_tensorflow(folder):
    code = (
        "import sys; from tq_halp import train;"
        f"status = train.main(['--config', {str(folder / 'run.yaml')!r}, '--set', 'seed=x']);"
        "sys.exit(status if 'tensorflow' not in sys.modules else 'TensorFlow was imported')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == train.WRONG_INPUT
    assert done.stderr == "error: --set seed: received 'x', expected a valid integer\n"


def test_missing_config_as_a_process():
    process = start("--config", "no-such.yaml")
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out) == (train.WRONG_INPUT, "")
    assert errors == "error: no-such.yaml: no such config file\n"


def test_the_environment_stays_as_it_is():
    code = (
        "import os; before = dict(os.environ)\n"
        "from tq_halp.commands.running.tf_startup import start_tensorflow; start_tensorflow()\n"
        "os.environ.pop('TF2_BEHAVIOR', None); before.pop('TF2_BEHAVIOR', None)\n"
        "assert dict(os.environ) == before, set(os.environ.items()) ^ set(before.items())\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_cli_names_its_commands(capsys):
    assert cli(["--help"]) == 0 and "train" in capsys.readouterr().out
    assert cli([]) == 2
    assert cli(["trian"]) == 2 and "did you mean 'train'?" in capsys.readouterr().err
    assert cli(["train", "--config", "no-such.yaml"]) == 2
