"""What each algorithm makes of each situation: right, or refused by name. One table."""

import warnings

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import BATCH, CLASSES, ON_A_GRID, X, Y, assert_same_weights, fit, network, trainer

import tq_halp

# r: right, as the function of that name shows. A letter: refused, with the message below.
TABLE = """
                            SGD  LPSGD SWALP SVRG LPSVRG HALP BCSGD
train_on_batch               r     r     r    d     d     d     d
train_on_batch_with_data     -     -     -    r     r     r     r
train_on_batch_after_fit     r     r     r    d     d     d     d
train_step_by_itself         r     r     r    s     s     s     s
unknown_length               r     r     r    r     r     r     r
several_steps_per_execution  r     r     r    r     r     r     r
other_lengths_every_epoch    r     r     r    r     r     r     r
two_dtypes                   r     r     r    r     r     r     r
save_and_go_on               r     r     r    r     r     r     r
best_model_of_epochs         r     r     r    r     r     r     r
checkpoints_of_batches       r     r     r    r     r     r     r
best_weights_restored        r     r     r    r     r     r     r
backup_and_restore           r     r     r    r     r     r     r
moving_averages              r     r     e    r     r     r     r
swapped_averages             r     r     e    r     r     r     r
non_negative                 r     r     r    r     r     r     r
largest_norm                 r     r     r    r     r     r     r
unit_norm                    r     r     r    r     r     r     r
norm_from_to                 r     r     r    r     r     r     r
several_optimizers           r     r     r    r     r     r     r
a_frozen_layer               r     r     r    r     r     r     r
all_frozen                   a     a     a    a     a     a     a
no_samples                   n     n     n    n     n     n     n
weights_of_classes           r     r     r    r     r     r     r
under_xla                    r     r     r    r     r     r     r
"""
REFUSED = {
    "d": "must know the training data before train_on_batch.*set_full_gradient_data",
    "s": "train_step of .* must not be called by itself",
    "e": "use_ema of the optimizer must be False for SWALP",
    "a": "model must have a trainable weight",
    "n": "at least one sample",
}
HEAD, *ROWS = (line.split() for line in TABLE.strip().splitlines())
CASES = [
    pytest.param(situation, kind, outcome, id=f"{situation}-{kind}")
    for situation, *outcomes in ROWS
    for kind, outcome in zip(CLASSES, outcomes, strict=True)
    if outcome != "-"
]


def test_the_table_is_of_all_classes():
    assert len(HEAD) == len(CLASSES) == len(tq_halp.algorithms.__all__)
    assert set(CLASSES) == set(tq_halp.algorithms.__all__)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(("situation", "kind", "outcome"), CASES)
def test_contract(situation, kind, outcome, tmp_path):
    show = SITUATIONS[situation]
    if outcome == "r":
        show(kind, tmp_path)
    else:
        with pytest.raises(tq_halp.InputError, match=REFUSED[outcome]):
            show(kind, tmp_path)


def situation(function):
    SITUATIONS[function.__name__] = function
    return function


SITUATIONS = {}


# ---- steps without fit ---------------------------------------------------------------------------


@situation
def train_on_batch(kind, _):
    by_hand, by_fit = trainer(kind), trainer(kind)
    for _ in range(2):
        for x, y in contract.batches():
            by_hand.train_on_batch(x, y)
    fit(by_fit)
    assert by_hand.evaluate(X, Y, verbose=0) == by_fit.evaluate(X, Y, verbose=0)
    assert_same_weights(by_hand.model, by_fit.model)


@situation
def train_on_batch_with_data(kind, _):
    by_hand, by_fit = trainer(kind), trainer(kind)
    by_hand.set_full_gradient_data(X, Y, batch_size=BATCH)
    for _ in range(2):
        for x, y in contract.batches():
            by_hand.train_on_batch(x, y)
    fit(by_fit)
    assert_same_weights(by_hand, by_fit)
    # Other data, another snapshot.
    by_hand.set_full_gradient_data(X[:BATCH], Y[:BATCH], batch_size=BATCH)
    before = [center.numpy() for center in by_hand.center]
    by_hand.train_on_batch(*contract.batches()[0])
    assert any(np.any(c.numpy() != b) for c, b in zip(by_hand.center, before, strict=True))


@situation
def train_on_batch_after_fit(kind, tmp_path):
    algorithm = trainer(kind)
    fit(algorithm)
    step = int(algorithm.step_count)
    algorithm.train_on_batch(X[:BATCH], Y[:BATCH])
    assert int(algorithm.step_count) == step + 1


@situation
def train_step_by_itself(kind, _):
    algorithm = trainer(kind)
    before = algorithm.model.get_weights()
    algorithm.optimizer.build(algorithm.trainable_variables)
    algorithm.train_step((tf.constant(X), tf.constant(Y)))
    assert all(np.any(w != b) for w, b in zip(algorithm.model.get_weights(), before, strict=True))


# ---- data of unknown length ----------------------------------------------------------------------


def _same_of_unknown_length(kind, **kwargs):
    """The same data, with and without a length that Keras can know, in a model that draws."""
    results = []
    for data in (contract.data_set(), contract.data_set().filter(lambda x, y: True)):
        model = network()
        quantization = {"format": "bfloat16", "rounding": "stochastic"}
        layers = [tq_halp.layers.Quantize(quantization), keras.layers.Dropout(0.2, seed=3)]
        model = keras.Sequential([keras.Input((4,)), *layers, *model.layers])
        algorithm = trainer(kind, model, keras.optimizers.Adam(0.05), eagerly=False, **kwargs)
        history = fit(algorithm, 3, x=data, y=None, batch_size=None, shuffle=True)
        results.append((algorithm, history))
    (known, history), (unknown, other) = results
    assert history.keys() == other.keys()
    for name in history:
        np.testing.assert_array_equal(history[name], other[name], err_msg=name)
    assert history["step"] == [6, 12, 18]
    assert_same_weights(known, unknown)
    for one, two in zip(known.optimizer.variables, unknown.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert getattr(known, "segment_length", 6) == 6
    return known


@situation
def unknown_length(kind, _):
    algorithm = _same_of_unknown_length(kind)
    assert int(getattr(algorithm, "snapshot_count", 3)) == 3


@situation
def several_steps_per_execution(kind, _):
    assert_same_weights(
        _same_of_unknown_length(kind, steps_per_execution=3), _same_of_unknown_length(kind)
    )


@situation
def other_lengths_every_epoch(kind, _):
    """Passes over the data of 3, 2, 3, 2, ... minibatches: each epoch begins with a snapshot."""
    passes = []

    def generate():
        passes.append(len(passes))
        yield from contract.batches()[: 3 - len(passes) // 2 % 2 if _is_svrg(kind) else 3]

    spec = tuple(tf.TensorSpec((None, n), tf.float32) for n in (4, 2))
    algorithm = trainer(kind)
    snapshots = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            snapshots.append((batch, int(getattr(self.model, "snapshot_count", 0))))

    data = tf.data.Dataset.from_generator(generate, output_signature=spec)
    history = fit(algorithm, 4, x=data, y=None, batch_size=None, callbacks=[Watch()])
    assert history["step"][-1] == len(snapshots)
    if _is_svrg(kind):
        numbers = [count for batch, count in snapshots if batch == 0]
        assert numbers == [1, 2, 3, 4] and snapshots[-1][1] == 4
    else:
        assert history["gradient_evaluations"] == [1.0, 2.0, 3.0, 4.0]


def _is_svrg(kind):
    return issubclass(getattr(tq_halp, kind), tq_halp.SVRG)


# ---- dtypes --------------------------------------------------------------------------------------


@situation
def two_dtypes(kind, _):
    """A body in bfloat16, a head in float32; g̃ is the mean over the minibatches, rounded once."""
    algorithm = trainer(kind, network(dtype="bfloat16"), eagerly=False)
    history = fit(algorithm, 6, shuffle=True)
    assert {v.dtype for v in algorithm.trainable_variables} == {"bfloat16", "float32"}
    assert np.all(np.isfinite(history["loss"])) and history["loss"][-1] < history["loss"][0]
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, algorithm.trainable_variables))
    if not _is_svrg(kind):
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
        rounding = 2.0**-8 if got.dtype == "bfloat16" else 1e-5
        np.testing.assert_allclose(np.asarray(got, "float64"), want, rtol=rounding, atol=1e-6)


# ---- saving and callbacks ------------------------------------------------------------------------


@situation
def save_and_go_on(kind, tmp_path):
    algorithm = trainer(kind)
    fit(algorithm)
    algorithm.save(tmp_path / "whole.keras")
    algorithm.save_weights(tmp_path / "only.weights.h5")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    again = trainer(kind)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "only.weights.h5")
    for each in (loaded, again):
        assert_same_weights(each, algorithm)
        each.run_eagerly = True
    for each in (algorithm, loaded, again):
        fit(each)
    assert_same_weights(loaded, algorithm)
    assert_same_weights(again, algorithm)


def _validated(kind, callbacks, **kwargs):
    """A run whose validation loss grows in the end, and its best one."""
    algorithm = trainer(kind, optimizer=keras.optimizers.SGD(0.2))
    data = (X[:20] * 1.5, -Y[:20])
    history = fit(algorithm, 5, validation_data=data, callbacks=callbacks, **kwargs)
    losses = history["val_loss"]
    assert min(losses) < losses[-1]
    return algorithm, data, min(losses)


@situation
def best_model_of_epochs(kind, tmp_path):
    """What ModelCheckpoint keeps is what was validated."""
    checkpoints = [
        keras.callbacks.ModelCheckpoint(
            tmp_path / name, "val_loss", save_best_only=True, save_weights_only="weights" in name
        )
        for name in ("best.keras", "best.weights.h5")
    ]
    algorithm, data, best = _validated(kind, checkpoints)
    loaded = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_allclose(loaded.evaluate(*data, verbose=0), best, rtol=1e-6)
    algorithm.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_allclose(algorithm.evaluate(*data, verbose=0), best, rtol=1e-6)


@situation
def checkpoints_of_batches(kind, tmp_path):
    """Saved in the middle of an epoch: the result so far; training is not disturbed by it."""
    undisturbed, algorithm = trainer(kind), trainer(kind)
    fit(undisturbed, 1)
    path = tmp_path / "step_{batch}.keras"
    fit(algorithm, 1, callbacks=[keras.callbacks.ModelCheckpoint(path, save_freq=4)])
    assert_same_weights(algorithm.model, undisturbed.model)
    saved = keras.models.load_model(tmp_path / "step_4.keras")
    want = _iterates(kind, 4)
    want = np.mean(want, axis=0) if kind == "SWALP" else want[-1]
    np.testing.assert_allclose(saved.model.get_weights()[0], want, rtol=1e-6)


def _iterates(kind, steps):
    """The first kernel after each of the first steps; SWALP's iterates are LP-SGD's."""
    seen = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.model.get_weights()[0])

    fit(trainer("LowPrecisionSGD" if kind == "SWALP" else kind), 1, callbacks=[Record()])
    return seen[:steps]


@situation
def best_weights_restored(kind, _):
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    algorithm, data, best = _validated(kind, [stopping])
    np.testing.assert_allclose(algorithm.evaluate(*data, verbose=0), best, rtol=1e-6)


@situation
def backup_and_restore(kind, tmp_path):
    """Broken off after two epochs and begun again: the run that was never broken off."""

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    whole, parts = trainer(kind), (trainer(kind), trainer(kind))
    fit(whole, 4)
    backup = [keras.callbacks.BackupAndRestore(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        fit(parts[0], 4, callbacks=[*backup, Stop()])
    history = fit(parts[1], 4, callbacks=backup)
    assert len(history["loss"]) == 2
    assert_same_weights(parts[1].model, whole.model)


@situation
def moving_averages(kind, _):
    """`use_ema`: Keras makes the averages the weights; on a grid they are rounded."""
    averaging, plain = (
        trainer(kind, optimizer=keras.optimizers.SGD(0.1, use_ema=ema, ema_momentum=0.5))
        for ema in (True, False)
    )
    fit(averaging)
    fit(plain)
    want = averaging.optimizer._model_variables_moving_average
    for got, average, other in zip(
        averaging.trainable_variables, want, plain.trainable_variables, strict=True
    ):
        assert np.any(average.numpy() != other.numpy())
        if kind in ON_A_GRID:
            assert contract.is_on_grid(got)
            assert np.abs(contract.grid_codes(got) - contract.grid_codes(average)).max() < 1
        else:
            np.testing.assert_array_equal(got, average)


@situation
def swapped_averages(kind, _):
    """SwapEMAWeights: validation sees the averages, and training goes on as without it."""
    optimizers = [keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5) for _ in range(2)]
    swapping, plain = (trainer(kind, optimizer=optimizer) for optimizer in optimizers)
    data = {"validation_data": (X, Y)}
    seen = fit(swapping, 3, callbacks=[keras.callbacks.SwapEMAWeights()], **data)["loss"]
    np.testing.assert_allclose(seen, fit(plain, 3, **data)["loss"], rtol=0.05)
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, swapping.trainable_variables))


# ---- constraints ---------------------------------------------------------------------------------


def _constrained(kind, constraint):
    """The kernel after a fit that pushes against the constraint, and one column's rounding."""
    algorithm = trainer(kind, network(constraint), keras.optimizers.SGD(0.5), eagerly=False)
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


@situation
def non_negative(kind, _):
    kernel, _ = _constrained(kind, keras.constraints.NonNeg())
    assert kernel.min() == 0.0


@situation
def largest_norm(kind, _):
    kernel, step = _constrained(kind, keras.constraints.MaxNorm(0.5))
    assert np.linalg.norm(kernel, axis=0).max() <= 0.5 + 1e-6 + 2 * step


@situation
def unit_norm(kind, _):
    kernel, step = _constrained(kind, keras.constraints.UnitNorm())
    np.testing.assert_allclose(np.linalg.norm(kernel, axis=0), 1.0, atol=1e-5 + 2 * step)


@situation
def norm_from_to(kind, _):
    kernel, step = _constrained(kind, keras.constraints.MinMaxNorm(0.4, 0.6))
    norms = np.linalg.norm(kernel, axis=0)
    assert norms.min() >= 0.4 - 1e-5 - 2 * step and norms.max() <= 0.6 + 1e-5 + 2 * step


# ---- what is trained, and with what --------------------------------------------------------------


@situation
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


@situation
def a_frozen_layer(kind, _):
    model = network()
    model.layers[0].trainable = False
    before = model.layers[0].get_weights()
    algorithm = trainer(kind, model)
    losses = fit(algorithm, 4)["loss"]
    assert losses[-1] < losses[0]
    for got, want in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(got, want)


@situation
def all_frozen(kind, _):
    model = network()
    model.trainable = False
    fit(trainer(kind, model))


@situation
def no_samples(kind, _):
    fit(trainer(kind), x=X[:0], y=Y[:0])


@situation
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


@situation
def under_xla(kind, _):
    compiled, plain = (
        trainer(kind, eagerly=False, jit_compile=jit_compile) for jit_compile in (True, False)
    )
    with warnings.catch_warnings():
        losses = [fit(each, 1)["loss"] for each in (compiled, plain)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, compiled.trainable_variables))
