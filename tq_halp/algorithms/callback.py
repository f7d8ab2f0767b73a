"""The Keras callback that tells a trainer when training and epochs begin and end."""

import keras

from tq_halp.algorithms.checks import check_names


class TrainerCallback(keras.callbacks.Callback):
    """Calls the trainer's loop, and adds the parts' diagnostics to the epoch's logs.

    It comes first in the list, so every other callback (History, CSVLogger, ...) sees the numbers.
    """

    def on_train_begin(self, logs=None):
        self.model.loop.on_fit_begin(verbose=self.params.get("verbose", 0) in (1, "auto"))

    def on_train_end(self, logs=None):
        self.model.loop.on_fit_end()

    def on_test_begin(self, logs=None):
        self.model.loop.on_epoch_end()
        self.model.show_result()

    def on_epoch_begin(self, epoch, logs=None):
        self.model.fit_data.note_epoch_begin()

    def on_epoch_end(self, epoch, logs=None):
        self.model.loop.on_epoch_end()
        self.model.fit_data.note_epoch_end()
        if logs is not None:
            diagnostics = self.model.loop.diagnostics()
            check_names(logs, diagnostics, type(self.model).__name__)
            logs.update(diagnostics)
        self.model.show_result()


def with_callback(callbacks):
    """Those of ``fit`` with the trainer's first: a list of callbacks, or a ``CallbackList``."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(TrainerCallback())
        return callbacks
    return [TrainerCallback(), *keras.tree.flatten(callbacks or [])]
