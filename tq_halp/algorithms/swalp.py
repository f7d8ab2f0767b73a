"""SWALP: the average of low-precision iterates, a baseline below LP-SGD's floor.

Yang et al., *SWALP: Stochastic Weight Averaging in Low-Precision Training*, arXiv 1904.11943:

    w_t = Q(w_{t−1} − α ∇f_i(w_{t−1}))          LP-SGD, on a fixed grid
    w̄   = mean of w_t over t = S+c, S+2c, ...    in floating point

Rounding errors are unbiased and average out, where the iterate itself keeps them.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.sgd import LowPrecisionSGD


@keras.saving.register_keras_serializable(package="tq_halp")
class SWALP(LowPrecisionSGD):
    """Low-precision SGD whose result is the average of its iterates.

    The model holds the iterate while it trains, the average in validations during ``fit`` and after
    it. Statistics of BatchNormalization are those of the iterates. Another ``fit`` begins at the
    average, rounded to the grid, and averages anew.

    Args:
        model: any Keras model.
        format: of the iterates; one that does not move, its name or its mapping.
        average_after: S, the number of steps that are left out.
        average_every: c, steps from one averaged iterate to the next.
        rounding: of the update; default "stochastic".
        seed: key of the random bits.

    Raises:
        ValueError: an argument is not one of the above.
    """

    def __init__(self, model, format, *, average_after=0, average_every=1, **kwargs):
        for name, value, least in (
            ("average_after", average_after, 0),
            ("average_every", average_every, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be an integer from {least}. Received: {value!r}")
        self.average_after, self.average_every = average_after, average_every
        super().__init__(model, format, **kwargs)
        self._iterate = None

    def create_state(self):
        super().create_state()
        self.average = self._like_weights("average")
        self.average_count = self._zeros("average_count")

    def get_config(self):
        own = {"average_after": self.average_after, "average_every": self.average_every}
        return {**super().get_config(), **own}

    def train_step(self, data):
        logs = super().train_step(data)
        late = self.step_count.value - self.average_after
        counts = (late > 0) & (late % self.average_every == 0)
        self.average_count.assign_add(tf.cast(counts, tf.int64))
        share = tf.cast(counts, tf.float64) / tf.cast(tf.maximum(self.average_count, 1), tf.float64)
        for average, variable in zip(self.average, self.trainable_variables, strict=True):
            change = variable.value - average.value
            average.assign_add(tf.cast(share, average.dtype) * change)
        return logs

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self.average_count.assign(0)

    def before_evaluation(self):
        self._iterate = [tf.identity(variable.value) for variable in self.trainable_variables]
        self.on_fit_end()

    def after_evaluation(self):
        for variable, value in zip(self.trainable_variables, self._iterate, strict=True):
            variable.assign(value)
        self._iterate = None

    def on_fit_end(self):
        if int(self.average_count) > 0:
            for variable, average in zip(self.trainable_variables, self.average, strict=True):
                variable.assign(average.value)
