"""Subclassed models, layers that hold layers, keras.applications: copied, quantized, untouched."""

import json

import keras
import numpy as np
import pytest

from tests.arrays import floats
from tests.mappings import W8, make_map
from tests.quantization_map.own_models import Own, Scale, own_model, with_two_inputs
from tq_halp import InputError, export, import_weights, layers
from tq_halp.optimizers import QuantizedOptimizer
from tq_halp.quantizers import Quantizer
from tq_halp.quantizers.call_counter import CallCounter

G8 = {"format": "scaled_integer", "word_bits": 8, "rounding": "stochastic"}


WEIGHTS = make_map({"layers": ".*", "weights": W8, "bias": W8})
ALL = make_map(
    {
        "layers": ".*",
        "weights": {**W8, "rounding": "stochastic"},
        "activations": {**W8, "frac_bits": 4},
        "gradients": G8,
        "errors": G8,
    }
)


def state(model):
    """Values by path, without the counters of quantized layers."""
    own = {
        id(variable)
        for layer in model._flatten_layers()
        if isinstance(layer, CallCounter)
        for variable in layer.variables
    }
    kept = [variable for variable in model.variables if id(variable) not in own]
    return [(v.path.replace("/layer/", "/"), v.numpy()) for v in kept]


def structure(model):
    return [(layer.name, type(layer)) for layer in model._flatten_layers()]


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.fixture(scope="module")
def own():
    return own_model()


@pytest.fixture(scope="module")
def quantized(own):
    """The subclassed model under WEIGHTS; what became of the source is checked on the way."""
    x, before, held = floats(2, 5, 6), state(own), structure(own)
    y = own(x).numpy()
    quantized = WEIGHTS.apply(own)
    assert structure(own) == held
    assert same([v for _, v in state(own)], [v for _, v in before])
    np.testing.assert_array_equal(own(x), y)
    return quantized


def test_a_subclassed_model_keeps_class_names_weights_and_methods(own, quantized):
    assert isinstance(quantized, Own)
    assert (quantized.answer(), quantized.units, quantized.name) == (42, 6, own.name)
    names = [path for path, _ in state(own) if "seed_generator" not in path]
    assert [path for path, _ in state(quantized) if "seed_generator" not in path] == names
    assert same([v for _, v in state(quantized)], [v for _, v in state(own)])


def test_a_subclassed_model_is_quantized_wherever_its_layers_are(quantized):
    assert type(quantized.block.first) is layers.QuantDense
    assert [type(dense) for dense in quantized.block.rest] == [layers.QuantDense] * 2
    assert type(quantized.branches["b"]) is layers.QuantDense
    assert type(quantized.inner.layers[1]) is layers.QuantBatchNormalization
    assert type(quantized.graph.get_layer("in_graph")) is layers.QuantDense
    assert type(quantized.both_ways.backward_layer) is layers.QuantLSTM
    assert type(quantized.scale) is layers.QuantLayer
    assert type(quantized.head) is layers.QuantDense  # made in build


def test_a_subclassed_model_computes_with_quantized_weights(own, quantized):
    quantizer, x = Quantizer.from_config(W8), floats(2, 5, 6)
    plain = Own(units=6)
    plain(x)
    for (path, value), variable in zip(state(own), plain.variables, strict=True):
        if "seed" not in path and "moving" not in path and not path.endswith("gain"):
            value = quantizer(value)
        variable.assign(value)
    np.testing.assert_array_equal(quantized(x), plain(x))


def test_paths_are_those_of_the_layers_that_hold_a_layer(own):
    rows = make_map({"layers": ".*/backward_lstm", "weights": W8}).plan(own).rows
    outer = own.both_ways.name
    assert [row.layer for row in rows if row.rule] == [f"{outer}/backward_lstm"] * 8
    block = own.block.name
    assert [f"{block}/{own.block.first.name}", own.head.name] == [
        row.layer for row in rows if row.layer.endswith((own.block.first.name, "head"))
    ]
    (gain,) = [row for row in rows if row.layer == block]
    assert (gain.tensor, gain.quantizer) == ("all", None)


def test_a_subclassed_model_trains_saves_loads_and_goes_on_bit_for_bit(own, tmp_path):
    model, x, y = ALL.apply(own), floats(4, 5, 6), floats(4, 2)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    model.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    assert isinstance(loaded, Own) and loaded.answer() == 42
    names = [layer.name for layer in model._flatten_layers() if "input" not in layer.name]
    assert [n for n in (x.name for x in loaded._flatten_layers()) if "input" not in n] == names
    np.testing.assert_array_equal(loaded(x), model(x))
    for each in (model, loaded):
        each.fit(x, y, batch_size=2, shuffle=False, verbose=0)
    assert same(loaded.get_weights(), model.get_weights())
    # What was quantized can be quantized otherwise, or not at all.
    again = make_map({"layers": "head", "weights": W8}, {"layers": ".*", "quantize": "none"})
    plain = again.apply(loaded)
    assert plain.head.quantizers["weights"] == Quantizer.from_config(W8)
    assert not plain.block.first.is_quantizing
    assert same([v for _, v in state(plain)], [v for _, v in state(loaded)])


def test_a_map_that_quantizes_nothing_copies_a_subclassed_model(own):
    x = floats(2, 5, 6)
    copy = make_map({"layers": ".*", "quantize": "none"}).apply(own)
    np.testing.assert_array_equal(copy(x), own(x))
    assert isinstance(copy, Own) and copy.head is not own.head


def test_a_functional_model_with_everything():
    model, x = with_two_inputs(), [floats(2, 5, 4), floats(2, 5, 4) + 1]
    model.compile("sgd", "mse")
    before, held = [np.array(y) for y in model(x)], structure(model)
    quantized = WEIGHTS.apply(model)
    assert structure(model) == held and same(model(x), before)
    assert [layer.name for layer in quantized.layers] == [layer.name for layer in model.layers]
    paths = [path for path, _ in state(model) if "seed_generator" not in path]
    assert [path for path, _ in state(quantized) if "seed_generator" not in path] == paths
    assert len(quantized.get_layer("shared")._inbound_nodes) == 2
    assert type(quantized.get_layer("stack").cell.cells[1]) is layers.QuantGRUCell
    assert type(quantized.get_layer("each").layer) is layers.QuantDense
    assert not quantized.get_layer("each").trainable_variables
    assert quantized.compiled and quantized.optimizer is not model.optimizer
    again = WEIGHTS.apply(quantized)
    assert same(again(x), quantized(x))
    # The oracle: plain Keras with quantized weights.
    quantizer = Quantizer.from_config(W8)
    for variable in model.variables:
        if variable.name != "gain" and "seed" not in variable.path:
            variable.assign(quantizer(variable.value))
    assert same(quantized(x), model(x))


def test_mobilenet_v2_of_keras_applications():
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=3)
    x = floats(1, 32, 32, 3)
    before = model(x).numpy()
    quantized = WEIGHTS.apply(model)
    np.testing.assert_array_equal(model(x), before)
    assert [layer.name for layer in quantized.layers] == [layer.name for layer in model.layers]
    assert type(quantized.get_layer("Conv1")) is layers.QuantConv2D
    assert type(quantized.get_layer("bn_Conv1")) is layers.QuantBatchNormalization
    assert np.all(np.isfinite(quantized(x)))


def test_a_model_that_was_loaded_from_a_file(tmp_path):
    model = with_two_inputs()
    model.save(tmp_path / "two.keras")
    loaded, x = keras.models.load_model(tmp_path / "two.keras"), [floats(1, 5, 4)] * 2
    assert same(WEIGHTS.apply(loaded)(x), WEIGHTS.apply(model)(x))


class Attending(keras.Model):
    """Holds a layer that makes layers when it is built, and is no class that Keras knows."""

    def __init__(self):
        super().__init__(name="attending")
        self.attention = keras.layers.MultiHeadAttention(2, 2, name="attention")
        self.dense = keras.layers.Dense(3, name="dense")

    def call(self, x):
        return self.dense(x + self.attention(x, x))


def test_attention_in_a_subclassed_model_is_one_layer(tmp_path):
    source, x = Attending(), floats(2, 4, 3)
    source(x)
    model = WEIGHTS.apply(source)
    assert type(model.attention) is layers.QuantMultiHeadAttention
    assert type(model.dense) is layers.QuantDense
    assert {row.layer for row in WEIGHTS.plan(source).rows} == {"attention", "dense"}
    y = np.array(model(x))
    model.save(tmp_path / "attending.keras")
    with pytest.raises(InputError, match="attending: Could not locate class 'Attending'"):
        keras.models.load_model(tmp_path / "attending.keras")
    custom = {"Attending": Attending}
    loaded = keras.models.load_model(tmp_path / "attending.keras", custom_objects=custom)
    np.testing.assert_array_equal(loaded(x), y)


def test_an_rnn_over_a_cell_of_the_users_is_quantized_as_one():
    @keras.saving.register_keras_serializable("tests")
    class Cell(keras.layers.Layer):
        state_size = output_size = 2

        def build(self, shape):
            self.w = self.add_weight(name="w", shape=(shape[-1], 2))

        def call(self, x, states):
            h = x @ self.w + states[0]
            return h, [h]

    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.RNN(Cell(), name="rnn")(inputs))
    quantized, x = WEIGHTS.apply(model), floats(2, 3, 2)
    assert type(quantized.get_layer("rnn")) is layers.QuantLayer
    model.get_layer("rnn").cell.w.assign(Quantizer.from_config(W8)(model.weights[0].value))
    np.testing.assert_array_equal(quantized(x), model(x))


def test_momentum_reaches_the_optimizer():
    source = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(2, name="head")]
    )
    momentum = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}
    quantization = make_map({"layers": "head", "weights": W8, "momentum": momentum})
    model, x, y = quantization.apply(source), floats(4, 3), floats(4, 2)
    model.compile(quantization.optimizer(model, keras.optimizers.SGD(0.1, momentum=0.9)), "mse")
    model.fit(x, y, verbose=0)
    slots = [slot.numpy() for slot in model.optimizer.inner_optimizer.momentums]
    on_grid = [bool(np.all(np.rint(slot * 16) == slot * 16)) for slot in slots]
    assert on_grid == ["head" in weight.path for weight in model.trainable_variables]
    assert all(np.any(slot) for slot in slots)
    # A compiled model is compiled again with such an optimizer.
    assert type(quantization.apply(model).optimizer) is QuantizedOptimizer
    assert type(quantization.optimizer(source, "adam")) is QuantizedOptimizer
    assert type(WEIGHTS.optimizer(source, "adam")) is keras.optimizers.Adam


def test_a_model_compiled_with_a_lambda_gives_a_compiled_copy():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile("adam", lambda y, p: keras.ops.mean((y - p) ** 2, axis=-1), metrics=["mae"])
    copy = make_map({"layers": ".*", "weights": "bfloat16", "momentum": "bfloat16"}).apply(model)
    x, y = floats(8, 3), floats(8, 2)
    assert copy.evaluate(x, y, verbose=0)[0] == pytest.approx(
        np.mean((copy.predict(x, verbose=0) - y) ** 2), rel=1e-5
    )
    copy.fit(x, y, verbose=0)
    assert isinstance(copy.optimizer, QuantizedOptimizer)
    assert int(model.optimizer.iterations) == 0


def test_the_plan_of_a_subclassed_model_is_data(own):
    data = ALL.plan(own).to_dict()
    assert json.loads(json.dumps(data)) == data
    assert {row["class_name"] for row in data["rows"]} >= {"Dense", "LSTM", "Scale", "Block"}
    assert Scale.__name__ in str(ALL.plan(own))


def test_what_a_layer_was_adapted_to_is_copied_and_imported(tmp_path):
    def built():
        layer = keras.layers.Normalization(name="adapted")
        return layer, keras.Sequential([keras.Input((3,)), layer, keras.layers.Activation("tanh")])

    x = 10 + floats(20, 3)
    layer, model = built()
    layer.adapt(x)
    expected = np.tanh((x - x.mean(axis=0)) / x.std(axis=0))
    everything = make_map({"layers": "activation.*", "activations": "float32"})
    copy = everything.apply(model)
    # float32, of numbers about 10 whose mean is taken away.
    np.testing.assert_allclose(copy.predict(x, verbose=0), expected, atol=1e-4)
    export(copy, tmp_path / "weights.npz")
    _, other = built()
    import_weights(other, tmp_path / "weights.npz")
    np.testing.assert_allclose(other.predict(x, verbose=0), expected, atol=1e-4)
