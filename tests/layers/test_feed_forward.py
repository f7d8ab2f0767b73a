"""Every feed-forward layer: without quantizers it is Keras', with them each tensor is on its grid.

The oracle is the plain Keras layer on weights and errors quantized in NumPy. All roundings are
deterministic here and the arithmetic is Keras' own on both sides, so every comparison is equality.
"""

import inspect
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from feed_forward_cases import CASES, EVERY, B, W, every_case, floats

import quant_ops
from tq_halp import layers, quantizers
from tq_halp.errors import InputError
from tq_halp.layers import conv, dense, stateless_layers
from tq_halp.layers.quantized_classes import QUANTIZED

MODULES = (dense, conv, stateless_layers)
WEIGHTED = [case for case in CASES if "weights" in case.roles]
ROUND = {"nearest_even": np.rint, "down": np.floor, "up": np.ceil, "toward_zero": np.trunc}


def q(x, mapping):
    """A signed fixed-point format in NumPy."""
    step, top = 2.0 ** -mapping["frac_bits"], 2.0 ** (mapping["word_bits"] - 1)
    rounded = ROUND[mapping.get("rounding", "nearest_even")](np.asarray(x, np.float64) / step)
    return (np.clip(rounded, -top, top - 1) * step).astype(np.asarray(x).dtype)


def role(variable):
    return "bias" if variable.name in ("bias", "beta") else "weights"


def run(layer, inputs, upstream=lambda y: y, training=True):
    """The output, and the gradients of the weights and of the inputs."""
    inputs = tf.nest.map_structure(tf.constant, inputs)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs, training=training)
    dy = upstream(floats(*y.shape, seed=3))
    weights = [v.value for v in layer.trainable_variables]
    return y, *tape.gradient(y, [weights, inputs], output_gradients=tf.constant(dy))


def assert_equal(got, want):
    tf.nest.map_structure(np.testing.assert_array_equal, got, want)


def statistics(layer):
    return {v.name: v.numpy() for v in layer.non_trainable_variables if v.name != "calls"}


def test_every_class_has_a_case():
    mine = [c for c in QUANTIZED.values() if c.__module__ in (m.__name__ for m in MODULES)]
    elsewhere = {getattr(layers, "QuantReversibleEmbedding", None)}  # takes integers: tied weights
    assert {case.quantized_class for case in CASES} == set(mine) - elsewhere
    assert all(getattr(layers, c.__name__) is c and c.__name__ in layers.__all__ for c in mine)


@every_case
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_without_quantizers_it_is_the_keras_layer(case, training):
    plain, quantized = case.plain(), case.quantized({})
    got, want = (run(layer, case.inputs, training=training) for layer in (quantized, plain))
    assert_equal(got, want)
    assert_equal(statistics(quantized), statistics(plain))
    assert quantized.rounding_counter is None
    assert quantized.supports_jit == plain.supports_jit


@every_case
def test_call_has_keras_parameters_and_training(case):
    got = dict(inspect.signature(case.quantized_class.call).parameters)
    want = dict(inspect.signature(case.keras_class.call).parameters)
    assert "training" in got
    assert {name: got[name] for name in want} == want
    assert set(got) - set(want) <= {"training"}


@every_case
def test_every_tensor_equals_that_of_keras_on_quantized_weights(case):
    plain, quantized = case.plain(), case.quantized(EVERY)
    masters = [v.numpy() for v in quantized.trainable_variables]
    for variable in plain.trainable_variables:
        variable.assign(q(variable.numpy(), EVERY[role(variable)]))
    y, weights, inputs = run(plain, case.inputs, upstream=lambda dy: q(dy, EVERY["errors"]))
    got = run(quantized, case.inputs)
    want = (
        q(y, EVERY["activations"]),
        [q(dw, EVERY["gradients"]) for dw in weights],
        inputs,  # of the errors that arrived quantized and of quantized weights
    )
    assert_equal(got, want)
    assert_equal([v.numpy() for v in quantized.trainable_variables], masters)
    assert_equal(statistics(quantized), statistics(plain))
    assert quantized.supports_jit == (plain.supports_jit and quant_ops.backend() != "native")


def spying(quantized_class, seen):
    """A subclass that notes the values that Keras' own call finds in the weights."""

    def _call_quantized(self, keras_call, training):
        def call():
            seen.update((v.name, tf.convert_to_tensor(v)) for v in self.trainable_variables)
            return keras_call()

        return quantized_class._call_quantized(self, call, training)

    return type("Spy", (quantized_class,), {"_call_quantized": _call_quantized})


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("case", WEIGHTED, ids=lambda case: case.keras_class.__name__)
def test_inside_the_call_every_weight_is_on_its_grid(case, dtype):
    """Quantized in the dtype in which the call reads it: every format here fits bfloat16."""
    seen, plain = {}, case.plain(dtype=dtype)
    given = {name: EVERY[name] for name in case.roles if name in EVERY}
    layer = case.weighted(
        spying(case.quantized_class, seen)(**case.arguments, **given, dtype=dtype)
    )
    y = layer(case.inputs)
    assert [*seen] == [v.name for v in layer.trainable_variables]
    for variable in plain.trainable_variables:
        value = seen[variable.name]
        assert value.dtype in (layer.compute_dtype, "float32")
        read = tf.cast(tf.cast(variable.value, value.dtype), "float32").numpy()
        variable.assign(q(read, EVERY[role(variable)]))
        np.testing.assert_array_equal(tf.cast(value, "float32"), variable.value)
    assert y.dtype == layer.compute_dtype
    want = q(tf.cast(plain(case.inputs), "float32").numpy(), EVERY["activations"])
    np.testing.assert_array_equal(tf.cast(y, "float32"), want)


@pytest.fixture(scope="module")
def zoo():
    """A functional model of all layers that draws random bits for every tensor, trained a bit."""
    stochastic = {name: {**given, "rounding": "stochastic"} for name, given in EVERY.items()}
    symbols = [case.symbols() for case in CASES]
    every = [case.quantized(stochastic) for case in CASES]
    model = keras.Model(symbols, [layer(x) for layer, x in zip(every, symbols, strict=True)])
    tf.function(model)([case.inputs for case in CASES], training=True)
    return model


def test_save_and_load(zoo, tmp_path):
    """Equal predictions, and equal random bits in the training calls that follow."""
    inputs = [case.inputs for case in CASES]
    zoo.save(tmp_path / "zoo.keras")
    again = keras.saving.load_model(tmp_path / "zoo.keras")
    for training in (False, True):
        want, got = (tf.function(model)(inputs, training=training) for model in (zoo, again))
        for case, ours, theirs in zip(CASES, got, want, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=case.keras_class.__name__)
    counters = [layer.rounding_counter for layer in again.layers if hasattr(layer, "quantizers")]
    assert [counter.calls.numpy() for counter in counters] == [2] * len(CASES)


def test_random_bits_are_on_the_grid_next_to_the_exact_value(zoo):
    """Of the output: rounded down or up. A fresh pair of bits in every training call."""
    layer = next(layer for layer in zoo.layers if isinstance(layer, layers.QuantAveragePooling2D))
    case = next(case for case in CASES if case.quantized_class is layers.QuantAveragePooling2D)
    exact, step = np.clip(case.plain()(case.inputs), -2, 15 / 8), 1 / 8
    first, second = (layer(case.inputs, training=True).numpy() for _ in range(2))
    for y in (first, second):
        low = np.floor(exact / step) * step
        assert np.all((y == low) | (y == low + step))
    assert np.any(first != second)


def test_stateless_call_equals_a_call_and_changes_nothing(zoo):
    """As HALP runs a model: values of variables come from a scope, new ones are handed back."""
    inputs = [case.inputs for case in CASES]
    held = [v.numpy() for v in zoo.variables]
    trainable = [v.value * 0.75 for v in zoo.trainable_variables]
    others = [
        v.value * 2 if v.name == "moving_mean" else v.value + 0 for v in zoo.non_trainable_variables
    ]
    y, after = tf.function(zoo.stateless_call)(trainable, others, inputs, training=True)
    assert_equal([v.numpy() for v in zoo.variables], held)
    variables = [*zoo.trainable_variables, *zoo.non_trainable_variables]
    for variable, value in zip(variables, [*trainable, *others], strict=True):
        variable.assign(value)
    assert_equal(y, tf.function(zoo)(inputs, training=True))
    assert_equal(after, [v.numpy() for v in zoo.non_trainable_variables])
    moved = [
        v.name
        for v, old in zip(zoo.non_trainable_variables, others, strict=True)
        if np.any(v.numpy() != old)
    ]
    assert {"calls", "moving_mean", "moving_variance", "renorm_mean"} <= set(moved)


def test_masks_pass_through():
    x, mask = floats(2, 6, 4), tf.constant([[True] * 6, [True, False, True, False, True, False]])
    for name in ("GlobalAveragePooling1D", "BatchNormalization", "Dense", "Activation"):
        case = next(case for case in CASES if case.keras_class.__name__ == name)
        plain, quantized = case.plain(), case.quantized({"activations": EVERY["activations"]})
        outputs = []
        for layer in (plain, quantized):
            given = tf.constant(x)
            given._keras_mask = mask
            outputs.append(layer(given, training=True))
        want, got = outputs
        np.testing.assert_array_equal(got, q(want.numpy(), EVERY["activations"]))
        assert getattr(got, "_keras_mask", None) is getattr(want, "_keras_mask", None)


def test_frozen_weights_are_quantized_and_statistics_are_not():
    layer = layers.QuantBatchNormalization(weights=W, bias=B, name="frozen")
    layer.build((2, 4))
    layer.trainable = False
    layer.gamma.assign(floats(4, seed=1))
    layer.moving_mean.assign(floats(4, seed=2))
    plain = keras.layers.BatchNormalization()
    plain.build((2, 4))
    plain.gamma.assign(q(floats(4, seed=1), W))
    plain.moving_mean.assign(floats(4, seed=2))
    np.testing.assert_array_equal(layer(floats(2, 4)), plain(floats(2, 4)))


def test_kerass_own_quantization_is_refused():
    layer = layers.QuantDense(3, weights=W, dtype="int8_from_float32", name="d")
    with pytest.raises(InputError, match="d: dtype must be a floating-point policy"):
        layer(floats(2, 4))
    assert layers.QuantDense(3, dtype="int8_from_float32")(floats(2, 4)).shape == (2, 3)


@pytest.mark.parametrize("cls", [layers.QuantAdd, layers.QuantDense], ids=lambda c: c.__name__)
def test_classes_and_layers_pickle(cls):
    assert pickle.loads(pickle.dumps(cls)) is cls
    layer = pickle.loads(pickle.dumps(cls(**({"units": 2} if cls is layers.QuantDense else {}))))
    assert type(layer) is cls
    assert cls.__doc__ and cls.__module__.startswith("tq_halp.layers")


def test_layers_that_keras_builds_at_once_may_have_a_clock_and_a_counter():
    """Keras locks such a layer at the end of its __init__: nothing can be added afterwards."""
    stages = ((0, None), (1, quantizers.get({**W, "rounding": "stochastic"})))
    layer = layers.QuantUnitNormalization(activations=quantizers.ScheduledQuantizer("step", stages))
    assert layer.built and layer.clock is not None and layer.rounding_counter is not None
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        layer.another = keras.layers.Dense(1)
