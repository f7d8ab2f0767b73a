"""Gradient evaluations a run is expected to make; the tests of the command count real ones."""

import pytest

from tq_halp.config import Algorithm
from tq_halp.running.cost import gradient_evaluations


@pytest.mark.parametrize(
    "name, snapshot_every, expected",
    [
        ("sgd", "epoch", 4),
        ("lp_sgd", 3, 4),
        ("svrg", "epoch", 4 * 3),
        # 4 epochs of 10 steps: a snapshot before steps 0, 3, ..., 39 are 14 of them.
        ("halp", 3, 4 * 2 + 14),
        ("lp_svrg", 10, 4 * 3),
        ("halp", 1000, 4 * 2 + 1),
    ],
)
def test_gradient_evaluations(name, snapshot_every, expected):
    algorithm = Algorithm(name=name, snapshot_every=snapshot_every)
    assert gradient_evaluations(algorithm, epochs=4, steps_per_epoch=10) == expected
