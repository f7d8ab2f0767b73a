"""Compensated sums of many gradients: as accurate as sums in twice the precision.

A plain sum of n numbers has an error of up to n u Σ|x|, with u the unit roundoff of the dtype; in
bfloat16 a sum of ones stops at 256. A compensated sum has a correction c beside the sum s. It adds
to c what rounding s has lost, which each addition gives exactly (Knuth's TwoSum; Ogita, Rump &
Oishi, *Accurate Sum and Dot Product*, SIAM J. Sci. Comput. 26 (6), 2005, algorithm Sum2):

    s' = s + x        b = s' − s        c' = c + ((s − (s' − b)) + (x − b))

s + c has an error of about n u² Σ|x|: for 10⁶ numbers less than a tenth of a unit in the last place
of float32. Numbers in float16 and bfloat16 are added in float32.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.minibatch_gradient import wide_dtype


class ExactSums:
    """Σ a x for each of several variables, with tensors x and scalars a.

    Args:
        results: variables for the sums. Those in float32 and float64 hold s from the start; the
            others get the sum at the end.
        spare: variables of the same shapes and dtypes, which may be overwritten: they hold c.
    """

    def __init__(self, results: list[keras.Variable], spare: list[keras.Variable]):
        self._results = results
        self._pairs = [_pair(*both) for both in zip(results, spare, strict=True)]

    def start(self) -> None:
        """Sets all sums to zero."""
        for pair in self._pairs:
            for variable in pair:
                variable.assign(tf.zeros_like(variable))

    def add(self, terms: list, factor: tf.Tensor) -> None:
        """Adds ``factor`` times ``terms[i]`` to sum i.

        Args:
            terms: a dense tensor, or ``tf.IndexedSlices`` with each row once, for each sum.
            factor: a, a float64 scalar.
        """
        for (total, lost), term in zip(self._pairs, terms, strict=True):
            if isinstance(term, tf.IndexedSlices):
                rows = term.indices
                sums, losses = tf.gather(total, rows), tf.gather(lost, rows)
                sums, losses = _added(sums, losses, term.values, factor)
                total.scatter_update(tf.IndexedSlices(sums, rows))
                lost.scatter_update(tf.IndexedSlices(losses, rows))
            else:
                sums, losses = _added(total.read_value(), lost.read_value(), term, factor)
                total.assign(sums)
                lost.assign(losses)

    def finish(self, factor: float) -> None:
        """Sets each result to ``factor`` times its sum, rounded once."""
        for (total, lost), result in zip(self._pairs, self._results, strict=True):
            exact = tf.cast(total, tf.float64) + tf.cast(lost, tf.float64)
            result.assign(tf.cast(exact * factor, result.dtype))


def _pair(result: keras.Variable, spare: keras.Variable) -> tuple[tf.Variable, tf.Variable]:
    """The variables of s and of c."""
    dtype = wide_dtype(result.dtype)
    if dtype == result.dtype:
        return result.value, spare.value
    zeros = tf.zeros(result.shape, dtype)
    return tf.Variable(zeros, trainable=False), tf.Variable(zeros, trainable=False)


def _added(
    total: tf.Tensor, lost: tf.Tensor, term: tf.Tensor, factor: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """s and c after adding ``factor`` times ``term``."""
    term = tf.cast(term, total.dtype)

    def scaled() -> tuple[tf.Tensor, tf.Tensor]:
        exact = factor * tf.cast(term, tf.float64)
        product = tf.cast(exact, term.dtype)
        rest = tf.cast(exact - tf.cast(product, tf.float64), term.dtype)
        return _two_sum(total, lost + rest, product)

    # For full minibatches the factor is 1.
    return tf.cond(factor == 1.0, lambda: _two_sum(total, lost, term), scaled)


def _two_sum(total: tf.Tensor, lost: tf.Tensor, term: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """s and c after adding ``term``."""
    added = total + term
    seen = added - total
    return added, lost + ((total - (added - seen)) + (term - seen))
