"""The algorithms in real networks: masks, statistics, odd batches, grids, unused parameters."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp

ALGORITHMS = ("sgd", "lp_sgd", "svrg", "lp_svrg", "halp")


@pytest.mark.parametrize(
    ("kind", "batch_size", "weighted"),
    [
        ("arrays", 7, False),
        ("arrays", 50, True),
        ("dataset", 16, False),
        ("dataset", 7, True),
        ("pydataset", 50, False),
        ("pydataset", 16, True),
    ],
)
def test_full_gradient_is_that_of_one_big_batch(data, batch_size, weighted, kind, compiled):
    """Samples count equally, also in the short last batch, and as their weights say."""
    x, y = data
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(3, kernel_regularizer=keras.regularizers.L2(0.01))]
    )
    weights = np.linspace(0, 2, len(x)).astype("float32") if weighted else None
    # One case is traced, which takes longer than an epoch.
    algorithm = compiled(
        tq_halp.SVRG(model), rate=0.0, run_eagerly=(kind, weighted) != ("dataset", True)
    )
    source = _as_source(kind, x, y, weights, batch_size)
    algorithm.fit(**source, epochs=1, verbose=0)
    with tf.GradientTape() as tape:
        loss = algorithm.compute_loss(x, y, model(x), weights)
    want = tape.gradient(loss, model.trainable_variables)
    for got, expected in zip(algorithm.full_gradient, want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


def _as_source(kind, x, y, weights, batch_size):
    parts = (x, y) if weights is None else (x, y, weights)
    if kind == "arrays":
        return {"x": x, "y": y, "sample_weight": weights, "batch_size": batch_size}
    if kind == "dataset":
        return {"x": tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)}

    class Sequence(keras.utils.PyDataset):
        num_batches = -(-len(x) // batch_size)

        def __getitem__(self, index):
            piece = slice(index * batch_size, (index + 1) * batch_size)
            return tuple(part[piece] for part in parts)

    return {"x": Sequence()}


@pytest.mark.parametrize("name", ["lp_sgd", "lp_svrg"])
def test_weights_never_leave_the_grid(name, data, wrap, network, compiled):
    algorithm = compiled(wrap(name, network()))
    seen = []

    class Grid(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            codes = [w.numpy() * 64 for w in self.model.trainable_variables]
            seen.append(all(np.all((c == np.rint(c)) & (c >= -128) & (c <= 127)) for c in codes))

    algorithm.fit(*data, batch_size=8, epochs=1, verbose=0, callbacks=[Grid()])
    assert len(seen) == 7 and all(seen)


def test_halp_offset_is_on_its_grid_and_weights_are_center_plus_offset(data, network, compiled):
    algorithm = compiled(tq_halp.HALP(network(), word_bits=5))
    algorithm.fit(*data, batch_size=8, epochs=2, verbose=0)
    for index, variable in enumerate(algorithm.trainable_variables):
        step = float(algorithm.grid_scale[index])
        offset = algorithm.offset[index].numpy()
        codes = np.rint(offset / step)
        np.testing.assert_array_equal(offset, (codes.astype("float64") * step).astype("float32"))
        assert codes.min() >= -16 and codes.max() <= 15 and np.abs(codes).max() > 0
        np.testing.assert_array_equal(variable.numpy(), algorithm.center[index].numpy() + offset)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_same_seed_same_bits_other_seed_other_bits(name, data, wrap, network, compiled):
    rounds = name not in ("sgd", "svrg")

    def weights(seed):
        algorithm = compiled(wrap(name, network(), seed=seed), run_eagerly=not rounds)
        algorithm.fit(*data, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return np.concatenate([w.ravel() for w in algorithm.model.get_weights()[:2]])

    first = weights(1)
    np.testing.assert_array_equal(first, weights(1))
    assert not rounds or np.any(first != weights(2))


@pytest.mark.parametrize("name", ["svrg", "halp"])
def test_zero_gradient_leaves_the_weights_alone(name, wrap):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    start = model.get_weights()
    algorithm = wrap(name, model)
    algorithm.compile(keras.optimizers.SGD(0.1), loss=lambda y, p: 0.0 * keras.ops.sum(p, axis=-1))
    algorithm.fit(np.ones((8, 2), "float32"), np.ones((8, 1), "float32"), epochs=2, verbose=0)
    for got, want in zip(model.get_weights(), start, strict=True):
        np.testing.assert_array_equal(got, want)


class Unused(keras.layers.Layer):
    """Holds a weight that the output does not depend on."""

    def build(self, shape):
        self.weight = self.add_weight(shape=(3,), initializer="ones", name="unused")

    def call(self, x):
        return x


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.parametrize("name", ALGORITHMS)
def test_unused_and_frozen_parameters(name, data, wrap, compiled):
    frozen = keras.layers.Dense(4, name="frozen")
    model = keras.Sequential([keras.Input((6,)), frozen, Unused(), keras.layers.Dense(3)])
    frozen.trainable = False
    before = frozen.get_weights()
    eagerly = name not in ("sgd", "halp")  # two are traced, which takes longer
    algorithm = compiled(wrap(name, model), run_eagerly=eagerly)
    algorithm.fit(*data, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.layers[1].weight, np.ones(3))
    for got, want in zip(frozen.get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


def test_random_iterate_is_one_of_the_segments_and_uniform():
    """12 seeds x 1 segment of 5 distinct iterates; four indices seen at least, none outside."""
    x = np.arange(1, 6, dtype="float32")[:, None]
    chosen = []
    for seed in range(12):
        model = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
        )
        algorithm = tq_halp.SVRG(model, iterate="random", seed=seed)
        # Two are traced, which takes longer than the five steps.
        algorithm.compile(keras.optimizers.SGD(0.01), loss="mse", run_eagerly=seed > 1)
        iterates = []

        class Record(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None, iterates=iterates):
                iterates.append(float(self.model.candidate[0][0, 0]))

        algorithm.fit(x, 2 * x, batch_size=1, shuffle=False, verbose=0, callbacks=[Record()])
        trajectory = _svrg_1d(x[:, 0], algorithm)
        final = float(model.get_weights()[0][0, 0])
        assert final == iterates[-1]
        chosen.append(int(np.argmin(np.abs(np.array(trajectory) - final))))
        assert np.min(np.abs(np.array(trajectory) - final)) < 1e-5
    assert len(set(chosen)) >= 4


def _svrg_1d(x, algorithm):
    """f_i = (x_i w − 2 x_i)² from w̃ = 0: ∇f_i(w) − ∇f_i(w̃) + g̃ = 2 x_i² w + g̃."""
    full = float(algorithm.full_gradient[0][0, 0])
    w, trajectory = 0.0, []
    for xi in x:
        w -= 0.01 * (2 * xi * xi * w + full)
        trajectory.append(w)
    return trajectory
