"""Schedules: which quantizer is on at which epoch and step, in one trace, saved and loaded."""

import keras
import numpy as np
import pytest

from tq_halp import InputError, QuantizationMap, QuantizationSchedule
from tq_halp.quantizers import Quantizer, ScheduledQuantizer, get
from tq_halp.quantizers.training_clock import TrainingClock

FORMATS = {
    "w8": {"format": "fixed_point", "word_bits": 8, "frac_bits": 6},
    "w2": {"format": "fixed_point", "word_bits": 2, "frac_bits": 0},
    "i4": {"format": "scaled_integer", "word_bits": 4},
}
W8, W2, I4 = (Quantizer.from_config(FORMATS[name]) for name in ("w8", "w2", "i4"))


def map_of(**rule):
    rules = [{"layers": "head", **rule}]
    return QuantizationMap.from_dict({"version": 1, "formats": FORMATS, "rules": rules})


def stages(role="weights", **rule):
    quantizer = map_of(**rule).rules[0].quantizers[role]
    return quantizer if quantizer == "none" else (quantizer.unit, quantizer.stages)


def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])


class Watch(keras.callbacks.Callback):
    """What the model computes at the start of each epoch or step, without training."""

    def __init__(self, x, of="epoch"):
        super().__init__()
        self.x, self.seen, self.of = x, [], of

    def on_epoch_begin(self, epoch, logs=None):
        if self.of == "epoch":
            self.seen.append(np.array(self.model(self.x)))

    def on_train_batch_begin(self, batch, logs=None):
        if self.of == "step":
            self.seen.append(np.array(self.model(self.x)))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            {"weights": "w8", "schedule": {"from_epoch": 2}},
            ("epoch", ((0, None), (2, W8))),
        ),
        (
            {"weights": "w8", "schedule": {"from_step": 1000}},
            ("step", ((0, None), (1000, W8))),
        ),
        (
            {"schedule": [{"epoch": 0, "weights": "w8"}, {"epoch": 5, "weights": "w2"}]},
            ("epoch", ((0, W8), (5, W2))),
        ),
        (
            {"weights": "w8", "schedule": [{"step": 5, "weights": "none"}]},
            ("step", ((0, W8), (5, None))),
        ),
        ({"schedule": [{"epoch": 3, "weights": "i4"}]}, ("epoch", ((0, None), (3, I4)))),
        ({"weights": "none", "schedule": {"from_epoch": 2}}, ("epoch", ((0, None), (2, None)))),
    ],
)
def test_what_a_schedule_means(rule, expected):
    assert stages(**rule) == expected


def test_what_does_not_change_has_no_schedule():
    rule = {"weights": "w8", "schedule": [{"epoch": 1, "bias": "w2"}]}
    assert map_of(**rule).rules[0].quantizers["weights"] == W8
    assert map_of(weights="w8", schedule={"from_epoch": 0}).rules[0].quantizers["weights"] == W8


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"schedule": {"from_epoc": 2}}, "schedule must have one of from_epoch, from_step"),
        ({"schedule": {"from_epoch": 1, "from_step": 2}}, "schedule must have one of"),
        ({"schedule": {"from_epoch": -1}}, "from_epoch must be a whole number, 0 or greater"),
        ({"schedule": {"from_epoch": 1.5}}, "from_epoch must be a whole number"),
        ({"schedule": 3}, "schedule must be {from_epoch: 2}, {from_step: 1000} or a list"),
        ({"schedule": []}, "schedule must be {from_epoch: 2}"),
        ({"schedule": [5]}, "an entry must be a mapping. Received: 5"),
        ({"schedule": [{"epoch": 1}]}, "an entry must have epoch or step, the same in each"),
        ({"schedule": [{"weights": "w8"}]}, "an entry must have epoch or step"),
        (
            {"schedule": [{"epoch": 1, "weights": "w8"}, {"step": 2, "weights": "w2"}]},
            "an entry must have epoch or step, the same in each",
        ),
        (
            {"schedule": [{"epoch": 3, "weights": "w8"}, {"epoch": 3, "weights": "w2"}]},
            "epoch must be greater than the entry's before, 3. Received: 3",
        ),
        (
            {"schedule": [{"epoch": 3, "weight": "w8"}]},
            "unknown key 'weight', valid: epoch, step, weights",
        ),
        ({"schedule": [{"epoch": 3, "weights": "w9"}]}, "weights: unknown format 'w9'"),
        (
            {"momentum": "w8", "schedule": {"from_epoch": 1}},
            "momentum cannot have a schedule, give it a rule of its own",
        ),
        ({"quantize": "none", "schedule": {"from_epoch": 1}}, "leaves no room for schedule"),
    ],
)
def test_wrong_schedules(rule, expected):
    given = rule if "quantize" in rule or "momentum" in rule else {"weights": "w8", **rule}
    with pytest.raises(InputError) as error:
        map_of(**given)
    assert str(error.value).startswith("quantization map: rules[0]: ")
    assert expected in str(error.value)


def test_bits_change_with_the_epoch_in_one_trace(tmp_path):
    quantized = map_of(
        schedule=[{"epoch": 1, "weights": "w8"}, {"epoch": 3, "weights": "i4"}],
        errors="i4",
        gradients="w8",
    ).apply(model())
    traces = []

    def loss(y, predicted):
        traces.append(1)
        return keras.ops.mean((y - predicted) ** 2)

    quantized.compile(keras.optimizers.SGD(0.0), loss)
    x, y = np.random.default_rng(0).normal(size=(4, 3)).astype("float32"), np.zeros((4, 2))
    kernel = quantized.get_layer("head").kernel.value
    watch = Watch(x)
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: traces.append("end"))
    callbacks = [QuantizationSchedule(), watch, count]
    quantized.fit(x, y, epochs=5, verbose=0, callbacks=callbacks)
    expected = [kernel, W8(kernel), W8(kernel), I4(kernel), I4(kernel)]
    for seen, weights in zip(watch.seen, expected, strict=True):
        np.testing.assert_allclose(seen, x @ np.array(weights), rtol=1e-5, atol=1e-6)
    assert not np.allclose(watch.seen[0], watch.seen[1], atol=1e-4)
    assert traces[traces.index("end") :] == ["end"] * 5  # all traces are of the first epoch

    quantized.save(tmp_path / "scheduled.keras")
    loaded = keras.models.load_model(tmp_path / "scheduled.keras", compile=False)
    np.testing.assert_array_equal(loaded(x), quantized(x))
    assert int(loaded.get_layer("head").clock.now("epoch")) == 4


def test_steps_are_counted_on_over_fits():
    quantized = map_of(weights="w2", schedule={"from_step": 3}).apply(model())
    quantized.compile(keras.optimizers.SGD(0.0), "mse")
    x, y = np.full((4, 3), 0.5, "float32"), np.zeros((4, 2))
    watches = []
    for _ in range(2):  # two steps each
        watches.append(Watch(x, of="step"))
        callbacks = [QuantizationSchedule(), watches[-1]]
        quantized.fit(x, y, batch_size=2, epochs=1, verbose=0, callbacks=callbacks)
    kernel = quantized.get_layer("head").kernel.value
    plain, rounded = x @ np.array(kernel), x @ np.array(W2(kernel))
    assert not np.allclose(plain, rounded, atol=1e-3)
    first, second = watches
    for seen, expected in zip([*first.seen, *second.seen], [plain] * 3 + [rounded], strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-6)
    assert int(quantized.get_layer("head").clock.now("step")) == 4


def test_the_gradient_follows_the_stage():
    import tensorflow as tf

    clipped = Quantizer(W2.format, gradient="clipped")
    clock = TrainingClock("clock")
    quantizer = ScheduledQuantizer("epoch", ((2, clipped),)).bind(clock)

    @tf.function
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = quantizer(x)
        return tape.gradient(y, x)

    x = tf.constant([0.2, 5.0])
    assert gradient(x).numpy().tolist() == [1, 1]
    clock.positions["epoch"].assign(2)
    assert gradient(x).numpy().tolist() == [1, 0]


def test_a_schedule_that_nobody_drives_is_an_error():
    quantized = map_of(weights="w8", schedule={"from_epoch": 1}).apply(model())
    quantized.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"pass callbacks=\[tq_halp.QuantizationSchedule\(\)\]"):
        quantized.fit(np.ones((2, 3)), np.ones((2, 2)), verbose=0)


def test_a_scheduled_quantizer_as_a_value():
    quantizer = ScheduledQuantizer("step", ((1, W8), (9, I4)))
    assert get(quantizer.get_config()) == quantizer == get(quantizer)
    assert [quantizer.at(step) for step in (0, 1, 8, 9, 99)] == [None, W8, W8, I4, I4]
    assert str(quantizer) == (
        "float; from step 1: fixed_point(8, 6) nearest_even; from step 9: scaled_integer(4) "
        "nearest_even"
    )
    for unit, wrong in [("hour", ((0, W8),)), ("step", ((2, W8), (1, W8))), ("step", ())]:
        with pytest.raises(InputError):
            ScheduledQuantizer(unit, wrong)
    with pytest.raises(InputError, match="brings a clock"):
        quantizer([1.0])


def test_the_plan_shows_the_schedule():
    rows = map_of(weights="w8", schedule={"from_epoch": 2}).plan(model()).rows
    assert str(rows[0].quantizer) == "float; from epoch 2: fixed_point(8, 6) nearest_even"
    assert rows[0].to_dict()["format"]["unit"] == "epoch"
