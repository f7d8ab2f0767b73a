"""`decay_steps: all`: schedules that end with the training, whatever its length."""

import pytest

from tq_halp import config as configs, data
from tq_halp.commands import train
from tq_halp.commands.running import experiment
from tq_halp.commands.running.run_identity import differences, settings
from tq_halp.errors import InputError

COSINE = "{class_name: CosineDecay, config: {initial_learning_rate: 0.2, decay_steps: all%s}}"
LINE = (
    "{class_name: PolynomialDecay, "
    "config: {initial_learning_rate: 1, end_learning_rate: 0.5, decay_steps: all%s}}"
)


def loaded(folder, *overrides):
    """Of 50 examples in batches of 10, for 2 epochs: 10 steps."""
    return configs.load(folder / "regression.yaml", overrides)


def built(config):
    return experiment.build(config, data.load(config.data))


def rate(made, step):
    made.trainer.optimizer.iterations.assign(step)
    return float(made.trainer.optimizer.learning_rate)


def test_the_rate_ends_with_the_training(folder):
    for sets, steps in ([], 10), (["train.epochs=7", "train.batch_size=20"], 21):
        made = built(loaded(folder, f"optimizer.learning_rate={COSINE % ''}", *sets))
        assert made.decay_steps == {"optimizer.learning_rate.config.decay_steps": steps}
        assert rate(made, 0) == pytest.approx(0.2) and rate(made, steps) == 0 < rate(
            made, steps - 1
        )
        if steps == 10:
            assert rate(made, 5) == pytest.approx(0.1)  # cos(π/2) = 0
        assert "decay_steps: all" in made.config.to_yaml()


def test_the_warm_up_is_a_part_of_the_training(folder):
    more = ", warmup_steps: 4, warmup_target: 0.6"
    made = built(loaded(folder, f"optimizer.learning_rate={COSINE % more}"))
    assert made.decay_steps == {"optimizer.learning_rate.config.decay_steps": 6}
    assert [rate(made, step) for step in (0, 2, 4, 7, 10)] == pytest.approx([0.2, 0.4, 0.6, 0.3, 0])


@pytest.mark.parametrize(
    "algorithm, place",
    [
        ("{name: svrg, coefficient: %s}", "algorithm.coefficient"),
        (
            "{estimator: {name: variance_reduced, coefficient: %s}}",
            "algorithm.estimator.coefficient",
        ),
    ],
)
def test_the_coefficient_ends_with_the_training(folder, algorithm, place):
    made = built(loaded(folder, f"algorithm={algorithm % LINE % ''}"))
    assert made.decay_steps == {f"{place}.config.decay_steps": 10}
    coefficient = made.trainer.estimator.coefficient
    assert [float(coefficient(step)) for step in (0, 4, 10)] == pytest.approx([1, 0.8, 0.5])


def test_what_is_refused(folder, tmp_path):
    text = (folder / "regression.yaml").read_text()
    path = tmp_path / "mine.yaml"

    def said(schedule):
        path.write_text(text.replace("learning_rate: 0.1", f"learning_rate: {schedule}"))
        with pytest.raises(InputError) as caught:
            built(configs.load(path))
        return str(caught.value)

    where = "mine.yaml:4: optimizer.learning_rate.config"
    above = "must be a finite number above 0"
    assert said(COSINE.replace("all", "al") % "").endswith(
        f"{where}.decay_steps {above}, or all, the steps of the whole training. Received: 'al'"
    )
    # All would leave no restart.
    restarts = COSINE.replace("CosineDecay", "CosineDecayRestarts").replace(
        "decay_", "first_decay_"
    )
    assert said(restarts % "").endswith(f"{where}.first_decay_steps {above}. Received: 'all'")
    assert f"{where}.cycle must be false beside decay_steps: all" in said(LINE % ", cycle: true")
    late = said(COSINE % ", warmup_steps: 10, warmup_target: 0.6")
    assert f"{where}.warmup_steps must be below 10, the steps of the whole training" in late


def test_dry_run_says_the_number(folder, capsys):
    set_to_all = f"optimizer.learning_rate={COSINE % ''}"
    start = ["--config", str(folder / "regression.yaml"), "--set", set_to_all, "--dry-run"]
    assert train.main(start) == train.FINISHED
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "config.decay_steps" in x]
    assert line.split("│")[2].strip() == "10"


def test_with_more_epochs_it_is_another_run(folder):
    """All its rates would have been others, so --resume refuses it."""
    set_to_all = f"optimizer.learning_rate={COSINE % ''}"
    shorter, longer = (settings(loaded(folder, set_to_all, f"train.epochs={n}")) for n in (2, 3))
    assert differences(shorter, longer) == "train.epochs 2, here 3"
    assert differences(shorter, shorter) == ""


@pytest.mark.parametrize("schedule", ["CosineDecay", "PolynomialDecay", "PiecewiseConstantDecay"])
def test_a_whole_number_is_a_rate_as_any_other(folder, schedule):
    """Keras would compute in whole numbers."""
    arguments = {
        "CosineDecay": "initial_learning_rate: %s, alpha: 0.5, decay_steps: 10",
        "PolynomialDecay": "initial_learning_rate: %s, end_learning_rate: 0.5, decay_steps: 10",
        "PiecewiseConstantDecay": "boundaries: [4], values: [%s, 0.5]",
    }[schedule]
    rates = []
    for first in ("1", "1.0"):
        given = f"{{class_name: {schedule}, config: {{{arguments % first}}}}}"
        made = built(loaded(folder, f"optimizer.learning_rate={given}"))
        rates.append([rate(made, step) for step in (0, 5, 10)])
    assert rates[0] == rates[1] and rates[0][0] == 1 and rates[0][2] == pytest.approx(0.5)
