"""Arguments of optimizers and schedules that mean nothing: refused before a run directory is there,
with the place that they came from."""

import keras
import pytest

from tq_halp import config as configs
from tq_halp.commands import train
from tq_halp.commands.running.build_optimizer import build_optimizer, check_step
from tq_halp.errors import InputError

NAN, INFINITE = ".nan", ".inf"
DENSE = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


def loaded(folder, *overrides):
    return configs.load(folder / "regression.yaml", overrides)


@pytest.mark.parametrize(
    "name, values",
    [
        ("clipnorm", ["0", "-1", NAN, INFINITE, "true"]),
        ("clipvalue", ["0", "-3", NAN]),
        ("global_clipnorm", ["0", "-1"]),
        ("gradient_accumulation_steps", ["0", "1", "-2", "2.0", "99999999999"]),
        ("weight_decay", ["-1", INFINITE, NAN]),
        ("loss_scale_factor", ["0", "-8", NAN]),
        ("momentum", ["-0.1", "1.5", NAN]),
        ("name: Adam, beta_1", ["1", "2", "-0.1", NAN]),
        ("name: Adam, beta_2", ["1.0", "-0.1"]),
        ("name: Adam, epsilon", ["-1.0e-8", NAN]),
        ("name: Muon, adam_beta_2", ["1"]),
        ("name: Muon, ns_steps", ["0", "2.5"]),
        ("name: RMSprop, rho", ["1", "-0.5"]),
        ("name: Ftrl, l1_regularization_strength", ["-1"]),
        ("name: Ftrl, learning_rate_power", [NAN]),
        ("use_ema: true, ema_momentum", ["-1", "2"]),
        ("use_ema: true, ema_overwrite_frequency", ["0", "-1"]),
    ],
)
def test_values_that_mean_nothing(folder, name, values):
    for value in values:
        given = f"optimizer={{learning_rate: 0.1, {name}: {value}}}"
        key = name.rpartition(" ")[2]
        with pytest.raises(
            InputError, match=f"--set optimizer: optimizer.{key} must be .* Received: "
        ):
            build_optimizer(loaded(folder, given))


@pytest.mark.parametrize(
    "name, arguments, key",
    [
        ("ExponentialDecay", "initial_learning_rate: -0.1, decay_steps: 3, decay_rate: 1", "in"),
        ("ExponentialDecay", "initial_learning_rate: .nan, decay_steps: 3, decay_rate: 1", "in"),
        ("ExponentialDecay", "initial_learning_rate: 1, decay_steps: 3, decay_rate: .nan", "dec"),
        ("ExponentialDecay", "initial_learning_rate: 1, decay_steps: 0, decay_rate: 1", "decay_s"),
        ("CosineDecay", "initial_learning_rate: 1, decay_steps: 3, alpha: -1", "alpha"),
        ("PolynomialDecay", "initial_learning_rate: 1, decay_steps: 3, end_learning_rate: -1", "e"),
        ("PiecewiseConstantDecay", "boundaries: [20, 10], values: [1.0, 2.0, 3.0]", "boundaries"),
        ("PiecewiseConstantDecay", "boundaries: [10, 10], values: [1.0, 2.0, 3.0]", "boundaries"),
        ("PiecewiseConstantDecay", "boundaries: [10], values: [1.0, -2.0]", "values"),
        ("PiecewiseConstantDecay", "boundaries: [10], values: [1.0, .nan]", "values"),
    ],
)
def test_schedules_that_mean_nothing(folder, name, arguments, key):
    given = f"optimizer.learning_rate={{class_name: {name}, config: {{{arguments}}}}}"
    subject = f"--set optimizer.learning_rate: optimizer.learning_rate.config.{key}"
    with pytest.raises(InputError, match=f"{subject}.*must be .*Received: "):
        build_optimizer(loaded(folder, given))


@pytest.mark.parametrize(
    "given",
    [
        "{learning_rate: 0.1, momentum: 0, weight_decay: 0, clipnorm: 1}",
        "{learning_rate: 0.1, momentum: 1.0, gradient_accumulation_steps: 2}",
        "{name: Adam, learning_rate: 0.1, beta_1: 0, epsilon: 0.5, clipnorm: null}",
        "{name: Adafactor, learning_rate: 0.1, beta_2_decay: -0.8, epsilon_1: 1.0e-30}",
        "{name: Ftrl, learning_rate: 0.1, learning_rate_power: -0.5, beta: 2}",
        "{name: Muon, learning_rate: 0.1}",
        "{learning_rate: 1.0e+9}",
    ],
)
def test_others_step(folder, given):
    config = loaded(folder, f"optimizer={given}")
    names = build_optimizer(config).name
    check_step(config, DENSE)
    # The trial leaves no trace in the numbers that Keras gives.
    kind = config.optimizer.name.lower()
    assert names.startswith(kind)
    if kind == "sgd":
        first, second = (build_optimizer(config).name for _ in range(2))
        check_step(config, DENSE)
        third = build_optimizer(config).name
        numbers = [int(name.rpartition("_")[2]) for name in (first, second, third)]
        assert numbers == [numbers[0] + i for i in range(3)]


def test_a_step_that_fails_is_told_before_a_run(folder, tmp_path, capsys):
    start = ["--config", str(folder / "regression.yaml"), "--run-dir", str(tmp_path / "run")]
    for given, said in [
        ("optimizer={name: Muon, learning_rate: 0.1}", "--set optimizer: Muon cannot train weight"),
        ("optimizer.learning_rate=1e200", "--set optimizer.learning_rate: a step from 1 along a"),
    ]:
        assert train.main([*start, "--set", given]) == train.WRONG_INPUT
        errors = capsys.readouterr().err
        assert errors.startswith(f"error: {said}") and errors.count("\n") == 1
        assert not (tmp_path / "run").exists()
