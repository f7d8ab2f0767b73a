"""What an algorithm does between steps, as a Keras callback."""

import keras

from tq_halp.algorithms.checks import check_names


class AlgorithmCallback(keras.callbacks.Callback):
    """Starts and ends outer iterations and adds the algorithm's numbers to the epoch's logs.

    It comes first in the list, so every other callback (History, CSVLogger, ...) sees the numbers.
    """

    def on_train_begin(self, logs=None):
        self.model.on_fit_begin(verbose=self.params.get("verbose", 0) in (1, "auto"))

    def on_train_end(self, logs=None):
        self.model.on_fit_end()

    def on_test_begin(self, logs=None):
        self.model.end_of_epoch()
        self.model.show_result()

    def on_epoch_begin(self, epoch, logs=None):
        self.model.samples_before_epoch = int(self.model.sample_count)

    def on_epoch_end(self, epoch, logs=None):
        self.model.end_of_epoch()
        self.model.note_epoch(int(self.model.sample_count) - self.model.samples_before_epoch)
        if logs is not None:
            diagnostics = self.model.diagnostics()
            check_names(logs, diagnostics, type(self.model).__name__)
            logs.update(diagnostics)
        self.model.show_result()


def with_hooks(callbacks):
    """Those of ``fit`` with an algorithm's own: a list of callbacks, or a ``CallbackList``."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(AlgorithmCallback())
        return callbacks
    return [AlgorithmCallback(), *keras.tree.flatten(callbacks or [])]
