"""Decay, statistics, optimizers, scaled losses, weights of samples: what real steps are."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp

VARIANCE_REDUCED = {"svrg": tq_halp.SVRG, "halp": tq_halp.HALP}


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def linear(features, **kwargs):
    kernel = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", **kwargs)
    return keras.Sequential([keras.Input((features,)), kernel])


# ---- decay acts on w̃ + z ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["coupled", "decoupled"])
@pytest.mark.parametrize("name", VARIANCE_REDUCED)
def test_decay_reaches_the_regularized_optimum(name, kind, float64):
    """½ mean (x_i w − y_i)² + ½ w² with mean x² = mean xy = 1 is least at ½; without decay at 1."""
    x, y = np.sqrt([[0.5], [1.5]]), np.array([[0.0], [2 / np.sqrt(1.5)]])
    coupled = keras.regularizers.L2(0.5) if kind == "coupled" else None
    model = linear(1, kernel_regularizer=coupled)
    algorithm = VARIANCE_REDUCED[name](model)
    decay = {"weight_decay": 1.0} if kind == "decoupled" else {}
    loss = tq_halp.models.HalfMeanSquaredError()
    algorithm.compile(keras.optimizers.SGD(0.1, **decay), loss=loss)
    x, y = np.tile(x, (5, 1)), np.tile(y, (5, 1))
    algorithm.fit(x, y, batch_size=1, epochs=20, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [[0.5]], rtol=1e-9)


# ---- statistics ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIANCE_REDUCED)
def test_statistics_are_those_of_plain_training_on_the_same_iterates(name):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(48, 6)).astype("float32"), rng.integers(0, 3, size=48)

    def build():
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Dense(8), keras.layers.BatchNormalization(momentum=0.8)]
        layers += [keras.layers.Dropout(0.5), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input((6,)), *layers])

    algorithm, iterates = VARIANCE_REDUCED[name](build(), snapshot_every=4), []

    class Record(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            iterates.append([w.numpy() for w in algorithm.trainable_variables])

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    algorithm.compile(keras.optimizers.SGD(0.5), loss=loss)
    algorithm.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, callbacks=[Record()])
    plain = build()
    for step, iterate in enumerate(iterates):
        for variable, value in zip(plain.trainable_variables, iterate, strict=True):
            variable.assign(value)
        plain(x[step % 6 * 8 :][:8], training=True)
    assert len(iterates) == 12 and np.abs(iterates[0][0] - iterates[-1][0]).max() > 0.01
    got, want = (m.layers[1].non_trainable_variables[:2] for m in (algorithm.model, plain))
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


# ---- any optimizer acts on the variance-reduced gradient ----------------------------------------

OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.05),
    "adamw": lambda: keras.optimizers.AdamW(0.05, weight_decay=0.1),
    "schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    ),
    "clipped": lambda: keras.optimizers.SGD(0.05, global_clipnorm=0.5),
    "accumulating": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
}
SAMPLES, FEATURES, BATCH = 23, 5, 4


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", VARIANCE_REDUCED)
def test_any_optimizer(name, optimizer, float64):
    """HALP with 40 bits: its grid is 2^-39 of a box of at most ‖g̃‖/μ < 2^5."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(SAMPLES, FEATURES))
    y = x @ rng.normal(size=(FEATURES, 1)) + 0.1 * rng.normal(size=(SAMPLES, 1))
    model = linear(FEATURES)
    halp = {"word_bits": 40, "mu": 0.5, "rounding": "nearest_even"} if name == "halp" else {}
    algorithm = VARIANCE_REDUCED[name](model, snapshot_every=4, **halp)
    algorithm.compile(OPTIMIZERS[optimizer](), loss="mse", run_eagerly=True)
    algorithm.fit(x, y, batch_size=BATCH, epochs=2, shuffle=False, verbose=0)
    want = by_keras_optimizer(x, y, OPTIMIZERS[optimizer]())
    assert np.abs(want).max() > 0.05
    np.testing.assert_allclose(model.get_weights()[0], want, atol=1e-12 if not halp else 1e-8)


def by_keras_optimizer(x, y, optimizer, steps=12, every=4):
    """The optimizer itself, fed with gradients that NumPy has reduced the variance of."""

    def gradient(w, x, y):
        return 2 * x.T @ (x @ w - y) / len(x)

    variable = keras.Variable(np.zeros((FEATURES, 1)))
    batches = [slice(i, i + BATCH) for i in range(0, SAMPLES, BATCH)]
    for step in range(steps):
        w, piece = variable.numpy(), batches[step % len(batches)]
        if step % every == 0:
            center, full = w, gradient(w, x, y)
        v = gradient(w, x[piece], y[piece]) - gradient(center, x[piece], y[piece]) + full
        optimizer.apply_gradients([(tf.constant(v), variable)])
    return variable.numpy()


@pytest.mark.parametrize("name", VARIANCE_REDUCED)
def test_slots_in_a_number_format(name):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 4)).astype("float32"), rng.normal(size=(16, 1)).astype("float32")
    algorithm = VARIANCE_REDUCED[name](linear(4))
    momentum = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4, "rounding": "stochastic"}
    optimizer = tq_halp.quantize_momentum(keras.optimizers.SGD(0.05, momentum=0.9), momentum)
    algorithm.compile(optimizer, loss="mse", run_eagerly=True)
    algorithm.fit(x, y, batch_size=4, epochs=2, verbose=0)
    codes = optimizer.inner_optimizer.momentums[0].numpy() * 16
    assert np.any(codes) and np.all(codes == np.rint(codes))
    if name == "halp":
        z = algorithm.offset[0].numpy()
        assert np.any(z)
        weights = algorithm.center[0].numpy() + z
        np.testing.assert_array_equal(algorithm.model.get_weights()[0], weights)


# ---- scaled losses ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd", *VARIANCE_REDUCED])
def test_a_loss_scale_changes_nothing(name):
    """Scales are powers of two: exact. One of 2^120 overflows until it has been halved."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 4)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")
    kind, results = {"sgd": tq_halp.SGD, **VARIANCE_REDUCED}[name], []
    for scale in (None, 2.0**15, 2.0**126 if name != "sgd" else 2.0**7):
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
        if scale:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=scale)
        algorithm = kind(linear(4))
        algorithm.compile(optimizer, loss="mse", run_eagerly=True)
        algorithm.fit(x, 9 * y, batch_size=8, epochs=3, shuffle=False, verbose=0)
        results.append(algorithm.model.get_weights()[0])
    assert np.abs(results[0]).max() > 0.1
    for scaled in results[1:]:
        np.testing.assert_array_equal(scaled, results[0])


def test_float16_with_its_loss_scale():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    layers = [keras.layers.Dense(1, use_bias=False, dtype="mixed_float16")]
    model = keras.Sequential([keras.Input((4,)), *layers])
    algorithm = tq_halp.HALP(model)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    algorithm.compile(optimizer, loss="mse")
    history = algorithm.fit(x, x @ np.ones((4, 1)), epochs=10, verbose=0).history
    assert history["loss"][-1] < 0.01 * history["loss"][0]


# ---- inputs, outputs, weights of samples and classes --------------------------------------------


def test_several_inputs_and_outputs_by_name():
    """g̃ is the gradient of one big batch, with the weights that samples have for each output."""
    rng = np.random.default_rng(0)
    left, right = (keras.Input((n,), name=name) for n, name in ((3, "left"), (2, "right")))
    joined = keras.layers.Concatenate()([left, right])
    outputs = [keras.layers.Dense(n, name=name)(joined) for n, name in ((1, "a"), (2, "b"))]
    model = keras.Model([left, right], outputs)
    x = [rng.normal(size=(20, n)).astype("float32") for n in (3, 2)]
    y = [rng.normal(size=(20, n)).astype("float32") for n in (1, 2)]
    weights = [rng.uniform(size=20).astype("float32") for _ in y]
    algorithm = tq_halp.SVRG(model)
    losses = {"a": "mse", "b": "mae"}
    algorithm.compile(
        keras.optimizers.SGD(0.0), loss=losses, loss_weights={"a": 2.0, "b": 0.5}, run_eagerly=True
    )
    algorithm.fit(x, y, sample_weight=weights, batch_size=8, epochs=1, verbose=0)
    with tf.GradientTape() as tape:
        a, b = model(x)
        loss = 2.0 * tf.reduce_mean(weights[0] * tf.reduce_mean((a - y[0]) ** 2, -1))
        loss += 0.5 * tf.reduce_mean(weights[1] * tf.reduce_mean(tf.abs(b - y[1]), -1))
    want = tape.gradient(loss, model.trainable_variables)
    for got, expected in zip(algorithm.full_gradient, want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("labels", ["indices", "one_hot"])
@pytest.mark.parametrize("name", VARIANCE_REDUCED)
def test_class_weights_are_sample_weights(name, labels):
    rng = np.random.default_rng(0)
    x, classes = rng.normal(size=(30, 4)).astype("float32"), rng.integers(0, 3, size=30)
    class_weight = {0: 0.5, 2: 3.0}
    weights = np.array([0.5, 1.0, 3.0], "float32")[classes]
    results = []
    for given in ({"class_weight": class_weight}, {"sample_weight": weights}):
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        algorithm = VARIANCE_REDUCED[name](model)
        kind = "sparse_categorical_crossentropy" if labels == "indices" else "mse"
        algorithm.compile(keras.optimizers.SGD(0.1), loss=kind, run_eagerly=True)
        y = classes if labels == "indices" else np.eye(3, dtype="float32")[classes]
        algorithm.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0, **given)
        results.append(model.get_weights()[0])
    np.testing.assert_array_equal(*results)


def test_weights_frozen_after_the_algorithm_was_built_are_refused():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    algorithm = tq_halp.SVRG(model)
    model.layers[0].trainable = False
    algorithm.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="freeze or unfreeze layers first"):
        algorithm.fit(np.ones((8, 4)), np.ones((8, 1)), verbose=0)
