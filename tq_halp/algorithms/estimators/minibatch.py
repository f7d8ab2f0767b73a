"""The plain minibatch gradient, as in SGD."""

import keras

from tq_halp.algorithms.part import Batch, Estimator, Step


@keras.saving.register_keras_serializable(package="tq_halp")
class Minibatch(Estimator):
    """v = ∇f_i(w), the gradient of one minibatch's mean loss: unbiased, one gradient a step."""

    def gradient(self, batch: Batch) -> Step:
        return self.trainer.minibatch_gradient(batch)
