"""The coefficient of the SVRG kinds and a late start against NumPy."""

import keras
import numpy as np
import pytest
from option_problem import (
    BATCH,
    RATE,
    SAMPLES,
    Record,
    build,
    close,
    equal,
    gradient,
    oracle,
    pieces,
    train,
)

import tq_halp
from tq_halp.algorithms.estimators.correction_coefficient import Coefficient

SCHEDULES = keras.optimizers.schedules


# ---- coefficient --------------------------------------------------------------------------------


def test_no_coefficient_is_plain_training_at_its_cost(data, network, compiled):
    """Dropout included, whose masks are those of plain training."""
    runs = [tq_halp.SVRG(network(), coefficient=0, iterate="random"), tq_halp.SGD(network())]
    histories = [
        compiled(each).fit(*data, batch_size=8, epochs=3, shuffle=False, verbose=0).history
        for each in runs
    ]
    equal(*(each.model.get_weights() for each in runs))
    assert histories[0]["gradient_evaluations"] == [1.0, 2.0, 3.0]
    assert np.isnan(histories[0]["variance_ratio"] + histories[0]["full_gradient_norm"]).all()


def test_a_schedule_of_one_is_svrg(data, network, compiled):
    runs = [
        compiled(tq_halp.SVRG(network(), coefficient=coefficient, snapshot_every=4))
        for coefficient in (1, SCHEDULES.ExponentialDecay(1.0, 1, 1.0))
    ]
    histories = [
        run.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0).history for run in runs
    ]
    equal(*(run.model.get_weights() for run in runs))
    assert histories[0] == histories[1]


@pytest.mark.parametrize("eagerly", [True, False])
@pytest.mark.parametrize("kind", ["half", "linear"])
def test_coefficient_of_every_step(problem, float64, kind, eagerly):
    """The line reaches 0 after 8 steps: from then on a step costs one gradient."""
    half, line = 0.5, SCHEDULES.PolynomialDecay(1.0, 8, end_learning_rate=0.0)
    algorithm = tq_halp.SVRG(
        build(), coefficient=half if kind == "half" else line, snapshot_every=4
    )
    got, history = train(algorithm, problem, eagerly=eagerly)

    def coefficient(step, averages):
        return [0.5 if kind == "half" else max(0.0, 1 - step / 8)] * 2

    close(got, oracle(problem, segment=4, coefficient=coefficient))
    anchors = 3 * SAMPLES if kind == "half" else SAMPLES + 2 * BATCH
    passes = 3 + anchors / SAMPLES + 5
    assert history["gradient_evaluations"][-1] == pytest.approx(passes, rel=1e-15)


def test_estimated_coefficient_of_each_tensor(problem, float64):
    shares = []

    def best(step, averages):
        a = [np.clip(cov / var, 0, 1) if var > 0 else 1.0 for cov, var in averages]
        shares.append(a)
        return a

    algorithm = tq_halp.SVRG(build(), coefficient="estimated", snapshot_every=7)
    got, _ = train(algorithm, problem)
    close(got, oracle(problem, segment=7, coefficient=best))
    shares = np.array(shares)
    assert np.all(shares[::7] == 1) and np.all(np.ptp(shares, axis=0) > 0.05)
    assert np.abs(shares[:, 0] - shares[:, 1]).max() > 0.01


def test_estimate_does_not_know_of_the_loss_scale(problem, float64):
    """Powers of two are exact."""
    results = []
    for scale in (None, 2.0**12):
        optimizer = keras.optimizers.SGD(RATE)
        if scale:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale)
        algorithm = tq_halp.SVRG(build(), coefficient="estimated")
        algorithm.compile(optimizer, loss="mse", run_eagerly=True)
        algorithm.fit(*problem, batch_size=BATCH, epochs=1, shuffle=False, verbose=0)
        results.append(algorithm.model.get_weights())
    equal(*results)


def test_gradients_that_overflow_are_not_counted():
    averages = [keras.Variable(np.zeros(2), dtype="float64") for _ in range(2)]
    coefficient = Coefficient("estimated", 0, averages)
    here, there, full = (np.array(each, "float32") for each in ([2.0], [4.0], [0.0]))
    coefficient.observe([(here, there, full), (None, there, full)], None)
    assert [float(a) for a in coefficient.of(0, 2)] == [0.5, 1.0]
    coefficient.observe([(here * np.inf, there, full), (here, there, full)], None)
    assert [float(a) for a in coefficient.of(0, 2)] == [0.5, 0.5]
    coefficient.reset()
    assert [float(a) for a in coefficient.of(0, 2)] == [1.0, 1.0]


def test_variance_ratio_is_that_of_the_step(problem, float64):
    """Of the first and the fourth minibatch."""
    algorithm = tq_halp.SVRG(build(), coefficient=0.5)
    weights, history = train(algorithm, problem, epochs=1)
    center = [variable.numpy() for variable in algorithm.center]
    x, y = problem
    here, there = (
        [np.concatenate([g.ravel() for g in gradient(w, x[p], y[p])]) for p in pieces()[::3]]
        for w in (weights, center)
    )
    change = [g - 0.5 * h for g, h in zip(here, there, strict=True)]
    want = np.sum((change[0] - change[1]) ** 2) / np.sum((here[0] - here[1]) ** 2)
    np.testing.assert_allclose(history["variance_ratio"], [want], rtol=1e-10)


# ---- a late start -------------------------------------------------------------------------------


def test_late_start(problem, float64):
    record = Record()
    algorithm = tq_halp.SVRG(build(), start_after=8, snapshot_every=4, iterate="last")
    got, history = train(algorithm, problem, callbacks=[record], eagerly=False)
    close(got, oracle(problem, segment=4, coefficient=lambda *_: [1.0, 1.0], start=8))
    assert record.snapshots == [0, 8, 12, 16]  # At 0 begin the plain steps.
    assert int(algorithm.snapshot_count) == 3
    anchors = (2 * SAMPLES - 2 * BATCH) / SAMPLES
    assert history["gradient_evaluations"][::2] == pytest.approx([1, 3 + anchors + 3], rel=1e-15)
    assert np.isnan(history["variance_ratio"]).tolist() == [True, False, False]
    assert np.isnan(history["full_gradient_norm"]).tolist() == [True, False, False]


@pytest.mark.parametrize("coefficient", [1.0, "estimated"])
def test_before_a_late_start_training_is_plain(data, network, compiled, coefficient):
    """Bit for bit with dropout, in segments whose random iterate would be another one."""
    options = {"start_after": 9, "iterate": "random", "coefficient": coefficient}
    plain, late = Record(), Record()
    for algorithm, record in (
        (tq_halp.SGD(network()), plain),
        (tq_halp.SVRG(network(), **options), late),
    ):
        compiled(algorithm, run_eagerly=True)
        algorithm.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[record])
    for one, other in zip(plain.weights[:9], late.weights[:9], strict=True):
        equal(one, other)
    assert np.any(plain.weights[9][0] != late.weights[9][0])


def test_halp_takes_its_snapshots_also_before_a_late_start(problem, float64):
    """A grid of 40 bits: the steps are those of plain training, then of SVRG, up to 2^-39 ‖g̃‖/μ."""
    record = Record()
    halp = tq_halp.HALP(
        build(), start_after=8, word_bits=40, mu=0.5, rounding="nearest_even", scale="global"
    )
    got, _ = train(halp, problem, callbacks=[record])
    assert record.snapshots == [0, 6, 8, 14]
    want = oracle(problem, segment=6, coefficient=lambda *_: [1.0, 1.0], start=8)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_late_start_beside_steps_per_execution(problem):
    algorithm = tq_halp.SVRG(build(), start_after=3)
    algorithm.compile("sgd", loss="mse", steps_per_execution=2)
    with pytest.raises(ValueError, match="snapshot every 3 steps.*steps_per_execution=2"):
        algorithm.fit(*problem, verbose=0)


# ---- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"coefficient": 0.25, "start_after": 7},
        {"coefficient": "estimated", "snapshot_fraction": 0.5},
        {"coefficient": SCHEDULES.CosineDecay(0.5, 10), "snapshot_every": 0.3},
    ],
    ids=["number", "estimated", "schedule"],
)
def test_options_survive_serialization(options):
    algorithm = tq_halp.HALP(build(), **options)
    config = keras.saving.serialize_keras_object(algorithm)
    again = keras.saving.deserialize_keras_object(config)
    for name, value in options.items():
        if name == "coefficient" and not isinstance(value, (float, str)):
            assert again.coefficient.get_config() == value.get_config()
        else:
            assert getattr(again, name) == value


def test_bit_centered_sgd_survives_serialization():
    algorithm = tq_halp.BitCenteredSGD(build(), word_bits=5, snapshot_fraction=0.3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(algorithm))
    assert (again.word_bits, again.snapshot_fraction) == (5, 0.3)
    assert isinstance(again.estimator, tq_halp.estimators.Minibatch)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"coefficient": 1.5}, "coefficient must be a number from 0 to 1.*Received: 1.5"),
        ({"coefficient": True}, "coefficient must be a number from 0 to 1.*Received: True"),
        ({"coefficient": "best"}, "coefficient must be .*'estimated'.*Received: 'best'"),
        ({"coefficient": SCHEDULES.CosineDecay(2.0, 9)}, "must begin from 0 to 1.*with 2.0"),
        ({"start_after": -1}, "start_after must be a number of steps.*Received: -1"),
        ({"start_after": 0.5}, "start_after must be a number of steps.*Received: 0.5"),
        ({"snapshot_fraction": 0}, "snapshot_fraction must be a number above 0.*Received: 0"),
        ({"snapshot_fraction": 2}, "snapshot_fraction must be a number above 0.*Received: 2"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(tq_halp.InputError, match=message):
        tq_halp.SVRG(build(), **options)
