"""Models that Keras' own `quantize` has been at: one error, which names the layer."""

import keras
import numpy as np
import pytest

from tq_halp import InputError, QuantizationMap, report
from tq_halp.commands.dispatch import main

MAPPING = "version: 1\nrules: [{layers: first, weights: bfloat16}]\n"
MAP = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": "first", "weights": "bfloat16"}]}
)


def nested():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="last")], name="inner")
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(keras.layers.Dense(4, name="first")(inputs)))


def by_hand(mode):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(4, name="first")(inputs)
    last = keras.layers.Dense(4, name="last", dtype=f"{mode}_from_float32")
    return keras.Model(inputs, last(x))


def afterwards(mode):
    model = nested()
    model.get_layer("inner").get_layer("last").quantize(mode)
    return model


@pytest.mark.parametrize("make", [afterwards, by_hand])
@pytest.mark.parametrize("mode", ["int8", "float8"])
def test_one_layer_is_named_though_the_map_is_about_another(mode, make):
    model = make(mode)
    expected = rf"layer 'last' \(Dense\) is quantized by Keras \({mode}\) already: .* it was before"
    for use in (MAP.apply, MAP.plan, QuantizationMap.of):
        with pytest.raises(InputError, match=expected):
            use(model)
    with pytest.raises(InputError, match=expected):
        report(model, np.ones((2, 4), "float32"))


@pytest.mark.filterwarnings("ignore:Layer InputLayer does not have a `quantize` method")
@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
def test_a_model_that_keras_quantized_as_a_whole(mode):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, name="first")])
    model.quantize(mode)
    with pytest.raises(
        InputError, match=rf"layer 'first' \(Dense\) is quantized by Keras \({mode}"
    ):
        MAP.apply(model)


def test_the_command_says_it_too(tmp_path, capsys):
    model = afterwards("int8")
    model.save(tmp_path / "model.keras")
    (tmp_path / "map.yaml").write_text(MAPPING)
    arguments = ["--model", str(tmp_path / "model.keras"), "--map", str(tmp_path / "map.yaml")]
    assert main(["plan", *arguments]) == 2
    assert "layer 'last' (Dense) is quantized by Keras (int8) already" in capsys.readouterr().err
