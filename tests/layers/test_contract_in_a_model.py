"""A model of all quantized layers with random bits everywhere: saved, loaded, stateless."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantized_cases import CASES, EVERY, A

from tests.graphs import traced
from tq_halp import layers

FEW = ["Dense", "Conv2D", "BatchNormalization", "Dropout", "Embedding", "LSTM", "GRUCell"]


def zoo_of(cases):
    """The model, trained a bit, and what it is fed."""
    given = {**EVERY, "gates": A, "state": A}
    stochastic = {name: {**each, "rounding": "stochastic"} for name, each in given.items()}
    parts = [case.in_a_model(case.quantized(stochastic)) for case in cases]
    symbols, outputs, inputs = zip(*parts, strict=True)
    model = keras.Model(list(symbols), list(outputs))
    inputs = list(inputs)
    model(inputs, training=True)
    return model, inputs


@pytest.fixture(scope="module")
def zoo():
    """Of all layers; run eagerly, as tracing it takes half a minute each time."""
    return zoo_of(CASES)


def equal_outputs(got, want):
    for number, (ours, theirs) in enumerate(zip(got, want, strict=True)):
        for y, z in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs), strict=True):
            np.testing.assert_array_equal(y, z, err_msg=f"output {number}")


def test_save_and_load(zoo, tmp_path):
    """Equal predictions, and equal random bits in the training calls that follow."""
    model, inputs = zoo
    model.save(tmp_path / "zoo.keras")
    again = keras.saving.load_model(tmp_path / "zoo.keras")
    for training in (False, True):
        equal_outputs(*(each(inputs, training=training) for each in (again, model)))
    calls = [v.numpy() for v in again.variables if v.name == "calls"]
    assert calls == [2] * len(CASES)


def test_random_bits_are_on_the_grid_next_to_the_exact_value(zoo):
    """Of the output: rounded down or up. A fresh pair of bits in every training call."""
    layer = next(e for e in zoo[0].layers if isinstance(e, layers.QuantAveragePooling2D))
    case = next(case for case in CASES if case.quantized_class is layers.QuantAveragePooling2D)
    exact, step = np.clip(case.plain()(case.inputs), -2, 15 / 8), 1 / 8
    first, second = (layer(case.inputs, training=True).numpy() for _ in range(2))
    for y in (first, second):
        low = np.floor(exact / step) * step
        assert np.all((y == low) | (y == low + step))
    assert np.any(first != second)


@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_stateless_call_equals_a_call_and_changes_nothing(zoo, graph):
    """As HALP runs a model: values of variables come from a scope, new ones are handed back."""
    first = [next(case for case in CASES if str(case) == name) for name in FEW]
    model, inputs = zoo_of(first) if graph else zoo
    run = traced if graph else lambda call: call
    held = [v.numpy() for v in model.variables]
    trainable = [v.value * 0.75 for v in model.trainable_variables]
    others = [
        v.value * 2 if v.name == "moving_mean" else v.value + 0
        for v in model.non_trainable_variables
    ]
    y, after = run(model.stateless_call)(trainable, others, inputs, training=True)
    for variable, value in zip(model.variables, held, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    for variable, value in zip(variables, [*trainable, *others], strict=True):
        variable.assign(value)
    equal_outputs(y, run(model)(inputs, training=True))
    for got, variable in zip(after, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(got, variable.numpy(), err_msg=variable.path)
    moved = [
        v.name
        for v, old in zip(model.non_trainable_variables, others, strict=True)
        if np.any(v.numpy() != old)
    ]
    statistics = {"moving_mean", "moving_variance"} | (set() if graph else {"renorm_mean"})
    assert {"calls", "seed_generator_state"} | statistics <= set(moved)
