"""Every algorithm against a NumPy trajectory written from the paper, step by step."""

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp.algorithms import Batch

SAMPLES, FEATURES, BATCH, RATE = 23, 5, 4, 0.05


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(SAMPLES, FEATURES))
    y = x @ rng.normal(size=(FEATURES, 1)) + 0.1 * rng.normal(size=(SAMPLES, 1))
    return x, y


@pytest.fixture(autouse=True, scope="module")
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def build():
    return keras.Sequential(
        [
            keras.Input((FEATURES,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )


def train(algorithm, problem, epochs, rate=RATE, batch_size=BATCH, **kwargs):
    algorithm.compile(keras.optimizers.SGD(rate), loss="mse")
    x, y = problem
    algorithm.fit(x, y, epochs=epochs, batch_size=batch_size, shuffle=False, verbose=0, **kwargs)
    return algorithm.model.get_weights()[0]


def gradient(w, x, y):
    return 2 * x.T @ (x @ w - y) / len(x)


def fixed(word_bits, frac_bits):
    step = 2.0**-frac_bits
    low, high = -(2 ** (word_bits - 1)), 2 ** (word_bits - 1) - 1
    return lambda w: step * np.clip(np.rint(w / step), low, high)


def oracle(problem, epochs, *, segment=None, quantize=None, word_bits=None, mu=None):
    """SGD (segment None), SVRG, LP-*(quantize) and HALP (word_bits, mu) on least squares.

    De Sa et al., arXiv 1803.03383, Algorithms 1-3, with nearest-even rounding in place of random.
    """
    x, y = problem
    w = np.zeros((FEATURES, 1))
    z = delta = center = full = None
    since = segment
    for _ in range(epochs):
        for start in range(0, SAMPLES, BATCH):
            xb, yb = x[start : start + BATCH], y[start : start + BATCH]
            if segment and since == segment:
                center, full, z, since = w.copy(), gradient(w, x, y), np.zeros_like(w), 0
                if word_bits:
                    delta = np.linalg.norm(full) / (mu * (2 ** (word_bits - 1) - 1))
            v = gradient(w, xb, yb)
            if segment:
                v = v - gradient(center, xb, yb) + full
                since += 1
            if word_bits:
                low, high = -(2 ** (word_bits - 1)), 2 ** (word_bits - 1) - 1
                z = delta * np.clip(np.rint((z - RATE * v) / delta), low, high)
                w = center + z
            else:
                w = w - RATE * v
                w = quantize(w) if quantize else w
    return w


BATCHES = -(-SAMPLES // BATCH)


@pytest.mark.parametrize("epochs", [1, 3])
def test_sgd(problem, epochs):
    got = train(tq_halp.SGD(build()), problem, epochs)
    np.testing.assert_allclose(got, oracle(problem, epochs), rtol=1e-12)


def test_sgd_is_keras(problem):
    model = build()
    model.compile(keras.optimizers.SGD(RATE), loss="mse")
    model.fit(*problem, epochs=2, batch_size=BATCH, shuffle=False, verbose=0)
    got = train(tq_halp.SGD(build()), problem, 2)
    np.testing.assert_array_equal(got, model.get_weights()[0])


def test_low_precision_sgd(problem):
    algorithm = tq_halp.LowPrecisionSGD(
        build(), tq_halp.formats.FixedPoint(8, 6), rounding="nearest_even"
    )
    got = train(algorithm, problem, 3)
    np.testing.assert_array_equal(got, oracle(problem, 3, quantize=fixed(8, 6)))


@pytest.mark.parametrize(
    "every", ["epoch", 1, 2, 4, BATCHES - 1, BATCHES + 1, 3 * BATCHES], ids="T={}".format
)
def test_svrg_with_any_snapshot_interval(problem, every):
    got = train(tq_halp.SVRG(build(), snapshot_every=every), problem, 4)
    segment = BATCHES if every == "epoch" else every
    np.testing.assert_allclose(got, oracle(problem, 4, segment=segment), rtol=1e-11)


def test_loopless_svrg(problem):
    """Each step is followed by a snapshot with that probability: 100 steps, 20 ± 4 snapshots."""
    algorithm = tq_halp.SVRG(build(), snapshot_every=0.2)
    algorithm.compile(keras.optimizers.SGD(0.0), loss="mse", run_eagerly=True)
    lengths = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(algorithm.steps_since_snapshot) == 1:
                lengths.append(algorithm.segment_length)

    x, y = problem
    algorithm.fit(x, y, batch_size=12, epochs=50, verbose=0, callbacks=[Record()])
    assert 8 <= len(lengths) <= 32 and sum(lengths[:-1]) < 100 <= sum(lengths)
    assert len(set(lengths)) > 4


@pytest.mark.parametrize("every", ["epoch", 4])
def test_low_precision_svrg(problem, every):
    algorithm = tq_halp.LowPrecisionSVRG(
        build(),
        {"format": "fixed_point", "word_bits": 10, "frac_bits": 8},
        snapshot_every=every,
        rounding="nearest_even",
    )
    got = train(algorithm, problem, 3)
    segment = BATCHES if every == "epoch" else every
    np.testing.assert_array_equal(got, oracle(problem, 3, segment=segment, quantize=fixed(10, 8)))


@pytest.mark.parametrize("every", ["epoch", 4, BATCHES + 1])
@pytest.mark.parametrize("word_bits,mu", [(8, 1.0), (4, 2.0), (16, 0.5)])
@pytest.mark.parametrize("scale", ["per_tensor", "global"])
def test_halp(problem, every, word_bits, mu, scale):
    algorithm = tq_halp.HALP(
        build(),
        word_bits=word_bits,
        mu=mu,
        snapshot_every=every,
        rounding="nearest_even",
        scale=scale,
    )
    got = train(algorithm, problem, 4)
    segment = BATCHES if every == "epoch" else every
    want = oracle(problem, 4, segment=segment, word_bits=word_bits, mu=mu)
    np.testing.assert_allclose(got, want, rtol=1e-9)


@pytest.fixture(scope="module")
def svrg(problem):
    """The weights after three epochs, for all tests that compare with them."""
    return train(tq_halp.SVRG(build()), problem, 3)


@pytest.mark.parametrize("rounding", ["stochastic", "nearest_even", "down"])
@pytest.mark.parametrize("word_bits", [24, 32])
def test_halp_with_a_wide_word_follows_svrg(problem, svrg, word_bits, rounding):
    """The grid is finer than 1e-6 of the box, so after 18 steps the iterates agree to 1e-4."""
    halp = tq_halp.HALP(build(), word_bits=word_bits, mu=0.5, rounding=rounding)
    got = train(halp, problem, 3)
    assert np.abs(svrg).max() > 0.1
    np.testing.assert_allclose(got, svrg, atol=18 * 2 * 20.0 / (0.5 * 2 ** (word_bits - 1)))


@pytest.mark.parametrize("algorithm", ["svrg", "halp"])
def test_first_step_after_a_snapshot_is_the_full_gradient(problem, algorithm):
    x, y = problem
    kwargs = {"word_bits": 32, "mu": 1e-3} if algorithm == "halp" else {}
    kind = {"svrg": tq_halp.SVRG, "halp": tq_halp.HALP}[algorithm]
    model = build()
    start = np.linspace(-1, 1, FEATURES)[:, None]
    model.set_weights([start])
    wrapped = kind(model, **kwargs)
    got = train(wrapped, problem, 1, steps_per_epoch=1)
    full = wrapped.full_gradient[0].numpy()
    np.testing.assert_allclose(full, gradient(start, x, y), rtol=1e-13)
    if algorithm == "svrg":
        np.testing.assert_array_equal(got, start - RATE * full)
    else:
        step = float(wrapped.grid_scale[0])
        assert np.all(np.abs(got - (start - RATE * full)) <= step)


def test_expected_svrg_step_is_the_full_gradient(problem):
    """Away from the snapshot the sample-weighted mean of the steps over an epoch is ∇f(w)."""
    x, y = problem
    algorithm = tq_halp.SVRG(build())
    train(algorithm, problem, 1)
    w = algorithm.model.get_weights()[0]
    total = np.zeros_like(w)
    for start in range(0, SAMPLES, BATCH):
        xb, yb = x[start : start + BATCH], y[start : start + BATCH]
        batch = Batch(keras.ops.convert_to_tensor(xb), keras.ops.convert_to_tensor(yb))
        (step,) = algorithm.estimator.gradient(batch).gradients
        total += np.asarray(step) * len(xb) / SAMPLES
    np.testing.assert_allclose(total, gradient(w, x, y), rtol=1e-10, atol=1e-12)
