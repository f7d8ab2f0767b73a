"""Slots of optimizers: on their grid after every step, and a step like the Keras optimizer's."""

import keras
import numpy as np
import pytest

import quant_ops
from tq_halp import InputError
from tq_halp.optimizers import QuantizedOptimizer, quantize_momentum
from tq_halp.quantizers import Quantizer

FIXED = Quantizer({"format": "fixed_point", "word_bits": 12, "frac_bits": 10})
STOCHASTIC = Quantizer(FIXED.format, rounding="stochastic", seed=5)
HALF = Quantizer("float16")

# Optimizer -> its slots, per weight matrix. The rates make steps that the grids can hold.
OPTIMIZERS = {
    "sgd": (lambda: keras.optimizers.SGD(0.1, momentum=0.9), ["momentums"]),
    "nesterov": (lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), ["momentums"]),
    "adam": (lambda: keras.optimizers.Adam(amsgrad=True),
             ["_momentums", "_velocities", "_velocity_hats"]),
    "adamw": (lambda: keras.optimizers.AdamW(0.01), ["_momentums", "_velocities"]),
    "rmsprop": (lambda: keras.optimizers.RMSprop(0.01, momentum=0.9, centered=True),
                ["_velocities", "_momentums", "_average_gradients"]),
    "adagrad": (lambda: keras.optimizers.Adagrad(0.1), ["_accumulators"]),
    "adadelta": (lambda: keras.optimizers.Adadelta(0.1),
                 ["_accumulated_grads", "_accumulated_delta_vars"]),
    "adamax": (lambda: keras.optimizers.Adamax(0.01), ["_m", "_u"]),
    "nadam": (lambda: keras.optimizers.Nadam(0.01), ["_momentums", "_velocities"]),
    "ftrl": (lambda: keras.optimizers.Ftrl(0.1), ["_accumulators", "_linears"]),
    "lion": (lambda: keras.optimizers.Lion(0.01), ["_momentums"]),
    "adafactor": (lambda: keras.optimizers.Adafactor(0.01), ["_r", "_c", "_v"]),
    "ema": (lambda: keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True),
            ["_model_variables_moving_average", "momentums"]),
    "accumulating": (lambda: keras.optimizers.SGD(
        0.1, momentum=0.9, gradient_accumulation_steps=2), ["_accumulated_gradients", "momentums"]),
}  # fmt: skip


def variables():
    rng = np.random.default_rng(0)
    shapes = {"kernel": (4, 3), "bias": (3,)}
    return [
        keras.Variable(rng.normal(size=shape), name=name, dtype="float32")
        for name, shape in shapes.items()
    ]


def gradients(step):
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape).astype("float32") for shape in ((4, 3), (3,))]


def slots(optimizer, names):
    return {name: [np.array(slot) for slot in floats(getattr(optimizer, name))] for name in names}


def floats(slots):
    """Without the integers that stand where Adafactor has no slot."""
    return [slot for slot in slots if keras.backend.is_float_dtype(slot.dtype)]


@pytest.mark.parametrize("make, names", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("quantizer", [FIXED, HALF], ids=["fixed", "half"])
def test_every_step_is_keras_own_from_slots_on_their_grid(make, names, quantizer):
    """The oracle: Keras' optimizer, whose slots are overwritten with Q(slot) after its step."""
    plain, quantized = make(), QuantizedOptimizer(make(), quantizer)
    ours, theirs = variables(), variables()
    for step in range(3):
        quantized.apply(gradients(step), ours)
        plain.apply(gradients(step), theirs)
        for name in names:
            for slot in floats(getattr(plain, name)):
                slot.assign(quantizer(slot.value))
        for got, want in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(got, want)
        got, want = slots(quantized.inner_optimizer, names), slots(plain, names)
        for name in names:
            for mine, others in zip(got[name], want[name], strict=True):
                np.testing.assert_array_equal(mine, others)
    assert any(np.any(slot) for each in got.values() for slot in each)
    # There is no slot besides those named.
    assert {name for _, name, _ in quantized._slots()} == set(names)


def test_stochastic_bits_follow_seed_slot_and_step():
    weights = variables()
    optimizer = QuantizedOptimizer(keras.optimizers.SGD(0.1, momentum=0.9), STOCHASTIC)
    before = [np.zeros((4, 3), "float32"), np.zeros(3, "float32")]
    for step in range(2):
        optimizer.apply(gradients(step), weights)
        for index, gradient in enumerate(gradients(step)):
            exact = np.float32(0.9) * before[index] - gradient * np.float32(0.1)
            quantizer = STOCHASTIC.derive(f"{index}/momentums")
            want = quant_ops.fixed_point(
                exact, 12, 10, rounding="stochastic", seed=quantizer.seed, counter=step + 1
            )
            before[index] = np.array(optimizer.inner_optimizer.momentums[index])
            np.testing.assert_array_equal(before[index], want)
    assert np.array(optimizer.inner_optimizer.iterations) == 2


def model(optimizer, **compiling):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(2)])
    model.compile(optimizer, "mse", **compiling)
    return model


DATA = np.random.default_rng(3).normal(size=(16, 5)), np.ones((16, 2))


@pytest.fixture(scope="module")
def fitted():
    """A step that XLA compiles, as Keras' default is, though the native ops have no XLA kernel."""
    optimizer = QuantizedOptimizer(keras.optimizers.Adam(0.01), STOCHASTIC)
    trained = model(optimizer, jit_compile=True)
    trained.fit(*DATA, batch_size=4, epochs=2, shuffle=False, verbose=0)
    return trained


def test_fit_compiled_or_not_gives_slots_on_their_grid(fitted):
    plain_graph = model(QuantizedOptimizer(keras.optimizers.Adam(0.01), HALF), jit_compile=False)
    plain_graph.fit(*DATA, batch_size=4, verbose=0)
    for each, quantizer in ((fitted, STOCHASTIC), (plain_graph, HALF)):
        for slot in slots(each.optimizer.inner_optimizer, ["_momentums"])["_momentums"]:
            np.testing.assert_array_equal(slot, quantizer(slot))
            assert np.any(slot)
    assert int(fitted.optimizer.iterations) == 8
    assert float(fitted.optimizer.learning_rate) == np.float32(0.01)


def test_saved_and_loaded_it_goes_on_where_it_was(fitted, tmp_path):
    fitted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for each in (fitted, loaded):
        each.fit(*DATA, batch_size=4, shuffle=False, verbose=0)
    for got, want in zip(loaded.variables, fitted.variables, strict=True):
        np.testing.assert_array_equal(got, want)
    for got, want in zip(loaded.optimizer.variables, fitted.optimizer.variables, strict=True):
        np.testing.assert_array_equal(got, want)


def test_some_variables_only():
    weights = variables()
    paths = [variable.path for variable in weights]
    by_path = quantize_momentum(keras.optimizers.SGD(0.1, momentum=0.9), {paths[0]: FIXED})
    by_place = quantize_momentum(keras.optimizers.SGD(0.1, momentum=0.9), [FIXED, None])
    for optimizer in (by_path, by_place):
        optimizer.apply(gradients(0), weights)
        kernel, bias = slots(optimizer.inner_optimizer, ["momentums"])["momentums"]
        np.testing.assert_array_equal(kernel, FIXED(kernel))
        np.testing.assert_array_equal(bias, -gradients(0)[1] * np.float32(0.1))
        # What is saved goes by position: a path may be another one in the loaded model.
        assert optimizer.get_config()["quantizer"] == [FIXED.get_config(), None]


def test_loss_scaling_goes_outside():
    def gradients_of(scale):
        return [gradient * np.float32(scale) for gradient in gradients(0)]

    scaled = quantize_momentum(
        keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1, momentum=0.9), initial_scale=8.0
        ),
        FIXED,
    )
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    plain = quantize_momentum(keras.optimizers.SGD(0.1, momentum=0.9), FIXED)
    fixed_factor = quantize_momentum(
        keras.optimizers.SGD(0.1, momentum=0.9, loss_scale_factor=4.0), FIXED
    )
    assert float(fixed_factor.scale_loss(3.0)) == 12.0
    results = []
    for optimizer, scale in ((plain, 1), (scaled, 8), (fixed_factor, 4)):
        results.append(variables())
        optimizer.apply(gradients_of(scale), results[-1])
    for other in results[1:]:
        for got, want in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(got, want)
    # A step that overflows changes nothing.
    scaled.apply([gradient * np.inf for gradient in gradients(0)], results[1])
    np.testing.assert_array_equal(results[1][0], results[0][0])
    again = keras.optimizers.deserialize(keras.optimizers.serialize(scaled))
    assert again.inner_optimizer.get_config() == scaled.inner_optimizer.get_config()


def test_quantizing_again_replaces():
    once = quantize_momentum("adam", FIXED)
    twice = quantize_momentum(once, "float16")
    assert twice.inner_optimizer is once.inner_optimizer
    assert twice.get_config()["quantizer"]["format"] == "minifloat"


def test_weights_of_the_optimizer():
    optimizers = [quantize_momentum(keras.optimizers.Adam(0.1), FIXED) for _ in range(2)]
    optimizers[0].apply(gradients(0), variables())
    optimizers[1].build(variables())
    optimizers[1].set_weights(optimizers[0].variables)
    for got, want in zip(optimizers[1].variables, optimizers[0].variables, strict=True):
        np.testing.assert_array_equal(got, want)


SGD = lambda: keras.optimizers.SGD(momentum=0.9)  # noqa: E731
ERRORS = {
    "nothing": (SGD, None, "Received: None"),
    "format": (SGD, "flaot16", "momentum: unknown format 'flaot16'"),
    "path": (SGD, {"kernle": FIXED}, r"unknown trainable variable 'kernle'.*did you mean 'kernel'"),
    "length": (SGD, [FIXED], "each of the 2 trainable variables. Received: 1"),
    "no slots": (lambda: keras.optimizers.SGD(0.1), FIXED, r"a SGD without any \(SGD needs"),
    "no optimizer": (lambda: 3, FIXED, "must be a Keras optimizer. Received: 3"),
    "order": (lambda: keras.optimizers.LossScaleOptimizer(SGD()), FIXED, "which goes outside"),
    "blocks": (SGD, "mxfp8", "momentum: momentums of kernel: block_size must divide 3"),
}


@pytest.mark.parametrize("make, quantizer, message", ERRORS.values(), ids=ERRORS)
def test_errors(make, quantizer, message):
    with pytest.raises(InputError, match=message):
        QuantizedOptimizer(make(), quantizer).build(variables())
