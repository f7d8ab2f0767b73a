"""The exact gradient of the whole training objective, one pass over the data."""

import keras
import numpy as np
import tensorflow as tf

import quant_ops
from tq_halp.algorithms.batches import no_samples
from tq_halp.algorithms.compensated_sum import ExactSums
from tq_halp.algorithms.minibatch_gradient import (
    after,
    batch_size_of,
    dense,
    gradients_at,
    loss_scale,
    widened,
)
from tq_halp.algorithms.non_finite_data import check_finite_data


class FullGradient:
    """g̃ = (1/N) Σ_b n_b ∇f_b(w): the mean over *samples*, so a short last batch counts its share.

    Args:
        model: a compiled ``keras.Model``.
        totals: variables to hold the result, one per trainable variable, with their shapes.
        spare: variables like these, which a pass may overwrite.
        rnn_states: the ``RnnStates`` of the model; they are what the pass leaves.
        locked_draws: ``locked_draws(x)`` are the key of a minibatch and the draws of its pass.
    """

    def __init__(self, model, totals, spare, rnn_states, locked_draws):
        self._model, self._totals, self._sums = model, totals, ExactSums(totals, spare)
        self._rnn_states, self._locked_draws = rnn_states, locked_draws
        if not model.run_eagerly:
            # As the step is compiled: the same seed draws other masks under XLA than without.
            compiled = tf.function(reduce_retracing=True, jit_compile=model.jit_compile or None)
            self._gradient, self._accumulate = compiled(self._gradient), compiled(self._accumulate)
            self._squares = compiled(self._squares)

    def _gradient(self, values, x, y, sample_weight):
        key, draws = self._locked_draws(x)
        states = self._rnn_states.mapping()
        with quant_ops.forced(quant_ops.backend()):  # the fast ops: nobody saves this graph
            gradients, states = gradients_at(
                self._model, values, x, y, sample_weight, draws, states
            )
        return key, gradients, states

    def squared_norm(self, terms):
        """‖Σ a · ∇f_b(w)‖², a float, of a few minibatches; the loss scale is left in.

        One gradient comes after the other, so that there is one sum of them in memory.

        Args:
            terms: (a, w, (x, y, sample_weight)), with floats a for each of the variables w.
        """
        terms = [
            (tf.constant(a), [tf.convert_to_tensor(variable.value) for variable in w], batch)
            for a, w, batch in terms
        ]
        return sum(float(square) for square in self._squares(terms))

    def _squares(self, terms):
        totals = None
        for factors, values, (x, y, sample_weight) in terms:
            x = after(totals, x)
            gradients = self._gradient(values, x, y, sample_weight)[1]
            shares = [
                tf.cast(factor, value.dtype) * dense(gradient, value)
                for factor, gradient, value in zip(
                    tf.unstack(factors), gradients, values, strict=True
                )
            ]
            add = [totals, shares] if totals else [shares]
            totals = [tf.add_n(list(parts)) for parts in zip(*add, strict=True)]
        return [tf.reduce_sum(tf.square(widened(total))) for total in totals]

    def _accumulate(self, x, y, sample_weight, unit):
        """Sums += n_b / unit · ∇f_b(w); returns n_b and the minibatch's key."""
        values = [variable.value for variable in self._model.trainable_variables]
        count = batch_size_of(x)
        key, gradients, states = self._gradient(values, x, y, sample_weight)
        self._rnn_states.carry(states)
        self._sums.add(gradients, tf.cast(count, tf.float64) / tf.cast(unit, tf.float64))
        return count, key

    def compute(self, batches, verbose=False):
        """Pass over ``batches`` once, leaving g̃ in the totals.

        Where it overflows under the loss scale of a ``LossScaleOptimizer``, that is halved and the
        pass repeated, which is what becomes of such a step.

        Returns:
            Number of samples, number of batches, and the set of the batches' keys.

        Raises:
            InputError: there was no batch, or the data hold a number that is not finite.
            FloatingPointError: the gradient is not finite.
        """
        optimizer = self._model.optimizer
        while True:
            self._rnn_states.start()
            seen = self._pass(batches, verbose)
            self._rnn_states.start()
            scale, norm = loss_scale(optimizer), self.norm()
            if np.isfinite(norm):
                return seen
            is_dynamic = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
            if not is_dynamic or scale is None or scale <= 1:
                check_finite_data(batches)
                raise FloatingPointError(
                    f"The full gradient's norm is {norm} after step {int(optimizer.iterations)}: "
                    "training has diverged. Lower the learning rate, clip the gradient "
                    "(global_clipnorm), or use more bits."
                )
            optimizer.dynamic_scale.assign(scale / 2)

    def _pass(self, batches, verbose):
        self._sums.start()
        bar = (
            keras.utils.Progbar(batches.batch_count, unit_name="full gradient") if verbose else None
        )
        samples, steps, keys, unit = 0, 0, set(), None
        for x, y, sample_weight in batches:
            unit = batch_size_of(x) if unit is None else unit
            count, key = self._accumulate(x, y, sample_weight, unit)
            samples += int(count)
            keys.add(int(key))
            steps += 1
            if bar:
                bar.update(steps, finalize=False)
        if steps == 0:
            raise no_samples()
        if bar:
            bar.update(steps, finalize=True)
        scale = loss_scale(self._model.optimizer)
        self._sums.finish(int(unit) / samples / (1.0 if scale is None else float(scale)))
        return samples, steps, keys

    def norm(self):
        """‖g̃‖₂ over all variables, a float."""
        squares = (tf.reduce_sum(tf.square(tf.cast(t.value, tf.float64))) for t in self._totals)
        return float(sum(map(float, squares)) ** 0.5)
