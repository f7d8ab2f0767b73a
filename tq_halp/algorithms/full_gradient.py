"""``FullGradient``: the exact gradient of the training objective, in one pass over the data."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import quant_ops
from tq_halp.algorithms.batches import Batches, BatchesPart, no_samples
from tq_halp.algorithms.compensated_sum import ExactSums
from tq_halp.algorithms.minibatch_gradient import (
    Gradient,
    after,
    batch_size_of,
    dense,
    gradients_at,
    loss_scale,
    widened,
)
from tq_halp.algorithms.non_finite_data import check_finite_data
from tq_halp.algorithms.rnn_states import RnnStates


class FullGradient:
    """g̃ = (1/N) Σ_b n_b ∇f_b(w), for minibatches b of n_b samples, N in all.

    It is the mean over samples: a short last minibatch counts less than the others.

    Args:
        model: a ``Trainer``, compiled.
        totals: variables for g̃, one for each trainable variable, of its shape and dtype.
        spare: variables like these, which a pass may overwrite.
        rnn_states: the ``RnnStates`` of the model.
        locked_draws: a function of x that returns a minibatch's key and the ``draws`` of a pass
            over it (see ``gradients_at``).
    """

    def __init__(
        self,
        model: keras.Model,
        totals: list[keras.Variable],
        spare: list[keras.Variable],
        rnn_states: RnnStates,
        locked_draws: Callable[[Any], tuple[tf.Tensor, list]],
    ):
        self._model, self._totals, self._sums = model, totals, ExactSums(totals, spare)
        self._rnn_states, self._locked_draws = rnn_states, locked_draws
        if not model.run_eagerly:
            # Compiled as the step is: under XLA the same seed draws other masks than without.
            compiled = tf.function(
                reduce_retracing=True, jit_compile=model.jit_compile or None, autograph=False
            )
            for name in ("_gradient", "_accumulate", "_squares"):
                setattr(self, name, compiled(getattr(self, name)))

    def _gradient(
        self, values: Sequence[tf.Tensor], x: Any, y: Any, sample_weight: Any
    ) -> tuple[tf.Tensor, list[Gradient], list[tf.Tensor]]:
        """A minibatch's key, its gradient at ``values``, and the states of RNNs after the pass."""
        key, draws = self._locked_draws(x)
        states = self._rnn_states.mapping()
        # This graph is never saved, so it may use the native ops.
        with quant_ops.forced(quant_ops.backend()):
            gradients, states_after = gradients_at(
                self._model, values, x, y, sample_weight, draws, states
            )
        return key, gradients, states_after

    def squared_norm(self, terms: Iterable[tuple[Sequence[float], list, tuple]]) -> float:
        """‖Σ_k a_k ∇f_k(w_k)‖² over all variables, multiplied by the square of the loss scale.

        The gradients are computed one after the other: only their sum is kept in memory.

        Args:
            terms: for each k (a, w, (x, y, sample_weight)): a number for each variable, variables
                with the values at which to take the gradient, a minibatch.
        """
        terms = [
            (tf.constant(a), [tf.convert_to_tensor(variable.value) for variable in w], batch)
            for a, w, batch in terms
        ]
        return sum(float(square) for square in self._squares(terms))

    def _squares(self, terms: list) -> list[tf.Tensor]:
        """‖·‖² of the sum, for each variable."""
        totals: Any = None
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

    def _accumulate(
        self, x: Any, y: Any, sample_weight: Any, unit: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Sums += n_b / unit · ∇f_b(w); returns n_b and the minibatch's key."""
        values = [variable.value for variable in self._model.trainable_variables]
        count = batch_size_of(x)
        key, gradients, states = self._gradient(values, x, y, sample_weight)
        self._rnn_states.carry(states)
        self._sums.add(gradients, tf.cast(count, tf.float64) / tf.cast(unit, tf.float64))
        return count, key

    def compute(
        self, batches: Batches | BatchesPart, verbose: bool = False
    ) -> tuple[int, int, set[int]]:
        """Computes g̃ at the current weights and sets the totals to it.

        If it overflows under the loss scale of a ``LossScaleOptimizer``, the scale is halved and
        the pass repeated, as Keras does with a step that overflows.

        Args:
            batches: the data.
            verbose: whether to show a progress bar.

        Returns:
            Number of samples N, number of minibatches, and the set of their keys.

        Raises:
            InputError: there was no minibatch, or the data hold a number that is not finite.
            FloatingPointError: g̃ is not finite although the data are.
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

    def _pass(self, batches: Batches | BatchesPart, verbose: bool) -> tuple[int, int, set[int]]:
        self._sums.start()
        bar = (
            keras.utils.Progbar(batches.batch_count, unit_name="full gradient") if verbose else None
        )
        samples, steps, unit = 0, 0, None
        keys: set[int] = set()
        for x, y, sample_weight in batches:
            unit = batch_size_of(x) if unit is None else unit
            count, key = self._accumulate(x, y, sample_weight, unit)
            samples += int(count)
            keys.add(int(key))
            steps += 1
            if bar:
                bar.update(steps, finalize=False)
        if steps == 0 or unit is None:
            raise no_samples()
        if bar:
            bar.update(steps, finalize=True)
        scale = loss_scale(self._model.optimizer)
        self._sums.finish(int(unit) / samples / (1.0 if scale is None else float(scale)))
        return samples, steps, keys

    def norm(self) -> float:
        """‖g̃‖₂ over all variables, computed in float64."""
        squares = (tf.reduce_sum(tf.square(tf.cast(t.value, tf.float64))) for t in self._totals)
        return float(sum(map(float, squares)) ** 0.5)
