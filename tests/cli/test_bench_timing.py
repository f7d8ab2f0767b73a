"""What is timed, and how the times are compared: no test here depends on how fast anything is."""

import itertools
import os

import numpy as np
import pytest
import tensorflow as tf

import quant_ops
from tq_halp.commands.bench import op_timer, timing
from tq_halp.commands.bench.op_cases import CASES


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what tasks add to it."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def task(name, durations, log):
        durations = iter(durations)

        def run():
            log.append(name)
            now[0] += next(durations)

        return run

    return task


def test_tasks_take_turns_in_alternating_order(clock):
    log = []
    tasks = {name: clock(name, itertools.repeat(1.0), log) for name in "abc"}
    seconds = timing.in_turn(tasks, turns=2)
    assert "".join(log) == "abc" + "abc" + "cba"  # the first ones do not count
    assert seconds == {name: [1.0, 1.0] for name in "abc"}


def test_short_turns_are_filled_with_calls(clock):
    log = []
    seconds = timing.in_turn({"a": clock("a", itertools.repeat(2.0**-10), log)}, turns=2)
    assert len(log) == 1 + 1 + 3  # three times 2^-10 seconds are more than 2 ms
    assert seconds["a"] == pytest.approx([2.0**-10] * 2)


def test_turns_are_added_until_all_are_settled(clock):
    warm, settled, unsettled = 9.0, [1.0, 1.0, 1.0], [2.0, 1.0, 1.5, 1.125]
    noisy = clock("b", [warm, *unsettled, 1.0, 1.0, 1.0, 1.0], [])
    tasks = {"a": clock("a", itertools.repeat(1.0), []), "b": noisy}
    seconds = timing.in_turn(tasks, turns=3, at_most=8)
    assert seconds["b"] == [*unsettled, 1.0, 1.0]
    assert len(seconds["a"]) == len(seconds["b"])
    tasks["b"] = clock("b", [warm, *settled], [])
    assert len(timing.in_turn(tasks, turns=3, at_most=8)["b"]) == 3
    tasks["b"] = clock("b", [2.0**-i for i in range(9)], [])
    assert len(timing.in_turn(tasks, turns=3, at_most=8)["b"]) == 8


def test_ratios():
    copy, op = [4.0, 2.0, 3.0], [4.0, 5.0, 6.0]
    assert timing.ratio(copy, op) == 0.5
    assert timing.median_ratio(copy, op) == 0.5
    assert timing.median_ratio(copy, [8.0, 2.0, 2.0]) == 1.0
    assert timing.ratio(copy, [8.0, 2.0, 1.0]) == 2.0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_every_case_runs(case):
    x = op_timer._normal("bfloat16", 1024)
    for rounding in case.roundings(("nearest_even", "stochastic")):
        result = op_timer.quantizer(case, rounding, x)(x, 0)
        assert (result.dtype, result.shape) == (x.dtype, x.shape)


def test_the_loop_applies_the_op_to_x_with_the_counter():
    x = op_timer._normal("float32", 1024)
    applied = tf.Variable(0, dtype=tf.int64)

    def quantize(x, counter):
        applied.assign_add(1)
        return quant_ops.fixed_point(x, 8, 4, rounding="stochastic", counter=counter)

    once, looped = op_timer._functions(quantize, x, loops=5)
    last = looped()
    assert applied.numpy() == 5
    np.testing.assert_array_equal(
        last, quant_ops.fixed_point(x, 8, 4, rounding="stochastic", counter=4)
    )
    np.testing.assert_array_equal(
        once(), quant_ops.fixed_point(x, 8, 4, rounding="stochastic", counter=0)
    )


def test_fake_quant_is_fixed_point():
    """On the same grid, ties and saturation included, where x + 8 is exact."""
    x = tf.constant(
        np.random.default_rng(0).integers(-10 << 10, 10 << 10, 10_000) / 1024, "float32"
    )
    expected = quant_ops.fixed_point(x, 8, 4, rounding="nearest_up")
    np.testing.assert_array_equal(op_timer.fake_quant(x, 0), expected)


def test_a_forced_backend_is_forced_for_a_while(monkeypatch):
    monkeypatch.delenv("QUANT_OPS_BACKEND", raising=False)
    with op_timer.forced("composite"):
        assert quant_ops.backend() == "composite"
    assert "QUANT_OPS_BACKEND" not in os.environ
    monkeypatch.setenv("QUANT_OPS_BACKEND", "native")
    with op_timer.forced("composite"):
        assert quant_ops.backend() == "composite"
    assert os.environ["QUANT_OPS_BACKEND"] == "native"
