"""Feed-forward layers: weights inside the call, masks, what is frozen, refused, pickled."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from quantized_cases import EVERY, FORWARD, B, W, q, role

from tests.arrays import floats
from tq_halp import layers, quantizers
from tq_halp.errors import InputError

WEIGHTED = [case for case in FORWARD if "weights" in case.roles]


def spying(quantized_class, seen):
    """A subclass that notes the values that Keras' own call finds in the weights."""

    def _call_quantized(self, keras_call, training):
        def call():
            seen.update((v.name, tf.convert_to_tensor(v)) for v in self.trainable_variables)
            return keras_call()

        return quantized_class._call_quantized(self, call, training)

    return type("Spy", (quantized_class,), {"_call_quantized": _call_quantized})


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("case", WEIGHTED, ids=str)
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


def test_masks_pass_through():
    x, mask = floats(2, 6, 4), tf.constant([[True] * 6, [True, False, True, False, True, False]])
    for name in ("GlobalAveragePooling1D", "BatchNormalization", "Dense", "Activation"):
        case = next(case for case in FORWARD if str(case) == name)
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


def test_layers_that_keras_builds_at_once_may_have_a_clock_and_a_counter():
    """Keras locks such a layer at the end of its __init__: nothing can be added afterwards."""
    stages = ((0, None), (1, quantizers.get({**W, "rounding": "stochastic"})))
    layer = layers.QuantUnitNormalization(activations=quantizers.ScheduledQuantizer("step", stages))
    assert layer.built and layer.clock is not None and layer.rounding_counter is not None
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        layer.another = keras.layers.Dense(1)
