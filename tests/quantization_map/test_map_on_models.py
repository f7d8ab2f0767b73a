"""A map on a model: who decides, the plan's table, the quantized copy, the errors."""

import functools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tests import mappings
from tests.arrays import floats
from tests.mappings import W8
from tq_halp import QuantizationMap, layers, models
from tq_halp.errors import InputError
from tq_halp.formats import FixedPoint
from tq_halp.quantizers import Quantizer

A4 = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2, "gradient": "clipped"}
CONFIGS = Path(__file__).parents[2] / "configs" / "maps"


make_map = functools.partial(mappings.make_map, formats={"w8": W8, "a4": A4})


def nested_model(dropout=0.0):
    """x -> outer/inner/lstm_1 -> dropout -> head (twice, shared) -> add."""
    inner_input = keras.Input((5, 4), name="input")
    lstm = keras.layers.LSTM(3, return_sequences=True, name="lstm_1")
    inner = keras.Model(inner_input, lstm(inner_input), name="inner")
    outer = keras.Sequential([keras.Input((5, 4)), inner], name="outer")
    x = keras.Input((5, 4), name="x")
    y = keras.layers.Dropout(dropout, seed=1, name="dropout")(outer(x))
    head = keras.layers.Dense(3, name="head")
    y = keras.layers.Add(name="add")([head(y), head(head(y))])
    return keras.Model(x, y, name="model")


def message_of(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    return str(error.value)


def test_plan_prints_as_a_table():
    plan = make_map(
        {"layers": "outer/.*", "class": "LSTM", "weights": "w8", "state": "a4"},
        {"layers": ".*", "weights": "w8", "bias": "none"},
    ).plan(nested_model())
    assert str(plan) == TABLE.strip("\n")


TABLE = """
┏━━━━━━━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━┓
┃ layer              ┃ class ┃ tensor                                  ┃ format                                 ┃ rule ┃
┡━━━━━━━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━┩
│ outer/inner/lstm_1 │ LSTM  │ weights, recurrent_weights              │ fixed_point(8, 6) nearest_even         │ 1    │
│                    │       │ bias, activations, gates, gradients,    │ float                                  │ 1    │
│                    │       │ errors                                  │                                        │      │
│                    │       │ state                                   │ fixed_point(4, 2) nearest_even clipped │ 1    │
├────────────────────┼───────┼─────────────────────────────────────────┼────────────────────────────────────────┼──────┤
│ head               │ Dense │ weights                                 │ fixed_point(8, 6) nearest_even         │ 2    │
│                    │       │ bias, activations, gradients, errors,   │ float                                  │ 2    │
│                    │       │ accumulator                             │                                        │      │
└────────────────────┴───────┴─────────────────────────────────────────┴────────────────────────────────────────┴──────┘
without weights, left as they are: x, outer/inner/input, dropout, add
"""  # noqa: E501


def test_plan_shows_what_stays_in_float():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(3, name="a"),
            keras.layers.BatchNormalization(name="b"),
        ]
    )
    rows = make_map({"layers": "a", "quantize": "none"}).plan(model).rows
    assert [(row.layer, row.tensor, row.quantizer, row.rule, row.why) for row in rows] == [
        ("a", "all", None, 1, "quantize: none"),
        ("b", "all", None, None, "no rule matches"),
    ]


def test_plan_as_data():
    data = make_map({"layers": "head", "weights": "w8", "momentum": "a4"}).plan(nested_model())
    rows = data.to_dict()["rows"]
    assert rows[0] == {
        "layer": "outer/inner/lstm_1",
        "class_name": "LSTM",
        "tensor": "all",
        "rule": None,
        "why": "no rule matches",
        "format": None,
    }
    assert [(row["tensor"], row["format"] and row["format"]["word_bits"]) for row in rows[1:]] == [
        ("weights", 8),
        ("bias", None),
        ("activations", None),
        ("gradients", None),
        ("errors", None),
        ("accumulator", None),
        ("momentum", 4),
    ]
    assert json.loads(json.dumps(data.to_dict())) == data.to_dict()
    assert data.to_dict()["idle"] == ["x", "outer/inner/input", "dropout", "add"]


def test_the_first_rule_that_matches_decides():
    rows = (
        make_map(
            {"layers": "head", "quantize": "none"},
            {"layers": "outer/inner/lstm_\\d", "weights": "a4"},
            {"layers": ".*", "weights": "w8"},
        )
        .plan(nested_model())
        .rows
    )
    assert [(r.layer, r.rule) for r in rows if r.tensor in ("weights", "all")] == [
        ("outer/inner/lstm_1", 2),
        ("head", 1),
    ]


def test_apply_gives_a_quantized_copy_and_leaves_the_source_alone():
    model = nested_model()
    x = floats(2, 5, 4)
    before, weights = model(x).numpy(), model.get_weights()
    quantized = make_map({"layers": ".*", "weights": "w8"}).apply(model)

    np.testing.assert_array_equal(model(x), before)
    assert type(model.get_layer("head")) is keras.layers.Dense
    assert quantized.name == model.name
    assert [layer.name for layer in quantized.layers] == [layer.name for layer in model.layers]
    lstm = quantized.get_layer("outer").get_layer("inner").get_layer("lstm_1")
    assert type(lstm) is layers.QuantLSTM
    assert type(quantized.get_layer("head")) is layers.QuantDense
    for copied, original in zip(quantized.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(copied, original)

    # The oracle: the plain model with quantized kernels.
    quantizer = Quantizer(FixedPoint(8, 6))
    for variable in model.trainable_variables:
        if variable.name != "bias":
            variable.assign(quantizer(variable.value))
    np.testing.assert_array_equal(quantized(x), model(x))


def test_apply_keeps_shared_layers_shared_and_weights_apart():
    model = nested_model()
    quantized = make_map({"layers": "head", "weights": "w8"}).apply(model)
    assert len(quantized.get_layer("head")._inbound_nodes) == 3
    quantized.get_layer("head").kernel.assign(np.zeros((3, 3)))
    assert np.any(model.get_layer("head").kernel.numpy() != 0)


def test_a_map_that_quantizes_nothing_changes_no_bit():
    model = nested_model(dropout=0.5)
    x = floats(2, 5, 4)
    copy = make_map({"layers": ".*", "quantize": "none"}).apply(model)
    np.testing.assert_array_equal(copy(x), model(x))
    # The state of the dropout's generator is copied with the weights.
    np.testing.assert_array_equal(copy(x, training=True), model(x, training=True))


def test_apply_with_stochastic_rounding_trains():
    model = nested_model()
    quantized = make_map({"layers": ".*", "weights": {**W8, "rounding": "stochastic"}}).apply(model)
    quantized.compile("sgd", "mse")
    before = quantized.get_layer("head").kernel.numpy()
    quantized.fit(floats(4, 5, 4), np.ones((4, 5, 3)), batch_size=2, verbose=0)
    assert np.all(quantized.get_layer("head").kernel.numpy() != before)
    # `head` is called three times in each of the two batches.
    assert quantized.get_layer("head").rounding_counter.calls.numpy() == 6


def test_apply_to_a_quantized_model_replaces_its_quantizers():
    once = make_map({"layers": "head", "weights": "w8", "bias": "w8"}).apply(nested_model())
    twice = make_map({"layers": "head", "weights": "a4"}).apply(once)
    assert twice.get_layer("head").quantizers["weights"] == Quantizer(
        FixedPoint(4, 2), gradient="clipped"
    )
    assert twice.get_layer("head").quantizers["bias"] is None
    undone = make_map({"layers": "head", "quantize": "none"}).apply(once)
    assert set(undone.get_layer("head").quantizers.values()) == {None}


def test_apply_keeps_the_compilation():
    model = nested_model()
    model.compile(keras.optimizers.SGD(0.125), "mse")
    quantized = make_map({"layers": ".*", "weights": "w8"}).apply(model)
    assert quantized.optimizer is not model.optimizer
    assert quantized.optimizer.learning_rate.numpy() == 0.125


@pytest.mark.parametrize("name", ["lstm_w8a8", "lstm_w8a8g8e8", "lstm_mxfp8"])
def test_shipped_maps_fit_the_language_model(name):
    model = models.lstm_language_model(20, embedding=32, units=32, layers=2)
    quantized = QuantizationMap.from_yaml(CONFIGS / f"{name}.yaml").apply(model)
    kinds = [type(quantized.get_layer(n)) for n in ("embedding", "lstm_1", "lstm_2", "logits")]
    assert kinds == [layers.QuantEmbedding, layers.QuantLSTM, layers.QuantLSTM, layers.QuantDense]
    assert np.all(np.isfinite(quantized(np.ones((2, 3), np.int32))))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            [{"layers": "outer/inner/lstm", "weights": "w8"}],
            "rules[0]: matches no layer. Received: 'outer/inner/lstm', the layers are: "
            "x (InputLayer), outer/inner/input",
        ),
        ([{"layers": "heads", "weights": "w8"}], "did you mean 'head'?"),
        (
            [{"layers": ".*", "class": "GRU", "weights": "w8"}],
            "rules[0]: matches no layer. Received: '.*', class GRU",
        ),
        (
            [{"layers": "head", "recurrent_weights": "w8"}],
            "rules[0]: recurrent_weights does not exist in head (Dense), valid: weights, bias, ",
        ),
        (
            [{"layers": "x|outer/inner/input.*", "activations": "a4"}],
            "rules[0]: matches only layers without anything to quantize (x (InputLayer), outer/in",
        ),
        (
            [{"layers": ".*", "weights": "w8"}, {"layers": "head", "weights": "a4"}],
            "rules[1]: earlier rules decide every layer it matches (head (Dense): rule 1)",
        ),
    ],
)
def test_a_rule_that_cannot_do_what_it_asks(rules, expected):
    model = nested_model()
    assert expected in message_of(make_map(*rules).plan, model)
    assert expected in message_of(make_map(*rules).apply, model)


def test_a_rule_that_matches_nothing_is_named_with_file_and_line(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(
        "version: 1\nrules:\n  - {layers: head, quantize: none}\n\n"
        "  - {layers: haed, quantize: none}\n"
    )
    message = message_of(QuantizationMap.from_yaml(path).plan, nested_model())
    assert message.startswith(f"{path}:5: rule 2: matches no layer. Received: 'haed'")


def test_a_catch_all_may_find_only_layers_without_weights_left():
    rules = [{"layers": "head|outer/.*", "weights": "w8"}, {"layers": ".*", "weights": "a4"}]
    assert make_map(*rules).apply(nested_model()).get_layer("dropout").rate == 0.0


def test_a_catch_all_may_find_nothing_left_at_all():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="a")])
    rules = [{"layers": "a", "weights": "w8"}, {"layers": ".*", "weights": "a4"}]
    assert {row.rule for row in make_map(*rules).plan(model).rows} == {1}


def test_what_is_no_built_keras_model_is_refused():
    everything = make_map({"layers": ".*", "weights": "w8"})
    unbuilt = keras.Sequential([keras.layers.Dense(2)], name="late")
    assert "model 'late' is not built" in message_of(everything.apply, unbuilt)
    assert "must be a Keras model. Received: 3" in message_of(everything.plan, 3)
    assert "must be a Keras model" in message_of(everything.apply, keras.layers.Dense(2))


def test_an_error_leaves_the_model_as_it_was():
    model = nested_model()
    model.compile("sgd", "mse")
    x, held = floats(2, 5, 4), [type(layer) for layer in model._flatten_layers()]
    before, optimizer = model(x).numpy(), model.optimizer
    wrong = make_map({"layers": ".*", "weights": "w8"}, {"layers": "heads", "weights": "w8"})
    message_of(wrong.apply, model)
    assert [type(layer) for layer in model._flatten_layers()] == held
    assert model.optimizer is optimizer
    np.testing.assert_array_equal(model(x), before)


def test_a_lambda_and_the_frozen_are_copied():
    x = keras.Input((3,))
    y = keras.layers.Lambda(lambda t: t * 2)(keras.layers.Dense(3, name="a")(x))
    model = keras.Model(x, keras.layers.Dense(2, name="b")(y))
    model.trainable = False
    model.get_layer("b").trainable = True
    quantized = make_map({"layers": "b", "weights": "w8"}).apply(model)
    assert not quantized.trainable
    assert [quantized.get_layer(name).trainable for name in "ab"] == [False, True]
    kernel = Quantizer.from_config(W8)(model.get_layer("b").kernel.value)
    model.get_layer("b").kernel.assign(kernel)
    np.testing.assert_array_equal(quantized(np.eye(3)), model(np.eye(3)))
