"""Which weights are trained, in which dtypes, under which constraints, and with what."""

import contract
import keras
import numpy as np
import tensorflow as tf
from contract import CLASSES, ON_A_GRID, X, Y, assert_same_weights, fit, is_svrg, network, trainer


def two_dtypes(kind, _):
    """A body in bfloat16, a head in float32; g̃ is the mean over the minibatches, rounded once."""
    algorithm = trainer(kind, network(dtype="bfloat16"))
    history = fit(algorithm, 6, shuffle=True)
    assert {v.dtype for v in algorithm.trainable_variables} == {"bfloat16", "float32"}
    assert np.all(np.isfinite(history["loss"])) and history["loss"][-1] < history["loss"][0]
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, algorithm.trainable_variables))
    if not is_svrg(kind):
        return
    algorithm.optimizer.learning_rate = 0.0
    center = [v.numpy() for v in algorithm.trainable_variables]
    fit(algorithm, 1)
    exact = [np.zeros(v.shape) for v in center]
    for x, y in contract.batches():
        with tf.GradientTape() as tape:
            loss = algorithm.compute_loss(x, y, algorithm(x, training=True), training=True)
        gradients = tape.gradient(loss, algorithm.trainable_variables)
        for total, gradient in zip(exact, gradients, strict=True):
            total += len(x) / len(X) * np.asarray(tf.cast(gradient, tf.float64))
    for got, want in zip(algorithm.full_gradient, exact, strict=True):
        if got.dtype == "bfloat16":
            np.testing.assert_array_equal(got, tf.cast(want, "bfloat16"))
        else:
            np.testing.assert_allclose(got, want, rtol=2.0**-23)


def _constrained(kind, constraint, holds=True):
    """The kernel after a fit from a start that is as it should be, and the step of its grid."""
    model = network(constraint if holds else None)
    algorithm = trainer(kind, model, keras.optimizers.SGD(0.5))
    start = constraint(algorithm.model.layers[0].kernel)
    algorithm.model.layers[0].kernel.assign(start)
    fit(algorithm, 3)
    kernel = np.asarray(algorithm.model.layers[0].kernel, "float64")
    step = GRID_STEP if kind in ON_A_GRID else 0.0
    if step:
        assert contract.is_on_grid(kernel)
    assert np.any(kernel != np.asarray(start))
    return kernel, step


GRID_STEP = contract.GRID.step


def non_negative(kind, _):
    kernel, _ = _constrained(kind, keras.constraints.NonNeg())
    assert kernel.min() >= 0.0
    free, _ = _constrained(kind, keras.constraints.NonNeg(), holds=False)
    assert free.min() < 0.0


def largest_norm(kind, _):
    kernel, step = _constrained(kind, keras.constraints.MaxNorm(0.5))
    assert np.linalg.norm(kernel, axis=0).max() <= 0.5 + 1e-6 + 2 * step


def unit_norm(kind, _):
    kernel, step = _constrained(kind, keras.constraints.UnitNorm())
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1.0, atol=1e-5 + 2 * step)


def norm_from_to(kind, _):
    kernel, step = _constrained(kind, keras.constraints.MinMaxNorm(0.4, 0.6))
    norms = np.linalg.norm(kernel, axis=0)
    assert norms.min() >= 0.4 - 1e-5 - 2 * step and norms.max() <= 0.6 + 1e-5 + 2 * step


def several_optimizers(kind, _):
    """Two optimizers that are alike are one; the decay and the rate of each count for its own."""

    def one():
        return keras.optimizers.SGD(0.1, momentum=0.5, weight_decay=0.01)

    def shared():
        return keras.optimizers.MultiOptimizer(
            keras.optimizers.OptimizerMap(one(), {".*hidden/.*": one()})
        )

    plain, multiple = trainer(kind, optimizer=one()), trainer(kind, optimizer=shared())
    fit(plain)
    fit(multiple)
    assert_same_weights(multiple, plain)


def a_frozen_layer(kind, _):
    model = network()
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    algorithm = trainer(kind, model)
    losses = fit(algorithm, 4)["loss"]
    assert losses[-1] < losses[0]
    for got, want in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


def frozen_afterwards(kind, _):
    """Frozen between the building of the algorithm and a fit, which is compiled anew."""
    algorithm = trainer(kind)
    algorithm.model.layers[0].trainable = False
    algorithm.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    before = algorithm.model.get_weights()
    try:
        fit(algorithm)
        assert np.any(algorithm.model.get_weights()[-1] != before[-1])
    finally:
        for got, want in zip(algorithm.model.get_weights()[:2], before, strict=False):
            np.testing.assert_array_equal(got, want)


def all_frozen(kind, _):
    model = network()
    model.trainable = False
    fit(trainer(kind, model))


def no_samples(kind, _):
    fit(trainer(kind), x=X[:0], y=Y[:0])


def weights_of_classes(kind, _):
    labels, weight = (X[:, 0] > 0).astype("int64"), {0: 0.5, 1: 3.0}
    results = []
    for weights in ({"class_weight": weight}, {"sample_weight": np.where(labels, 3.0, 0.5)}):
        algorithm = CLASSES[kind](network())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        algorithm.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
        fit(algorithm, y=labels, **weights)
        results.append(algorithm)
    assert_same_weights(*results)
    unweighted = CLASSES[kind](network())
    unweighted.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    fit(unweighted, y=labels)
    assert np.any(unweighted.model.get_weights()[0] != results[0].model.get_weights()[0])


def under_xla(kind, _):
    """As without it: there run eagerly, which is sooner than traced."""
    compiled, plain = trainer(kind, eagerly=False, jit_compile=True), trainer(kind)
    losses = [fit(each, 1)["loss"] for each in (compiled, plain)]
    assert compiled.jit_compile
    np.testing.assert_allclose(*losses, rtol=1e-4)
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, compiled.trainable_variables))
