"""Every callback that saves or restores, and what is saved in other ways."""

import contract
import keras
import numpy as np
import pytest
import tensorflow as tf
from contract import ON_A_GRID, X, Y, assert_same_weights, fit, trainer


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


def checkpoints_of_batches(kind, tmp_path):
    """Saved in the middle of an epoch: the result so far; training is not disturbed by it."""
    undisturbed, algorithm = trainer(kind), trainer(kind)
    fit(undisturbed, 1)
    path = tmp_path / "step_{batch}.keras"
    fit(algorithm, 1, callbacks=[keras.callbacks.ModelCheckpoint(path, save_freq=2)])
    assert_same_weights(algorithm.model, undisturbed.model)
    saved = keras.models.load_model(tmp_path / "step_2.keras")
    want = _iterates(kind, 2)
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


def best_weights_restored(kind, _):
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True)
    algorithm, data, best = _validated(kind, [stopping])
    np.testing.assert_allclose(algorithm.evaluate(*data, verbose=0), best, rtol=1e-6)


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


def swapped_averages(kind, _):
    """SwapEMAWeights: validation sees the averages, and training goes on as without it."""
    optimizers = [keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5) for _ in range(2)]
    swapping, plain = (trainer(kind, optimizer=optimizer) for optimizer in optimizers)
    data = {"validation_data": (X, Y)}
    seen = fit(swapping, 3, callbacks=[keras.callbacks.SwapEMAWeights()], **data)["loss"]
    np.testing.assert_allclose(seen, fit(plain, 3, **data)["loss"], rtol=0.05)
    if kind in ON_A_GRID:
        assert all(map(contract.is_on_grid, swapping.trainable_variables))


def tensorflows_checkpoint(kind, tmp_path):
    """tf.train.Checkpoint (keras #15709): every variable, so that training goes on the same."""
    kept, other = trainer(kind), trainer(kind)
    fit(kept)
    path = tf.train.Checkpoint(trainer=kept).save(tmp_path / "checkpoint")
    other.optimizer.build(other.trainable_variables)
    tf.train.Checkpoint(trainer=other).restore(path).assert_consumed()
    assert_same_weights(other, kept)
    for each in (kept, other):
        fit(each)
    assert_same_weights(other, kept)
