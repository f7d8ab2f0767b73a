"""Gradient tables: SAGA's arithmetic, what is kept of a gradient, and how it is saved."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from table_problem import BATCH, FEATURES, PARTS, SAMPLES, SIZES, X, Y, fit, half_squares, saga

pytestmark = pytest.mark.usefixtures("float64")


def kernel(trainer):
    return trainer.model.get_weights()[0]


def gradient(w, part):
    return X[part].T @ (X[part] @ w - Y[part]) / len(X[part])


def entries(trainer, variable=0):
    """T_i of a variable for all minibatches, in their order."""
    table = trainer.estimator.table
    return np.stack([tf.convert_to_tensor(table.entries[variable].read(i)) for i in range(5)])


def by_hand(update, epochs, rate):
    """Defazio et al., equation (1), over minibatches; the mean is one over samples."""
    w, table, mean = np.zeros((FEATURES, 1)), np.zeros((5, FEATURES, 1)), 0.0
    for epoch in range(epochs):
        for i, part in enumerate(PARTS):
            g = gradient(w, part)
            v = g if epoch == 0 else g - table[i] + mean
            if update == "step" and epoch:
                mean = mean + SIZES[i] / SAMPLES * (g - table[i])
            table[i] = g
            w = w - rate * v
        mean = np.tensordot(SIZES / SAMPLES, table, 1)
    return w, table, mean


# ---- the arithmetic ------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["epoch", "step"])
@pytest.mark.parametrize("options", [{}, {"table_folder": "."}], ids=["memory", "disk"])
def test_trajectory(update, options, tmp_path):
    options = {name: str(tmp_path / "new") for name in options}
    trainer = saga(table=update, **options)
    history = fit(trainer, 4)
    w, table, mean = by_hand(update, 4, 0.1)
    np.testing.assert_allclose(kernel(trainer), w, rtol=1e-12)
    np.testing.assert_allclose(entries(trainer), table, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(trainer.table_mean[0], mean, rtol=1e-10, atol=1e-14)
    assert history["gradient_evaluations"] == [1.0, 2.0, 3.0, 4.0]
    assert (tmp_path / "new" / "table_0.npy").exists() == bool(options)


def test_the_first_step_after_the_plain_pass_is_the_same_in_both_forms():
    kernels = []
    for update in ("epoch", "step"):
        trainer = saga(table=update)
        fit(trainer, 1)
        fit(trainer, 1, steps_per_epoch=1)
        kernels.append(kernel(trainer))
    np.testing.assert_array_equal(*kernels)


@pytest.mark.parametrize("update", ["epoch", "step"])
def test_with_entries_of_the_present_weights_a_step_is_the_full_gradient(update):
    trainer = saga(table=update, rate=0.0)
    fit(trainer, 1)
    trainer.optimizer.learning_rate = 0.25
    mean = trainer.table_mean[0].numpy()
    np.testing.assert_allclose(mean, X.T @ (X @ kernel(trainer) - Y) / SAMPLES, rtol=1e-12)
    fit(trainer, 1, steps_per_epoch=1)
    np.testing.assert_array_equal(kernel(trainer), 0.0 - 0.25 * mean)


@pytest.mark.parametrize("update, steps", [("epoch", 10), ("step", 8)])
@pytest.mark.parametrize(
    "kept", [{}, {"table_format": 4}, {"table_format": 4, "table_packed": True}]
)
def test_corrections_have_the_mean_zero(update, steps, kept):
    """Σ n_i (T_i − T̄) = 0 whatever the T_i are; with "step" amid a pass, too."""
    trainer = saga(table=update, **kept)
    fit(trainer, 1)
    for epoch in range(2):
        fit(trainer, 1, steps_per_epoch=min(5, steps - 5 * epoch))
    centered = entries(trainer) - trainer.table_mean[0].numpy()
    total = np.tensordot(SIZES, centered, 1)
    assert np.abs(total).max() < 1e-13 < np.abs(centered).max()


def test_a_coefficient():
    """v = g_i − a (T_i − T̄), by a schedule of the number of steps."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([6.0], [0.5, 0.25])
    trainer = saga(coefficient=schedule)
    fit(trainer, 1)
    for step in (5, 6):  # 5 ≤ 6 and 6 ≤ 6 have a = 0.5
        w, i = kernel(trainer), step - 5
        t, mean = entries(trainer)[i], trainer.table_mean[0].numpy()
        trainer.train_on_batch(X[PARTS[i]], Y[PARTS[i]]) if step > 5 else fit(
            trainer, 1, steps_per_epoch=1
        )
        want = w - 0.1 * (gradient(w, PARTS[i]) - 0.5 * (t - mean))
        np.testing.assert_allclose(kernel(trainer), want, rtol=1e-12)
        if step == 5:
            trainer.set_full_gradient_data(X, Y, batch_size=BATCH)


# ---- what is kept --------------------------------------------------------------------------------


def test_differences_have_few_bits():
    trainer = saga(table_format=3)
    fit(trainer, 1)
    before = entries(trainer)
    assert np.any(before != by_hand("epoch", 1, 0.1)[1])
    fit(trainer, 1)
    for change in entries(trainer) - before:
        step = np.abs(change).max() / 3  # 3 bits have the codes -3 to 3
        np.testing.assert_allclose(change / step, np.rint(change / step), atol=1e-9)


def test_a_packed_table_holds_integers():
    trainer = saga(table_format=5, table_packed=True)
    fit(trainer, 3)
    arrays = trainer.estimator.table.arrays()
    codes, scales = arrays["table_0"], arrays["table_0_scales"]
    assert codes.dtype == "int8" and np.abs(codes.numpy()).max() == 15
    want = codes.numpy() * scales.numpy()[:, None, None]
    np.testing.assert_array_equal(entries(trainer), want)
    exact = by_hand("epoch", 3, 0.1)[1]
    assert 0 < np.abs(want - exact).max() < 2 * scales.numpy().max()


def test_differences_do_not_limit_how_far_training_gets_and_a_packed_table_does():
    norms = {}
    for packed in (False, True):
        trainer = saga("BitCenteredSAGA", table_format=8, table_packed=packed)
        fit(trainer, 80)
        norms[packed] = np.linalg.norm(X.T @ (X @ kernel(trainer) - Y)) / SAMPLES
    assert norms[False] < 1e-9 < norms[True] < 1e-2


def words(seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 200, (SAMPLES, 3)), rng.integers(0, 4, SAMPLES)


def language_model():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(200, 4), keras.layers.Flatten(), keras.layers.Dense(4)]
    return keras.Sequential([keras.Input((3,), dtype="int64"), *layers])


def trained_on_words(kind, by_rows=True, epochs=3, **options):
    trainer = saga(kind, model=language_model(), **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainer.compile(keras.optimizers.SGD(0.5), loss)
    if not by_rows:
        trainer.estimator.table._make_entries([False] * 3)
    fit(trainer, epochs, *words())
    return trainer


@pytest.mark.parametrize("options", [{}, {"table": "step", "table_format": 8}])
def test_of_an_embedding_only_the_rows_of_the_words_are_kept(options):
    """The same weights as from a table of dense gradients, rounding apart."""
    rows, whole = (trained_on_words("SAGA", by_rows, **options) for by_rows in (True, False))
    x, _ = words()
    shapes = [each.estimator.table.arrays()["table_0"].shape for each in (rows, whole)]
    assert shapes == [(5, 30, 4), (5, 200, 4)]
    kept = rows.estimator.table.arrays()["table_0_rows"].numpy()
    for i, part in enumerate(PARTS):
        assert set(kept[i]) - {-1} == set(x[part].ravel())
    tolerance = 1e-9 if not options else 1e-2
    for one, other in zip(rows.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


# ---- saved and gone on with ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["SAGA", "BitCenteredSAGA"])
@pytest.mark.parametrize("kept", [{}, {"table_format": 4, "table_packed": True}])
def test_saved_amid_a_pass_it_goes_on_with_the_same_bits(kind, kept, tmp_path):
    def steps(trainer, numbers):
        trainer.set_full_gradient_data(*words(), batch_size=BATCH)
        for number in numbers:
            trainer.train_on_batch(*(a[PARTS[number % 5]] for a in words()))

    trainer = trained_on_words(kind, epochs=1, table="step", **kept)
    steps(trainer, range(3))
    trainer.save(tmp_path / "saga.keras")
    loaded = keras.models.load_model(tmp_path / "saga.keras")
    for each in (trainer, loaded):
        steps(each, range(3, 12))
    for one, other in zip(trainer.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_fit_goes_on_with_the_table_and_other_data_begin_anew():
    """Arrays are shuffled once, into the same minibatches in each fit."""
    whole, parts = saga(seed=3), saga(seed=3)
    fit(whole, 3, shuffle=True)
    for _ in range(3):
        fit(parts, 1, shuffle=True)
    assert int(parts.table_passes) == 3
    kept = entries(parts)
    w = kernel(parts)
    fit(parts, 1, 2 * X, Y, steps_per_epoch=1)
    assert not int(parts.table_is_full) and np.any(entries(parts) != kept)
    want = 2 * X[:BATCH].T @ (2 * X[:BATCH] @ w - Y[:BATCH]) / BATCH
    np.testing.assert_allclose(kernel(parts), w - 0.1 * want, rtol=1e-12)


def test_a_loss_scale_changes_nothing():
    results = []
    for scaled in (False, True):
        trainer = saga(table="step")
        optimizer = keras.optimizers.SGD(0.1)
        if scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**10)
        trainer.compile(optimizer, loss=half_squares)
        fit(trainer, 3)
        results.append(kernel(trainer))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("draws", ["locked", "fresh"])
def test_dropout_and_statistics(draws):
    """Locked, the masks of a minibatch depend on the pass and not on the order in it."""

    def trained(order):
        keras.utils.set_random_seed(0)
        layers = [
            *(keras.layers.Dense(8, "tanh"), keras.layers.BatchNormalization()),
            *(keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(1)),
        ]
        model = keras.Sequential([keras.Input((FEATURES,)), *layers])
        trainer = saga(model=model, rate=0.0, draws=draws)
        trainer.set_full_gradient_data(X, Y, batch_size=BATCH)
        for i in (*range(5), *order):
            trainer.train_on_batch(X[PARTS[i]], Y[PARTS[i]])
        return entries(trainer)

    same = np.array_equal(trained([0, 1]), trained([1, 0]))
    assert same == (draws == "locked")
