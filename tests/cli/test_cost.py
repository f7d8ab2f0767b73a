"""Gradient evaluations a run is expected to make; the tests of the command count real ones."""

import keras
import pytest

import tq_halp

GRID = {"format": tq_halp.formats.FixedPoint(8, 6)}
# A snapshot before steps 0, 3, ..., 39 are 14 of them; 9 from step 15 on, 5 before.
# At random 1 in 5: one at the start and one after each of 39 steps, with that probability.
# A quarter of 10 batches are 2, a tenth is 1.


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("SGD", {}, 4),
        ("LowPrecisionSGD", GRID, 4),
        ("SVRG", {}, 4 * 3),
        ("HALP", {"snapshot_every": 3}, 4 * 2 + 14),
        ("LowPrecisionSVRG", GRID | {"snapshot_every": 10}, 4 * 3),
        ("HALP", {"snapshot_every": 1000}, 4 * 2 + 1),
        ("SVRG", {"snapshot_every": 0.2}, 4 * 2 + 1 + 39 / 5),
        ("SVRG", {"snapshot_fraction": 0.25}, 4 * (2 + 0.2)),
        ("SVRG", {"coefficient": 0}, 4),
        ("SVRG", {"coefficient": "estimated"}, 4 * 3),
        ("SVRG", {"start_after": 15, "snapshot_every": 3}, 4 + 2.5 + 9),
        ("HALP", {"start_after": 15, "snapshot_every": 3}, 4 + 2.5 + 5 + 9),
        ("SVRG", {"start_after": 1000}, 4),
        ("HALP", {"coefficient": 0, "snapshot_fraction": 0.1}, 4 * 1.1),
        ("BitCenteredSGD", {"mu": 10.0}, 4 * 1.1),
        ("BitCenteredSGD", {}, 4),
        ("BitCenteredSAGA", {"mu": 10.0}, 4),
    ],
)
def test_gradient_evaluations(name, options, expected):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    trainer = getattr(tq_halp, name)(model, **options)
    got = trainer.loop.planned_gradient_evaluations(epochs=4, steps_per_epoch=10)
    assert got == pytest.approx(expected, rel=1e-15)
