"""Sums of many gradients that are right to the last bits, in variables of the gradients' size.

Added up one after the other, n numbers of a dtype with the unit roundoff u are off by up to n u of
the sum of their magnitudes: in bfloat16 a sum of ones ends at 256. Beside the sum s stands here
what rounding it has lost, c, which is exact for each addition (Knuth's TwoSum; cascaded as in
Ogita, Rump & Oishi, *Accurate Sum and Dot Product*, SIAM J. Sci. Comput. 26 (6), 2005, Sum2):

    s' = s + x        b = s' − s        c' = c + ((s − (s' − b)) + (x − b))

s + c is off by n u² of the sum of the magnitudes: for 10⁶ numbers by less than a tenth of a unit in
the last place of float32, in which float16 and bfloat16 are added up.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.minibatch_gradient import wide_dtype


class ExactSums:
    """Σ a x of tensors for each of several variables.

    Args:
        results: variables of the shapes and dtypes of the sums. In those of float32 and float64 the
            sum is taken; the others get it at the end.
        spare: variables like these, whose contents are not needed: there is the correction.
    """

    def __init__(self, results: list[keras.Variable], spare: list[keras.Variable]):
        self._results = results
        self._pairs = [_pair(*both) for both in zip(results, spare, strict=True)]

    def start(self) -> None:
        """The sums are zero again."""
        for pair in self._pairs:
            for variable in pair:
                variable.assign(tf.zeros_like(variable))

    def add(self, terms: list, factor: tf.Tensor) -> None:
        """Adds ``factor`` times each term: a tensor, or an embedding's rows, each row once."""
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
        """Leaves ``factor`` times the sums in the results, rounded once."""
        for (total, lost), result in zip(self._pairs, self._results, strict=True):
            exact = tf.cast(total, tf.float64) + tf.cast(lost, tf.float64)
            result.assign(tf.cast(exact * factor, result.dtype))


def _pair(result, spare):
    """The ``tf.Variable`` of the sum and that of the correction."""
    dtype = wide_dtype(result.dtype)
    if dtype == result.dtype:
        return result.value, spare.value
    zeros = tf.zeros(result.shape, dtype)
    return tf.Variable(zeros, trainable=False), tf.Variable(zeros, trainable=False)


def _added(total, lost, term, factor):
    """The sum and the correction with ``factor`` times ``term``."""
    term = tf.cast(term, total.dtype)

    def scaled():
        exact = factor * tf.cast(term, tf.float64)
        product = tf.cast(exact, term.dtype)
        rest = tf.cast(exact - tf.cast(product, tf.float64), term.dtype)
        return _two_sum(total, lost + rest, product)

    # Of full minibatches the factor is 1.
    return tf.cond(factor == 1.0, lambda: _two_sum(total, lost, term), scaled)


def _two_sum(total, lost, term):
    added = total + term
    seen = added - total
    return added, lost + ((total - (added - seen)) + (term - seen))
