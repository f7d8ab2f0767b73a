"""``GradientTable``: a variance-reduced gradient at the price of one minibatch gradient.

Fixed minibatches i = 1..n. T_i is the last gradient seen of minibatch i, T̄ = Σ_i n_i T_i / N their
mean over samples:

    first pass      v = g_i,                       T_i ← g_i
    after that      v = (g_i − a T_i) + a T̄,       T_i ← g_i          g_i = ∇f_i(w)

With "step" T̄ follows each step (SAGA; Defazio et al., NIPS 2014; for reshuffled minibatches Ying
et al., arXiv 1708.01383). With "epoch" T̄ changes after every pass over the minibatches only
(CentralVR; De & Goldstein, arXiv 1512.01708). A T_i is not needed again in the pass in which it was
used, so both keep one table.

The mean of a (T_i − T̄) is zero whatever the T_i are. So v is unbiased with masks drawn anew, and
with T_i that were rounded.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Batch, Estimator, Step, Zeros, like
from tq_halp.algorithms.checks import check_one_of
from tq_halp.algorithms.estimators import correction_coefficient as coefficients
from tq_halp.algorithms.gradient_tables import table_faults, table_rounding
from tq_halp.algorithms.gradient_tables.minibatch_numbers import Place
from tq_halp.algorithms.gradient_tables.table import Table
from tq_halp.algorithms.gradient_tables.table_arrays import TableArray
from tq_halp.algorithms.minibatch_gradient import (
    Gradient,
    batch_size_of,
    loss_scale,
    multiplied,
)
from tq_halp.algorithms.rnn_states import check_order
from tq_halp.algorithms.transform_locking import TransformLocking, key_of
from tq_halp.errors import InputError


@keras.saving.register_keras_serializable(package="tq_halp")
class GradientTable(Estimator):
    """v = (g_i − a T_i) + a T̄: one minibatch gradient a step, and no pass over the data.

    The training data must have the same minibatches in every epoch. ``fit`` shuffles arrays once,
    and whole minibatches from then on. The table takes the memory of n gradients.

    Args:
        update: when T̄ changes: after every "epoch", i.e. pass over the minibatches, or "step".
        coefficient: a, as for ``VarianceReduced``, but above 0.
        format: None: T_i is replaced by g_i. A number of bits b, or a format: T_i ← T_i +
            Q(g_i − T_i), where Q rounds stochastically; b bits have a scale of their own for each
            minibatch and variable. The differences shrink, so b bits do not limit how far training
            gets. T_i, their sum, is kept in the gradients' dtype: what is saved is what a step
            writes, not memory.
        draws: "locked": what the model draws at random (dropout masks, augmentation) is a function
            of the minibatch's contents, the number of the pass, and the seed. "fresh": each step
            draws anew.
        packed: keeps T_i ← Q(g_i) as b-bit numbers, b being ``format``: in 8 bits a quarter of the
            memory. Their rounding error stays, and limits how far training gets: the variance of v
            falls to about 2^−2b of that of g_i, not to zero.
        folder: keeps the table in files there instead of in memory; None for memory.

    Raises:
        InputError: an argument is not one of the above. In ``fit``: the table does not fit into
            memory, or onto the disk; the minibatches are not the same in every epoch.
    """

    gives_mean_gradient = outlives_fit = True
    named_as = {
        "update": "table",
        "format": "table_format",
        "packed": "table_packed",
        "folder": "table_folder",
    }

    table_mean: list[keras.Variable]
    table_visits: keras.Variable
    table_passes: keras.Variable
    table_is_full: keras.Variable
    table_fault: keras.Variable
    covariance: keras.Variable
    variance: keras.Variable

    def __init__(
        self,
        update: str = "epoch",
        coefficient: float | str | keras.optimizers.schedules.LearningRateSchedule = 1.0,
        format: int | formats.Format | str | Mapping | None = None,
        draws: str = "locked",
        packed: bool = False,
        folder: str | None = None,
    ):
        check_one_of("update", update, ("epoch", "step"))
        check_one_of("draws", draws, ("locked", "fresh"))
        check_one_of("packed", packed, (True, False))
        if folder is not None and not (isinstance(folder, str) and folder):
            raise InputError(f"folder must be the path of a folder or None. Received: {folder!r}")
        self.update, self.draws, self.packed, self.folder = update, draws, packed, folder
        self.coefficient = coefficients.checked(coefficient)
        if self.coefficient == 0.0:
            raise InputError(
                "coefficient must be above 0: with 0 a gradient table does nothing; use Minibatch"
            )
        self.format = table_rounding.checked_format(format, packed)

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self._quantizer = (
            None if self.format is None else table_rounding.quantizer(self.format, trainer.seed)
        )

    def state(self) -> dict[str, Any]:
        return {
            "table_mean": like(self.weights, wide=True),
            "table_visits": Zeros(),
            "table_passes": Zeros(),
            "table_is_full": Zeros(),
            "table_fault": Zeros(),
            **coefficients.state_of(self.coefficient, len(self.weights)),
        }

    def on_built(self) -> None:
        self._coefficient = coefficients.coefficient_of(self)
        self._locking = TransformLocking(self.trainer.model)
        packing = self._quantizer if self.packed else None
        self.table = Table(self.trainer, self.folder, packing)

    # ---- the table ---------------------------------------------------------------------------

    def on_data(self) -> None:
        """Makes room for the minibatches of the data, if the table is not theirs already."""
        batches = self.trainer.fit_data.batches
        if batches is None:
            raise table_faults.read_once(type(self.trainer).__name__)
        count, first = batches.counted(), next(iter(batches))
        table_faults.check_executions(count, self.trainer.steps_per_execution)
        key = int(_key_of(first[0], first[1]))
        if self.table.is_for(count, key, is_full=bool(int(self.table_is_full))):
            return
        self.table.make_room(count, first)
        for state in (self.table_visits, self.table_is_full, self.table_fault, *self.table_mean):
            state.assign(tf.zeros_like(state.value))

    def needs(self, count: int, first: Sequence[Any]) -> str | None:
        return f"gradient table: {self.table.size_for(count, first)}"

    def data_state(self) -> dict[str, TableArray]:
        return self.table.arrays()

    def load_data_state(self, stored: Mapping[str, Any]) -> None:
        self.table.load(stored)

    # ---- one step ----------------------------------------------------------------------------

    def gradient(self, batch: Batch) -> Step:
        trainer, key = self.trainer, _key_of(batch.x, batch.y)
        if self.draws == "locked":
            passes = self.table_passes.value
            for variable, value in self._locking.draws_for(key, passes, trainer.seed):
                variable.assign(value)
        is_full = self.table_is_full.value > 0
        samples = tf.cast(batch_size_of(batch.x), tf.int64)
        place = self.table.numbers.place(key, samples, ~is_full)
        step = trainer.minibatch_gradient(batch)
        scale = loss_scale(trainer.optimizer)
        unscale = None if scale is None else 1.0 / scale
        gradients = [multiplied(gradient, unscale) for gradient in step.gradients]
        estimate = self._reduced(gradients, place, is_full & place.is_known)
        self.table_visits.assign_add(1)
        return step._replace(gradients=[multiplied(v, scale) for v in estimate])

    def _reduced(
        self, gradients: list[Gradient], place: Place, is_corrected: tf.Tensor
    ) -> list[Gradient]:
        """v for each variable; T_i ← g_i."""
        entries = self.table.read(place.number, gradients)
        means = [mean.value for mean in self.table_mean]
        shares = self._coefficient.of(self.trainer.step_count.value, len(means))
        tensors = list(zip(gradients, entries, means, strict=True))
        self._coefficient.observe(tensors, None)
        to_format = None if self.packed else self._quantizer
        counters = [self.trainer.random_counter(index) for index in range(len(gradients))]
        # One by one: the last layers' are computed before the first layers' gradients are known.
        steps = [
            None
            if each[0] is None
            else table_rounding.entry_step(each, a, is_corrected, to_format, counter)
            for each, a, counter in zip(tensors, shares, counters, strict=True)
        ]
        found = [
            None if step is None else tf.cast(step.estimate, weight.dtype)
            for step, weight in zip(steps, self.weights, strict=True)
        ]
        # T_i is read before it is replaced, also in a file.
        with tf.control_dependencies([v for v in found if v is not None]):
            self._remember(steps, entries, counters, place, is_corrected)
        return found

    def _remember(
        self,
        steps: Sequence[table_rounding.EntryStep | None],
        entries: list[Gradient],
        counters: list[tf.Tensor],
        place: Place,
        is_corrected: tf.Tensor,
    ) -> None:
        """Writes the new T_i; with "step" also T̄ ← T̄ + (n_i / N) (T_i' − T_i)."""
        after = [None if step is None else step.entry for step in steps]

        def write() -> tf.Tensor:
            fits = self.table.write(place.number, after, counters)
            if self.update == "step":
                with tf.control_dependencies([fits]):
                    tf.cond(
                        is_corrected,
                        lambda: self._move_mean(entries, place.number),
                        lambda: tf.constant(False),
                    )
            return tf.where(fits, tf.constant(0, tf.int64), table_faults.CROWDED)

        # A gradient that overflows under a loss scale takes no step either.
        finite = tf.stack([step.is_finite for step in steps if step is not None])
        may_write = place.is_known & tf.reduce_all(finite)
        nothing = tf.constant(0, tf.int64)
        fault = tf.cond(
            may_write, write, lambda: tf.where(place.is_known, nothing, table_faults.UNKNOWN)
        )
        self.table_fault.assign(tf.maximum(self.table_fault.value, fault))

    def _move_mean(self, entries: list[Gradient], number: tf.Tensor) -> tf.Tensor:
        """T̄ ← T̄ + (n_i / N) (T_i' − T_i), with T_i' as the table has it and T_i from before."""
        share = self.table.numbers.share(number)
        stored = self.table.read(number, entries)
        for mean, new, old in zip(self.table_mean, stored, entries, strict=True):
            for entry, sign in ((new, 1.0), (old, -1.0)):
                change = multiplied(entry, sign * share)
                if isinstance(change, tf.IndexedSlices):
                    mean.value.scatter_add(change)
                elif change is not None:
                    mean.assign_add(tf.cast(change, mean.dtype))
        return tf.constant(True)

    # ---- from pass to pass -------------------------------------------------------------------

    def keeps_batches(self, x: Any) -> bool:
        return True

    def after_step(self) -> None:
        if fault := int(self.table_fault):
            self.table_fault.assign(0)
            raise table_faults.error_of(fault)
        if int(self.table_visits) >= self.table.count:
            self._end_pass()

    def _end_pass(self) -> None:
        """T̄ ← Σ n_i T_i / N, added up anew, so that rounding errors do not add up."""
        for mean, exact in zip(self.table_mean, self.table.mean(), strict=True):
            mean.assign(exact)
        self.table_visits.assign(0)
        self.table_passes.assign_add(1)
        self.table_is_full.assign(1)

    def mean_gradient(self) -> list[tf.Tensor] | None:
        """T̄; while the table is being filled, the mean of what it holds; None of nothing."""
        known: list[Any] = [mean.value for mean in self.table_mean]
        if not int(self.table_is_full):
            if not self.table.numbers.shares().any():
                return None
            known = self.table.mean()
        return [tf.cast(m, w.dtype) for m, w in zip(known, self.weights, strict=True)]

    # ---- before training ---------------------------------------------------------------------

    def check_order(self) -> None:
        check_order(self.trainer.model)

    def check_setting(self) -> None:
        table_faults.check_compiled(self.trainer, self.folder)

    def wants_data_for(self) -> str | None:
        return "its table has room for their minibatches"

    def diagnostics(self) -> dict[str, float]:
        squares = (tf.reduce_sum(tf.square(tf.cast(m.value, tf.float64))) for m in self.table_mean)
        return {"mean_gradient_norm": float(sum(map(float, squares)) ** 0.5)}


def _key_of(x: Any, y: Any) -> tf.Tensor:
    """The key of a minibatch: of its inputs and targets."""
    return key_of((x, y))
