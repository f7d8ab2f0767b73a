"""What holds for every quantized layer: without quantizers it is Keras', with them on its grids.

The oracle is the plain Keras layer on weights and errors quantized in NumPy. All roundings are
deterministic here and the arithmetic is Keras' own on both sides, so every comparison is equality.
"""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantized_cases import CASES, EVERY, W, every_case, q, role

import quant_ops
from tests.arrays import floats
from tq_halp import layers, quantizers
from tq_halp.layers.keras_class_table import QUANTIZED

D = {"format": "scaled_integer", "word_bits": 8, "rounding": "nearest_even"}
STOCHASTIC = {**W, "rounding": "stochastic"}


def output(y):
    """Without the states that an RNN or a cell returns beside it."""
    return y[0] if isinstance(y, (list, tuple)) else y


def run(case, layer, upstream=lambda y: y, training=True):
    """What is returned, and the gradients of the weights and of the inputs, by the output."""
    inputs = tf.nest.map_structure(tf.constant, case.inputs)
    watched = [x for x in tf.nest.flatten(inputs) if x.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y = case.call(layer, inputs, training=training)
        seen = output(y)
    dy = tf.constant(upstream(floats(*seen.shape, seed=3)))
    weights = [v.value for v in layer.trainable_variables]
    dw, dx = tape.gradient(seen, [weights, watched], output_gradients=dy)
    # An embedding quantizes the gradient per row that was looked up, then sums.
    return y, [g.values if isinstance(g, tf.IndexedSlices) else g for g in dw], dx


def assert_equal(got, want):
    tf.nest.map_structure(np.testing.assert_array_equal, got, want)


def statistics(layer):
    return {v.name: v.numpy() for v in layer.non_trainable_variables if v.name != "calls"}


def test_every_class_has_a_case():
    elsewhere = {
        getattr(layers, "QuantReversibleEmbedding", None)
    }  # two ways to call: tied weights
    assert {case.quantized_class for case in CASES} == set(QUANTIZED.values()) - elsewhere
    for each in QUANTIZED.values():
        assert getattr(layers, each.__name__) is each and each.__name__ in layers.__all__
        assert each.__doc__ and each.__module__.startswith("tq_halp.layers")


@pytest.mark.parametrize("keras_class", QUANTIZED, ids=lambda c: c.__name__)
def test_signatures_are_those_of_the_installed_keras(keras_class):
    """Plus the roles; and plus `training` in a call."""
    quantized = QUANTIZED[keras_class]
    got = inspect.signature(quantized).parameters
    want = {
        name: parameter
        for name, parameter in inspect.signature(keras_class).parameters.items()
        if name not in quantized.roles  # Embedding's `weights`, initial values, gives way
    }
    assert {name: got[name] for name in want} == want
    assert set(got) - set(want) == set(quantized.roles)
    assert all(got[role].default is None for role in quantized.roles)
    got = list(inspect.signature(quantized.call).parameters.values())
    want = list(inspect.signature(keras_class.call).parameters.values())
    if keras_class is keras.layers.SimpleRNNCell:  # it alone calls its inputs `sequence`
        want[1] = want[1].replace(name="inputs")
    assert "training" in [each.name for each in got]
    assert [each for each in got if each in want] == want
    assert {each.name for each in got if each not in want} <= {"training"}


@every_case
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_without_quantizers_it_is_the_keras_layer(case, training):
    plain, quantized = case.plain(), case.quantized({})
    assert_equal(*(run(case, layer, training=training) for layer in (quantized, plain)))
    assert_equal(statistics(quantized), statistics(plain))
    assert [w.name for w in quantized.weights] == [w.name for w in plain.weights]
    assert quantized.rounding_counter is None
    assert quantized.supports_jit == plain.supports_jit


def test_without_quantizers_they_are_the_keras_layers_in_a_graph():
    """All of them in one, as tracing one takes longer than all the rest."""
    plain, quantized = [case.plain() for case in CASES], [case.quantized({}) for case in CASES]

    @tf.function
    def both():
        return [
            [case.call(layer, case.inputs) for case, layer in zip(CASES, every, strict=True)]
            for every in (quantized, plain)
        ]

    for case, got, want in zip(CASES, *both(), strict=True):
        tf.nest.map_structure(
            lambda ours, theirs, case=case: np.testing.assert_array_equal(
                ours, theirs, err_msg=str(case)
            ),
            got,
            want,
        )


@every_case
def test_every_tensor_equals_that_of_keras_on_quantized_weights(case):
    # Attention quantizes activations and errors inside, too: test_quant_attention.py.
    inside = ("activations", "errors") if str(case).endswith("Attention") else ()
    given = {name: EVERY[name] for name in EVERY if name not in inside}
    plain, quantized = case.plain(), case.quantized(given)
    masters = [v.numpy() for v in quantized.trainable_variables]
    for variable in plain.trainable_variables:
        variable.assign(q(variable.numpy(), EVERY[role(variable)]))
    y, weights, inputs = run(
        case, plain, upstream=lambda dy: dy if inside else q(dy, EVERY["errors"])
    )
    got = run(case, quantized)
    returned = tf.nest.flatten(y)  # the output, then states
    if not inside:
        returned[0] = q(returned[0], EVERY["activations"])
    want = (
        returned,
        [q(dw, EVERY["gradients"]) for dw in weights],
        inputs,  # of the errors that arrived quantized and of quantized weights
    )
    assert_equal(tf.nest.flatten(got), tf.nest.flatten(want))
    assert_equal([v.numpy() for v in quantized.trainable_variables], masters)
    assert_equal(statistics(quantized), statistics(plain))
    assert quantized.supports_jit == (plain.supports_jit and quant_ops.backend() != "native")


@pytest.mark.parametrize("case", [c for c in CASES if "weights" in c.roles], ids=str)
def test_a_dynamic_range_is_that_of_the_whole_weight(case):
    plain, quantized = case.plain(), case.quantized({"weights": D})
    for variable in plain.trainable_variables:
        if role(variable) == "weights":
            variable.assign(quantizers.get(D)(variable.value))
    got, want = (case.call(layer, case.inputs) for layer in (quantized, plain))
    assert_equal(got, want)


@every_case
def test_configuration_round_trips(case):
    cls, given = case.quantized_class, dict.fromkeys(case.roles, STOCHASTIC)
    layer = cls(**case.arguments, **given)
    again = cls.from_config(layer.get_config())
    assert again.quantizers == layer.quantizers
    assert layer.quantizers == {role: quantizers.for_role(role, STOCHASTIC) for role in given}
    assert again.get_config() == layer.get_config()
    bare = cls.from_config(case.keras_class(**case.arguments).get_config())
    assert not any(bare.quantizers.values())
