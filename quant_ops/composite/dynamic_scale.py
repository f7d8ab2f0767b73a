"""The scale at which a tensor just fits a scaled integer."""

import tensorflow as tf


def dynamic_scale(x: tf.Tensor, largest_code: int) -> tf.Tensor:
    """max |x_j| / `largest_code` over the finite elements, a scalar of x's dtype; 0 without any.

    So an infinity saturates, and a NaN affects no other element.
    """
    # At least 0, for the maximum of an empty tensor is -inf.
    largest = tf.maximum(_largest_finite(x), tf.zeros([], x.dtype))
    # The optimizer of graphs must not see a constant divisor: it would multiply by 1/divisor.
    code = tf.where(largest >= 0, tf.cast(largest_code, x.dtype), largest)
    return largest / code


def _largest_finite(x: tf.Tensor) -> tf.Tensor:
    # TensorFlow's maxima hand a NaN on. These two make no tensor of the size of x.
    largest = tf.maximum(tf.reduce_max(x), -tf.reduce_min(x))

    def of_finite() -> tf.Tensor:
        return tf.reduce_max(tf.where(tf.math.is_finite(x), tf.abs(x), tf.zeros_like(x)))

    return tf.cond(tf.math.is_finite(largest), lambda: largest, of_finite)
