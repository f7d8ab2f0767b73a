"""Bit centering at one gradient a step: training whose ranges follow displacements and rates."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import tq_halp

EPOCHS, BATCH = 7, 36
STEPS = 40  # an epoch of 1440 images


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))[:1440]
    return (x[order] / 16).astype("float32"), y[order]


def momentum(decay_to_zero=True, warmup=0):
    if warmup:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, EPOCHS * STEPS - warmup, warmup_target=0.2, warmup_steps=warmup
        )
    else:
        rate = keras.optimizers.schedules.CosineDecay(0.2, EPOCHS * STEPS)
    return keras.optimizers.SGD(rate if decay_to_zero else 0.1, momentum=0.9)


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(32, "tanh"), keras.layers.Dense(10)]
    )


def trained(digits, algorithm, optimizer, epochs=EPOCHS):
    """Training loss at the end."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    algorithm.compile(optimizer, loss, steps_per_execution=8)
    keras.utils.set_random_seed(2)
    algorithm.fit(*digits, batch_size=BATCH, epochs=epochs, verbose=0)
    return float(loss(digits[1], algorithm(digits[0])))  # `evaluate` would trace a graph


def bit_centered(bits, **kwargs):
    return tq_halp.BitCenteredSGD(network(), word_bits=bits, seed=3, **kwargs)


@pytest.fixture(scope="module")
def full_precision(digits):
    return trained(digits, tq_halp.SGD(network()), momentum())


@pytest.mark.filterwarnings("ignore:.*at an end of their grid")
@pytest.mark.parametrize(("bits", "factor"), [(8, 1.15), (4, 1.3), (2, 2.0)])
def test_few_bits_reach_full_precision_where_a_fixed_grid_does_not(
    digits, full_precision, bits, factor
):
    assert trained(digits, bit_centered(bits), momentum()) < factor * full_precision
    if bits == 2:
        fixed = tq_halp.LowPrecisionSGD(network(), tq_halp.formats.FixedPoint(2, 1), seed=3)
        assert trained(digits, fixed, momentum()) > 4 * full_precision


@pytest.mark.parametrize(
    ("bits", "make"), [(2, lambda: momentum(warmup=60)), (8, lambda: keras.optimizers.Adam(0.01))]
)
def test_warm_up_from_zero_and_adam(digits, bits, make):
    want = trained(digits, tq_halp.SGD(network()), make())
    assert trained(digits, bit_centered(bits), make()) < 2 * want + 0.01


def test_ranges_follow_a_rate_that_is_set_by_hand(digits):
    """At 2 bits a tenth of the rate is a tenth of every range, or a fifth of a crowded one."""
    algorithm = bit_centered(2)
    trained(digits, algorithm, momentum(decay_to_zero=False), epochs=2)
    before = algorithm.iterate._range.half_widths()
    algorithm.optimizer.learning_rate = 0.01
    algorithm.fit(*digits, batch_size=BATCH, epochs=1, verbose=0)
    ratio = algorithm.iterate._range.half_widths() / before
    np.testing.assert_allclose(ratio, np.where(ratio > 0.15, 0.2, 0.1), rtol=1e-6)


def test_a_tensor_that_never_moves_does_not_keep_others_from_widening():
    """Its range stays open. The others are fitted to the first step, and then widened."""

    class WithSpare(keras.layers.Dense):
        def build(self, shape):
            super().build(shape)
            self.spare = self.add_weight(name="spare", shape=())

        def call(self, inputs):
            return super().call(inputs) + 0.0 * self.spare

    x = np.random.default_rng(0).normal(size=(64, 5))
    y = x @ np.arange(1.0, 6.0)[:, None]
    widths = []
    for kind in (keras.layers.Dense, WithSpare):
        layer = kind(1, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((5,)), layer])
        algorithm = tq_halp.BitCenteredSGD(model, rounding="nearest_even")
        algorithm.compile(keras.optimizers.SGD(0.005), loss="mse")
        algorithm.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0)
        widths.append(algorithm.iterate._range.half_widths())
        is_open = algorithm.iterate._range.states.open()
        np.testing.assert_array_equal(is_open, [False, False, True][: len(is_open)])
    np.testing.assert_array_equal(widths[1][:2], widths[0][:2])


def test_ranges_stay_where_the_weights_circle():
    """With minibatches in the same order an epoch ends near where it began, having been far."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(400, 20)), rng.normal(size=(20, 1))
    y = x @ w + rng.normal(size=(400, 1))
    norms = []
    for make in (
        tq_halp.SGD,
        lambda m: tq_halp.BitCenteredSGD(m, word_bits=8),
        lambda m: tq_halp.BitCenteredSGD(m, word_bits=4),
    ):
        layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        algorithm = make(keras.Sequential([keras.Input((20,)), layer]))
        algorithm.compile(keras.optimizers.SGD(0.01), loss="mse", steps_per_execution=10)
        found = []
        for _ in range(3):
            algorithm.fit(x, y, batch_size=10, epochs=10, shuffle=False, verbose=0)
            found.append(np.linalg.norm(x.T @ (x @ layer.kernel.numpy() - y)) / 400)
        norms.append(found)
    plain, of_8_bits, of_4_bits = norms
    assert np.ptp(plain[1:]) < 1e-3 * plain[1], "the same circle in every epoch"
    assert max(of_8_bits[1:]) < 1.1 * plain[1]
    assert max(of_4_bits[1:]) < 2.0 * plain[1]
