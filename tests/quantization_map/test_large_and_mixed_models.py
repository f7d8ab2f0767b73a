"""Many layers, layers of different dtypes, and models that share submodels."""

import keras
import numpy as np
from keras import layers

from tests.arrays import floats
from tq_halp import QuantizationMap

MAP = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": ".*", "weights": {"format": "float32"}}]}
)


def test_many_layers():
    """Beside each other: in a row of a thousand Keras itself would recurse too deeply."""
    inputs = keras.Input((2,))
    many = [layers.Dense(2, name=f"d{k}")(inputs) for k in range(400)]
    model = keras.Model(inputs, layers.Add(name="sum")(many))
    copy, x = MAP.apply(model), floats(1, 2)
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
    np.testing.assert_array_equal(copy(x), model(x))


def test_models_in_models():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="dense")], name="m0")
    for depth in range(1, 40):
        inputs = keras.Input((2,))
        model = keras.Model(inputs, model(inputs), name=f"m{depth}")
    copy, x = MAP.apply(model), floats(1, 2)
    np.testing.assert_array_equal(copy(x), model(x))
    path = "/".join(f"m{depth}" for depth in range(38, -1, -1)) + "/dense"
    assert {row.layer for row in MAP.plan(model).rows} == {path}


def test_a_submodel_that_several_models_share():
    shared = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="dense")], name="shared")
    inputs = keras.Input((2,))
    left = keras.Model(inputs, shared(inputs), name="left")
    right = keras.Model(inputs, shared(shared(inputs)), name="right")
    model = keras.Model(inputs, [left(inputs), right(left(inputs))])
    copy, x = MAP.apply(model), floats(1, 2)
    for found, expected in zip(copy(x), model(x), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(copy.weights) == len(model.weights) == 2
    inner = [copy.get_layer(name).get_layer("shared") for name in ("left", "right")]
    assert inner[0] is inner[1]
    (row,) = {row.layer for row in MAP.plan(model).rows}
    assert row == "left/shared/dense"


@keras.saving.register_keras_serializable("tests")
class OfAllKinds(layers.Layer):
    """Holds variables of many dtypes, of which its call uses one."""

    def build(self, shape):
        self.w = self.add_weight(name="w", shape=(shape[-1],), initializer="uniform")
        for dtype in ("float16", "bfloat16", "float64", "int32", "uint8", "bool"):
            held = self.add_weight(
                name=dtype, shape=(2,), dtype=dtype, initializer="ones", trainable=False
            )
            setattr(self, f"of_{dtype}", held)

    def call(self, x):
        return x * self.w


def test_weights_of_many_dtypes():
    x = inputs = keras.Input((4,))
    for policy in ("mixed_bfloat16", "float64", "float16", "mixed_float16", "bfloat16", "float32"):
        x = layers.Dense(4, dtype=policy, name=policy)(x)
    model = keras.Model(inputs, OfAllKinds(name="all")(x))
    for seed, variable in enumerate(model.weights):
        if variable.dtype.startswith(("float", "bfloat")):
            variable.assign(floats(*variable.shape, seed=seed))
    nothing = QuantizationMap.from_dict(
        {"version": 1, "rules": [{"layers": ".*", "quantize": "none"}]}
    )
    for quantization in (nothing, MAP):
        copy = quantization.apply(model)
        assert [v.dtype for v in copy.weights] == [v.dtype for v in model.weights]
        for made, variable in zip(copy.weights, model.weights, strict=True):
            np.testing.assert_array_equal(made.numpy(), variable.numpy())
    same = [each.dtype_policy.name for each in copy.layers]
    assert same == [each.dtype_policy.name for each in model.layers]
    np.testing.assert_array_equal(nothing.apply(model)(floats(2, 4)), model(floats(2, 4)))
