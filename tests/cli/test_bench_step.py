"""The race of steps: what it times, and what is made of the times."""

import keras
import numpy as np
import pytest

from tq_halp.commands import bench
from tq_halp.commands.bench import step_race


def test_summary_by_hand():
    seconds = {"plain": [[1.0, 3.0, 2.0], [10.0]], "other": [[4.0, 4.0], [10.0, 50.0, 30.0]]}
    plain, other = step_race.summary(seconds)
    assert plain == {"what": "plain", "median": 2.5, "quartile": 1.75, "ratio": 1.0}
    # 4 / 2 in the first turn, 30 / 10 in the second.
    assert other == {"what": "other", "median": 10.0, "quartile": 4.0, "ratio": 2.5}


@pytest.fixture(scope="module")
def race():
    def model():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])

    data = np.ones((11, 3), "float32"), np.zeros(11, "int32")
    return step_race.StepRace(model, data, batch_size=2, learning_rate=0.1)


def test_every_step_but_the_first_of_a_turn(race):
    seconds = race.steps(2)
    assert list(seconds) == list(step_race.KINDS)
    assert [len(turn) for turns in seconds.values() for turn in turns] == [4] * 2 * len(
        step_race.KINDS
    )
    assert all(each > 0 for turns in seconds.values() for turn in turns for each in turn)


def test_snapshots_beside_gradients_alone(race):
    seconds = race.snapshots(3)
    kinds = [name for name in step_race.KINDS if name.startswith(("SVRG", "HALP"))]
    assert list(seconds) == [step_race.GRADIENTS, *(f"snapshot of {kind}" for kind in kinds)]
    assert all(len(turns) == 3 for turns in seconds.values())


def test_command(capsys, monkeypatch, race):
    monkeypatch.setattr(step_race, "StepRace", lambda *_, **__: race)
    assert bench.main(["step", "--repeats", "1", "--steps", "5"]) == 0
    printed = capsys.readouterr().out
    for expected in ("HALP, 8 bits", "snapshot of SVRG", step_race.GRADIENTS, "ratio"):
        assert expected in printed
