"""The exact gradient of the whole training objective, one pass over the data."""

import keras
import tensorflow as tf

from tq_halp.algorithms.gradient import batch_size_of, gradients_at


class FullGradient:
    """g̃ = (1/N) Σ_b n_b ∇f_b(w): the mean over *samples*, so a short last batch counts its share.

    Args:
        model: a compiled ``keras.Model``.
        totals: variables to hold the result, one per trainable variable, with their shapes.
    """

    def __init__(self, model, totals):
        self._model = model
        self._totals = totals
        self._add_batch_function = (
            self._add_batch
            if model.run_eagerly
            else tf.function(self._add_batch, reduce_retracing=True)
        )

    def _add_batch(self, x, y, sample_weight):
        count = batch_size_of(x)
        values = [variable.value for variable in self._model.trainable_variables]
        gradients = gradients_at(self._model, values, x, y, sample_weight)
        for total, gradient in zip(self._totals, gradients, strict=True):
            total.assign_add(gradient * tf.cast(count, gradient.dtype))
        return count

    def compute(self, batches, verbose=False):
        """Pass over ``batches`` once, leaving g̃ in the totals.

        Returns:
            (number of samples, number of batches) seen.

        Raises:
            ValueError: there was no batch.
        """
        for total in self._totals:
            total.assign(tf.zeros_like(total.value))
        bar = (
            keras.utils.Progbar(batches.batch_count, unit_name="full gradient") if verbose else None
        )
        samples = steps = 0
        for x, y, sample_weight in batches:
            samples += int(self._add_batch_function(x, y, sample_weight))
            steps += 1
            if bar:
                bar.update(steps, finalize=False)
        if steps == 0:
            raise ValueError("The full gradient needs at least one batch; the data has none.")
        if bar:
            bar.update(steps, finalize=True)
        for total in self._totals:
            total.assign(total.value / tf.cast(samples, total.dtype))
        return samples, steps
