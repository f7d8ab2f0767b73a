"""SWALP: the average of low-precision iterates, a baseline below LP-SGD's floor.

Yang et al., *SWALP: Stochastic Weight Averaging in Low-Precision Training*, arXiv 1904.11943:

    w_t = Q(w_{t−1} − α ∇f_i(w_{t−1}))          LP-SGD, on a fixed grid
    w̄   = mean of w_t over t = S+c, S+2c, ...    in floating point

Rounding errors are unbiased and average out, where the iterate itself keeps them.
"""

import functools

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.constraints import constrained
from tq_halp.algorithms.inner_optimizer import uses_ema
from tq_halp.algorithms.sgd import LowPrecisionSGD
from tq_halp.errors import InputError


def _of_result(method):
    """A method of a Keras model, called when the model holds the result."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        self.show_result()
        return method(self, *args, **kwargs)

    return call


@keras.saving.register_keras_serializable(package="tq_halp")
class SWALP(LowPrecisionSGD):
    """Low-precision SGD whose result is the average of its iterates.

    The model holds the iterate during a step and until somebody asks for the result: a validation,
    the callbacks at the end of an epoch, the end of ``fit``, ``evaluate``, ``predict``, ``save``,
    ``save_weights``, ``export``. These see the average, and the next step goes on with the iterate.
    A constraint of a weight holds for the average as well. Statistics of BatchNormalization are
    those of the iterates. Another ``fit`` begins at the average, rounded to the grid, and averages
    anew.

    Args:
        model: any Keras model.
        format: of the iterates; one that does not move, its name or its mapping.
        average_after: S, the number of steps that are left out.
        average_every: c, steps from one averaged iterate to the next.
        rounding: of the update; default "stochastic".
        seed: key of the random bits.

    Raises:
        ValueError: an argument is not one of the above; in ``fit``, the optimizer has ``use_ema``,
            whose average this one would overwrite.
    """

    def __init__(self, model, format, *, average_after=0, average_every=1, **kwargs):
        for name, value, least in (
            ("average_after", average_after, 0),
            ("average_every", average_every, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InputError(f"{name} must be an integer from {least}. Received: {value!r}")
        self.average_after, self.average_every = average_after, average_every
        super().__init__(model, format, **kwargs)

    def create_state(self):
        super().create_state()
        self.average = self._like_weights("average", wide=True)
        self.average_count = self._zeros("average_count")
        self.iterate = self._like_weights("iterate")
        self.shows_average = self._zeros("shows_average")

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
            change = tf.cast(variable.value, average.dtype) - average.value
            average.assign_add(tf.cast(share, average.dtype) * change)
        return logs

    def check_setting(self):
        super().check_setting()
        if uses_ema(self.optimizer):
            raise InputError(
                "use_ema of the optimizer must be False for SWALP, whose result is an average of "
                "the iterates already. Received: True"
            )

    def on_fit_begin(self, verbose):
        super().on_fit_begin(verbose)
        self.average_count.assign(0)
        self.shows_average.assign(0)

    def on_fit_end(self):
        super().on_fit_end()
        self.show_result()

    # ---- the iterate or the average ----------------------------------------------------------

    def show_result(self):
        if not self._has_state or int(self.average_count) == 0 or int(self.shows_average):
            return
        self.check_setting()
        for variable, iterate, average in zip(
            self.trainable_variables, self.iterate, self.average, strict=True
        ):
            iterate.assign(variable.value)
            variable.assign(_shown(variable, average))
        self.shows_average.assign(1)

    def before_step(self):
        super().before_step()
        if int(self.shows_average):
            self.check_setting()
            self.shows_average.assign(0)
            self._go_on()

    def _go_on(self):
        """Puts the iterate back, but where somebody has set the weight in the meantime."""
        for variable, iterate, average in zip(
            self.trainable_variables, self.iterate, self.average, strict=True
        ):
            if np.array_equal(variable.numpy(), _shown(variable, average).numpy()):
                variable.assign(iterate.value)

    def iterate_variables(self):
        return self.iterate if int(self.shows_average) else super().iterate_variables()

    evaluate, predict = map(_of_result, (keras.Model.evaluate, keras.Model.predict))
    test_on_batch = _of_result(keras.Model.test_on_batch)
    predict_on_batch = _of_result(keras.Model.predict_on_batch)
    save, save_weights = map(_of_result, (keras.Model.save, keras.Model.save_weights))


def _shown(variable, average):
    """The average as the weight can hold it."""
    return tf.cast(constrained(variable, average.value), variable.dtype)
