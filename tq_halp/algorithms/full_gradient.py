"""The exact gradient of the whole training objective, one pass over the data."""

import keras
import tensorflow as tf

from tq_halp.algorithms.gradient import batch_size_of, gradients_at, loss_scale


class FullGradient:
    """g̃ = (1/N) Σ_b n_b ∇f_b(w): the mean over *samples*, so a short last batch counts its share.

    Args:
        model: a compiled ``keras.Model``.
        totals: variables to hold the result, one per trainable variable, with their shapes.
        carried: the ``CarriedStates`` of the model; they are what the pass leaves.
        locked_draws: ``locked_draws(x)`` are the key of a minibatch and the draws of its pass.
    """

    def __init__(self, model, totals, carried, locked_draws):
        self._model, self._totals = model, totals
        self._carried, self._locked_draws = carried, locked_draws
        self._gradient_function = (
            self._gradient
            if model.run_eagerly
            else tf.function(self._gradient, reduce_retracing=True)
        )

    def _gradient(self, values, x, y, sample_weight):
        key, draws = self._locked_draws(x)
        states = self._carried.mapping()
        gradients = gradients_at(self._model, values, x, y, sample_weight, draws, states)
        return batch_size_of(x), key, *gradients

    def of_batch(self, variables, x, y, sample_weight):
        """Gradient of one minibatch, scaled as the optimizer wants it, where the variables are.

        Returns:
            Number of samples, key of the minibatch, gradients, and states that RNNs are left in.
        """
        values = [tf.convert_to_tensor(variable.value) for variable in variables]
        return self._gradient_function(values, x, y, sample_weight)

    def compute(self, batches, verbose=False):
        """Pass over ``batches`` once, leaving g̃ in the totals.

        Returns:
            Number of samples, number of batches, and the set of the batches' keys.

        Raises:
            ValueError: there was no batch.
        """
        for total in self._totals:
            total.assign(tf.zeros_like(total.value))
        bar = (
            keras.utils.Progbar(batches.batch_count, unit_name="full gradient") if verbose else None
        )
        variables = self._model.trainable_variables
        samples, steps, keys = 0, 0, set()
        for x, y, sample_weight in batches:
            count, key, gradients, states = self.of_batch(variables, x, y, sample_weight)
            self._carried.carry(states)
            for total, gradient in zip(self._totals, gradients, strict=True):
                total.assign_add(gradient * tf.cast(count, gradient.dtype))
            samples += int(count)
            keys.add(int(key))
            steps += 1
            if bar:
                bar.update(steps, finalize=False)
        if steps == 0:
            raise ValueError("The full gradient needs at least one batch; the data has none.")
        if bar:
            bar.update(steps, finalize=True)
        scale = loss_scale(self._model.optimizer)
        for total in self._totals:
            total.assign(total.value / tf.cast(samples, total.dtype))
            if scale is not None:
                total.assign(total.value / tf.cast(scale, total.dtype))
        return samples, steps, keys
