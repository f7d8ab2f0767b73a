"""What a report says of a model, worked out beside it; and that the model does not notice."""

import math

import keras
import numpy as np
import pytest
import report_models
from report_models import FIXED, rows_of

import tq_halp
from tests.mappings import make_map
from tq_halp.layers import QuantDense

X = np.float32([[1, 0.5], [-2, 1], [0, 0.25], [0.5, -0.5]])
Y = np.float32([[0], [1], [-1], [0.5]])


@pytest.fixture(scope="module")
def nested_report():
    """Of a floating-point model: float rows only, in batches of 5, 5 and 2."""
    model = report_models.nested()
    return model, tq_halp.report(model, report_models.tokens(), batch_size=5)


def quantized(model, **roles):
    rule = {"layers": ".*", **roles}
    return make_map(rule).apply(model)


def test_a_training_step_by_hand():
    """Every tensor of y = x W + b under the mean of squares, quantized or not."""
    grid = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}  # 0.25 from -2 to 1.75
    model = quantized(report_models.dense(), weights=grid, activations=grid, gradients=grid)
    report = tq_halp.report(model, (X, Y))
    assert (report.model, report.batches, report.samples) == ("small", 1, 4)
    rows = rows_of(report)
    w, b = np.float32([[0.25], [-1.25]]), np.float32([0.05])
    y = X @ w + b
    y_on_grid = np.clip(np.rint(4 * y), -8, 7) / 4
    error = 2 * (y_on_grid - Y) / 4
    expected = {
        ("weights", "kernel"): (np.float32([[0.3], [-1.2]]), w),
        ("bias", "bias"): (b, None),
        ("activations", "output"): (y, y_on_grid),
        ("errors", "output"): (error, None),
        ("gradients", "kernel"): (X.T @ error, None),
        ("gradients", "bias"): (error.sum(axis=0), None),
    }
    assert set(rows) == {("dense", *key) for key in expected}
    for key, (x, on_grid) in expected.items():
        row = rows[("dense", *key)]
        assert (row.class_name, row.count, row.nonfinite) == ("Dense", x.size, 0)
        assert (row.min, row.max, row.max_abs) == pytest.approx(
            (x.min(), x.max(), np.abs(x).max()), rel=1e-6
        )
        assert sum(row.histogram_counts) == x.size
        assert sum(row.magnitudes.values()) == np.sum(x != 0)
        if on_grid is None:
            continue
        assert row.format == "fixed_point(4, 2) nearest_even"
        assert (row.word_bits, row.frac_bits, row.step, row.limits) == (4, 2, 0.25, (-2, 1.75))
        assert row.saturation == np.mean((x < -2) | (x > 1.75))
        assert row.underflow == np.mean((x != 0) & (on_grid == 0))
        sqnr = 10 * math.log10(np.sum(x**2) / np.sum((x - on_grid) ** 2))
        assert row.sqnr_db == pytest.approx(sqnr, abs=1e-4)
    for key in ("bias", "bias"), ("errors", "output"):
        row = rows[("dense", *key)]
        assert (row.format, row.saturation, row.underflow, row.sqnr_db) == ("float", *[None] * 3)
        assert (row.word_bits, row.frac_bits, row.limits, row.step) == (8, None, None, None)
    assert rows["dense", "bias", "bias"].suggested_frac_bits == 11  # 102 / 2048 = 0.0498


@pytest.mark.parametrize(
    "format, word_bits, limits",
    [
        ("float8_e5m2", 8, (-57344, 57344)),
        ("bfloat16", 16, None),
        ({"format": "block_float", "word_bits": 6, "block_size": 1}, 6, "fits itself"),
        ({"format": "scaled_integer", "word_bits": 5}, 5, "fits itself"),
        ({"format": "mxfp4", "block_size": 1}, 4, "fits itself"),
        ({"format": "power_of_two", "min_exponent": -3, "max_exponent": 0}, 12, (-1, 1)),
        ({"format": "binary", "level": 0.5}, 12, (-0.5, 0.5)),
        ({**FIXED, "signed": False}, 8, (0, 255 / 64)),
    ],
    ids=str,
)
def test_limits_and_word_length_of_each_format(format, word_bits, limits):
    model = quantized(report_models.dense(), weights=format)
    row = rows_of(tq_halp.report(model, X, word_bits=12))["dense", "weights", "kernel"]
    assert row.word_bits == word_bits
    if limits == "fits itself":
        assert row.limits is None and row.saturation is None
    elif limits is not None:
        assert row.limits == limits
        x = np.float32([0.3, -1.2])
        assert row.saturation == np.mean((x < limits[0]) | (x > limits[1]))


def test_rows_of_every_layer(nested_report):
    _, report = nested_report
    rows = rows_of(report)
    gates = {"input_gate", "forget_gate", "candidate", "output_gate"}
    assert {tensor for layer, role, tensor in rows if (layer, role) == ("lstm", "gates")} == gates
    kernels = {"kernel", "recurrent_kernel", "bias"}
    assert {t for layer, role, t in rows if (layer, role) == ("lstm", "gradients")} == kernels
    assert ("inner/dense", "weights", "kernel") in rows
    assert ("inner/norm", "bias", "beta") in rows
    assert ("head", "errors", "output") in rows
    assert rows["embedding", "weights", "embeddings"].class_name == "Embedding"
    assert {row.format for row in report.rows} == {"float"}
    assert (report.batches, report.samples) == (3, 12)
    assert "layers ran as in training" in report.notes


def test_time_steps_and_batches_are_summed_up(nested_report):
    """Weights are there once; gates at each of 5 steps; the states before the first step too."""
    rows = rows_of(nested_report[1])
    assert rows["lstm", "recurrent_weights", "recurrent_kernel"].count == 6 * 24
    assert rows["lstm", "gates", "candidate"].count == 12 * 5 * 6
    assert rows["lstm", "state", "cell_state"].count == 12 * (5 + 1) * 6
    assert rows["lstm", "activations", "output"].count == 12 * 6
    assert rows["lstm", "gradients", "kernel"].count == 3 * 6 * 24
    assert rows["embedding", "weights", "embeddings"].count == 12 * 5 * 6


def test_gates_are_those_of_every_time_step(nested_report):
    """Against the LSTM's equations in NumPy."""
    model, report = nested_report
    rows = rows_of(report)
    x = model.get_layer("embedding").get_weights()[0][report_models.tokens()[0]].astype(float)
    kernel, recurrent, bias = (w.astype(float) for w in model.get_layer("lstm").get_weights())
    h = c = np.zeros([12, 6])
    seen = {name: [] for name in ("input_gate", "forget_gate", "candidate", "output_gate")}
    for t in range(5):
        z = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-z[k])) for k in (0, 1, 3))
        g = np.tanh(z[2])
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, gate in zip(seen, (i, f, g, o), strict=True):
            seen[name].append(gate)
    for name, steps in seen.items():
        row = rows["lstm", "gates", name]
        assert (row.min, row.max) == pytest.approx((np.min(steps), np.max(steps)), rel=1e-5)
        counts = np.histogram(np.ravel(steps), row.histogram_edges)[0]
        # Of 360 values, two that float32 rounds across an edge: each is missed once and once found.
        assert np.abs(counts - row.histogram_counts).sum() <= 4


def test_the_model_stays_as_it_is():
    """A stateful model with random bits, statistics, counters and an optimizer that has stepped."""
    everything = dict.fromkeys(
        ("weights", "activations", "gradients", "errors"), {**FIXED, "rounding": "stochastic"}
    )
    model, (x, y) = quantized(report_models.nested(), **everything), report_models.tokens()
    model.fit(x, y, batch_size=4, verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [np.array(variable) for variable in variables]
    classes = [type(layer) for layer in model._flatten_layers()]
    first = tq_halp.report(model, (x, y))
    assert tq_halp.report(model, (x, y)).to_dict() == first.to_dict()
    for variable, old in zip(variables, before, strict=True):
        assert (np.array(variable) == old).all(), variable.path
    assert [type(layer) for layer in model._flatten_layers()] == classes
    assert model.get_layer("lstm").unroll is False
    assert model.losses == []


def test_random_bits_are_those_of_the_next_training_step():
    grid = {**FIXED, "rounding": "stochastic"}
    model = quantized(report_models.dense(), weights=grid)
    model.fit(X, Y, verbose=0)
    row = rows_of(tq_halp.report(model, (X, Y)))["dense", "weights", "kernel"]
    kernel = model.get_weights()[0]
    layer = model.get_layer("dense")
    counter = int(np.array(layer.rounding_counter.calls)) * 2**32
    assert counter > 0
    on_grid = np.array(layer.quantizers["weights"].derive("dense/kernel")(kernel, counter))
    expected = 10 * math.log10(np.sum(kernel**2) / np.sum((kernel - on_grid) ** 2))
    assert row.sqnr_db == pytest.approx(expected, abs=1e-4)


def test_a_subclassed_model_and_a_layer_called_twice():
    model = report_models.Subclassed(name="mine")
    model(X)
    report = tq_halp.report(quantized(model, weights=FIXED), (X, np.zeros([4, 4])), loss="mse")
    rows = rows_of(report)
    assert rows["first", "weights", "kernel"].format == "fixed_point(8, 6) nearest_even"
    assert rows["twice", "weights", "kernel"].count == 16
    assert rows["twice", "activations", "output"].count == 2 * 4 * 4
    assert rows["twice", "errors", "output"].count == 2 * 4 * 4
    assert rows["twice", "gradients", "kernel"].count == 2 * 16


class Uncopyable(keras.Model):
    """Its constructor takes what no configuration holds."""

    def __init__(self, layer):
        super().__init__(name="built_in_code")
        self.layer = layer

    def call(self, inputs):
        return self.layer(inputs)

    def get_config(self):
        raise NotImplementedError


def test_a_model_that_cannot_be_copied_shows_what_it_quantizes():
    model = Uncopyable(QuantDense(2, name="dense", weights=FIXED))
    model(X)
    report = tq_halp.report(model, X)
    assert list(rows_of(report)) == [("dense", "weights", "kernel")]
    assert any("cannot be copied" in note for note in report.notes)
    plain = Uncopyable(keras.layers.Dense(2))
    plain(X)
    with pytest.raises(tq_halp.InputError, match="built_in_code|Uncopyable"):
        tq_halp.report(plain, X)


def test_training_algorithms_show_their_model():
    trainer = tq_halp.HALP(report_models.dense(), word_bits=8)
    trainer.compile(keras.optimizers.SGD(0.1), "mse")
    report = tq_halp.report(trainer, (X, Y))
    assert report.model == "small"
    assert rows_of(report) == rows_of(tq_halp.report(report_models.dense(), (X, Y)))


def test_a_report_is_printed_with_what_is_left_out():
    report = tq_halp.report(quantized(report_models.dense(), weights=FIXED), X)
    text = str(report)
    assert "weights: kernel" in text and "fixed_point(8, 6) nearest_even" in text
    assert "errors" not in {row.role for row in report.rows}
    assert "gradients and errors are left out: data has no y" in text
    assert "layers ran as in inference" in text
    assert max(map(len, text.splitlines())) <= 160
    silent = tq_halp.report(report_models.dense(loss=None), (X, Y))
    assert "the model has no compiled loss; give loss=" in str(silent)
