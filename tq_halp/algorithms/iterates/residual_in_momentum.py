"""``ResidualInMomentum``: error feedback without memory of its own, ECO (arXiv 2601.22101).

The error e = u − w of a rounding goes into the optimizer's momentum, in such a size that what the
later steps make of it adds up to e. With Keras' variables (β: momentum or beta_1):

    SGD        V ← βV − αg, w ← w + V             V += (1/β − 1) e          Σ_(j≥1) β^j = β/(1−β)
    Nesterov   V ← βV − αg, w ← w + βV − αg       V += (1−β)/β² e           Σ_(j≥2) β^j = β²/(1−β)
    Adam(W)    w ← w − α_t m / (√v + ε)           m += −(1/β − 1) (√v + ε)/α_t e

α_t = α √(1−β₂^t)/(1−β^t) and α are those of the next step, v is the present one (of ``amsgrad`` its
largest). They change while e fades, so with Adam the sum is e only about. Where α_t = 0 no later
step would bring e back, and m stays as it is.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.inner_optimizer import optimizer_of, optimizers, rounds_slots
from tq_halp.algorithms.iterates.error_feedback import ErrorFeedback
from tq_halp.errors import InputError
from tq_halp.keras_internals.optimizers import adam_moments, sgd_velocity

_VALID = (
    "a keras.optimizers.SGD with a momentum above 0 and below 1, or Adam or AdamW with beta_1 "
    "above 0"
)


class ResidualInMomentum(ErrorFeedback):
    """e goes into the momentum of the optimizer that moves the weight."""

    def check_setting(self) -> None:
        if not self.trainer.compiled:
            return  # Keras says so.
        optimizer = self.trainer.optimizer
        if rounds_slots(optimizer):
            raise InputError(
                "error_feedback must not be 'momentum' beside an optimizer whose slots are in a "
                f"number format, to which the residual would be rounded. Received: {optimizer.name}"
            )
        if not optimizer.built:
            # A MultiOptimizer divides the weights only now.
            optimizer.build(self.weights)
        for each in optimizers(optimizer):
            if not 0 < _momentum(each) < 1:
                raise InputError(
                    f"error_feedback='momentum' needs {_VALID}; error_feedback='exact' and bits go "
                    f"with any optimizer. Received: {_described(each)}"
                )

    def keep(self, index: int, moved: tf.Tensor, rounded: tf.Tensor) -> None:
        variable = self.weights[index]
        optimizer = optimizer_of(self.trainer.optimizer, variable)
        error = self.error(moved, rounded)
        if _is_sgd(optimizer):
            sgd_velocity(optimizer, variable).assign_add(_sgd_factor(optimizer) * error)
        else:
            _add_to_adam(optimizer, variable, error)


def _is_sgd(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether it steps as Keras' SGD: a class of the user's own may step in another way."""
    return type(optimizer).update_step is keras.optimizers.SGD.update_step


def _is_adam(optimizer: keras.optimizers.Optimizer) -> bool:
    return type(optimizer).update_step is keras.optimizers.Adam.update_step


def _momentum(optimizer: keras.optimizers.Optimizer) -> float:
    """β; 0 for optimizers without a momentum, and for those of which it is not known."""
    if _is_sgd(optimizer):
        return float(optimizer.momentum)
    return float(optimizer.beta_1) if _is_adam(optimizer) else 0.0


def _described(optimizer: keras.optimizers.Optimizer) -> str:
    name = type(optimizer).__name__
    if _is_sgd(optimizer):
        return f"{name} with momentum {optimizer.momentum}"
    return f"{name} with beta_1 {optimizer.beta_1}" if _is_adam(optimizer) else name


def _sgd_factor(optimizer: keras.optimizers.SGD) -> float:
    beta = float(optimizer.momentum)
    return (1 - beta) / (beta**2 if optimizer.nesterov else beta)


def _add_to_adam(
    optimizer: keras.optimizers.Adam, variable: keras.Variable, error: tf.Tensor
) -> None:
    first, second = adam_moments(optimizer, variable)
    beta = float(optimizer.beta_1)
    # As Keras computes them in its step, in the weight's dtype.
    rate = tf.cast(tf.convert_to_tensor(optimizer.learning_rate), error.dtype)
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations), error.dtype) + 1
    powers = [tf.pow(tf.cast(each, error.dtype), step) for each in (beta, optimizer.beta_2)]
    alpha = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
    size = tf.sqrt(second.value) + optimizer.epsilon
    first.assign_sub(tf.math.divide_no_nan((1 / beta - 1) * size * error, alpha))
