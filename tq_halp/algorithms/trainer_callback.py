"""The Keras callback that tells a trainer when training and epochs begin and end."""

from typing import Any

import keras

from tq_halp.algorithms.checks import check_names


class TrainerCallback(keras.callbacks.Callback):
    """Calls the trainer's ``loop``, and adds the parts' diagnostics to the logs of an epoch.

    It is the first of the callbacks, so all others (History, CSVLogger, ...) see the diagnostics.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.model.loop.on_fit_begin(verbose=self.params.get("verbose", 0) in (1, "auto"))

    def on_train_end(self, logs: dict | None = None) -> None:
        self.model.loop.on_fit_end()

    def on_test_begin(self, logs: dict | None = None) -> None:
        # The validation of an epoch comes before its end.
        self.model.loop.on_epoch_end()
        self.model.show_result()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.model.fit_data.note_epoch_begin()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.model.loop.on_epoch_end()
        self.model.fit_data.note_epoch_end()
        if logs is not None:
            diagnostics = self.model.loop.diagnostics()
            check_names(logs, diagnostics, type(self.model).__name__)
            logs.update(diagnostics)
        self.model.show_result()


def with_callback(callbacks: Any) -> Any:
    """The argument ``callbacks`` of ``fit`` with a ``TrainerCallback`` in it, first if it can be.

    Args:
        callbacks: None, a callback, a list of them, or a ``CallbackList``, to which it is appended.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(TrainerCallback())
        return callbacks
    return [TrainerCallback(), *keras.tree.flatten(callbacks or [])]
