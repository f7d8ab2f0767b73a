"""``Minibatch``: the plain minibatch gradient of SGD."""

import keras

from tq_halp.algorithms.algorithm_part import Batch, Estimator, Step


@keras.saving.register_keras_serializable(package="tq_halp")
class Minibatch(Estimator):
    """v = ∇f_i(w), the gradient of one minibatch's mean loss. It is unbiased."""

    def gradient(self, batch: Batch) -> Step:
        return self.trainer.minibatch_gradient(batch)
