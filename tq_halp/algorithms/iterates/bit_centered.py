"""``BitCentered``: weights that are a b-bit offset from a full-precision center, as in HALP.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3:

    w̃  `center`   in full precision              z  `offset`      on the grid (δ, b); w = w̃ + z
    μ  `mu`       strong convexity, or "auto"    δ  `grid_scale`  ‖g̃‖₂ / (μ (2^(b−1) − 1))

    at a snapshot   w̃ ← w̃ + z in full precision, g̃ ← ∇f(w̃), re-scale δ, re-center z ← 0
    in a step       z ← Q_(δ,b)(z − α v),   v = (∇f_i(w̃ + z) − ∇f_i(w̃)) + g̃

δ shrinks with g̃. So the grid gets finer as w comes closer to the optimum, and b bits converge
linearly where a fixed grid stops at its floor. With a Keras optimizer, −α v stands for the change
that it makes to w = w̃ + z.
"""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from quant_ops import format_facts
from quant_ops.ops import fused_updates
from tq_halp import formats
from tq_halp.algorithms.algorithm_part import Iterate, Zeros, like
from tq_halp.algorithms.iterates import offset_range_rule
from tq_halp.algorithms.iterates.constraints import constrained
from tq_halp.algorithms.iterates.mu_argument import DISPLACEMENT
from tq_halp.algorithms.iterates.offset_format import OffsetFormat, unrounded
from tq_halp.algorithms.iterates.offset_range import GridRange
from tq_halp.algorithms.iterates.offset_scale_groups import GRANULARITIES
from tq_halp.algorithms.minibatch_gradient import wide_dtype
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer

DEFAULT_WORD_BITS = 8


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCentered(Iterate):
    """w = w̃ + z: a full-precision center and an offset of few bits.

    Args:
        word_bits: b, the number of bits of the offset z, 2 to 64.
        mu: μ > 0, "auto" or "displacement". If f is μ-strongly convex, the optimum is in the range
            |z_j| ≤ ‖g̃‖₂/μ. A larger μ makes the grid finer; if it is too large, offsets at the edge
            of the range slow down training. "auto" widens the first range as offsets reach its
            edge, and changes later ones by what the gradient at the end of a segment shows
            (``offset_range_rule.pull``).
            "displacement" needs no gradient: a range follows from how far the segment before has
            moved the weights, and from the schedule of the learning rate (``displacement_rule``).
            "auto" means the same where no snapshot takes a full gradient: beside an estimator that
            needs none, unless ``snapshot_fraction`` asks for one.
        scale: "per_tensor", a δ for each tensor, from the norm of its own gradient; "per_channel",
            a δ for each index of a kernel's last axis; or "global", one δ, as in the paper.
        format: of z, instead of ``word_bits``: any format, its name or its mapping. Its largest
            number is scaled to the edge of the range. Block formats have no range and need no μ.
        rounding: of z; "stochastic" is unbiased.
        snapshot_every, iterate: as for ``VarianceReduced``, if the estimator takes no snapshots;
            None for "epoch" and "last".
        snapshot_fraction: the share of the data from which g̃ is computed, if the estimator has
            none. g̃ then serves for δ only, for which a part of the data is enough. None for 0.1
            with a number μ, and for no gradient with "auto".

    Raises:
        InputError: an argument is not one of the above; one of the last three is given although
            the estimator takes snapshots; or ``snapshot_fraction`` although no pass over the data
            is needed.
    """

    needs_snapshots = True
    numbers = {"saturated_segments": 0}
    saturated_segments: int

    offset: list[keras.Variable]
    weights_were_set: keras.Variable
    projected: list[keras.Variable | None]

    def __init__(
        self,
        word_bits: int = DEFAULT_WORD_BITS,
        mu: str | float = "auto",
        scale: str = "per_tensor",
        format: formats.Format | str | Mapping | None = None,
        rounding: str | None = "stochastic",
        snapshot_every: str | int | float | None = None,
        snapshot_fraction: float | None = None,
        iterate: str | None = None,
    ):
        try:
            format_facts.check_in_range("offset", "word_bits", word_bits)
        except ValueError as error:
            raise InputError(str(error)) from None
        if scale not in GRANULARITIES:
            raise InputError(
                f"scale must be one of {', '.join(GRANULARITIES)}. Received: {scale!r}"
            )
        if format is not None and word_bits != DEFAULT_WORD_BITS:
            raise InputError(
                f"word_bits must be left out beside format, which says how wide z is. Received: "
                f"word_bits={word_bits!r}, format={format!r}"
            )
        self.word_bits, self.scale, self.rounding = int(word_bits), scale, rounding
        self.format = None if format is None else formats.get(format)
        self.snapshot_every, self.snapshot_fraction = snapshot_every, snapshot_fraction
        self.iterate = iterate
        self._range = GridRange(mu, scale, self._format_for(seed=0))
        self.mu = self._range.mu
        self.snapshot_schedule()
        if self.mu == DISPLACEMENT and snapshot_fraction is not None:
            raise InputError(
                "snapshot_fraction must be left out with mu='displacement', which takes no "
                f"gradient of the data. Received: {snapshot_fraction!r}"
            )

    def _format_for(self, seed: int) -> OffsetFormat:
        format = self.format or formats.ScaledInteger(self.word_bits)
        return OffsetFormat(Quantizer(format, rounding=self.rounding, seed=seed))

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        for name in ("snapshot_every", "snapshot_fraction", "iterate"):
            received = getattr(self, name)
            if received is not None and trainer.estimator.snapshot_schedule() is not None:
                raise InputError(
                    f"{name} of BitCentered must be left out beside "
                    f"{type(trainer.estimator).__name__}, which says when snapshots are taken. "
                    f"Received: {received!r}"
                )
        if self.snapshot_fraction is not None and trainer.estimator.gives_mean_gradient:
            raise InputError(
                f"snapshot_fraction must be left out beside {type(trainer.estimator).__name__}, "
                f"whose mean gradient costs no pass. Received: {self.snapshot_fraction!r}"
            )
        self._range.bind(trainer)
        self._round = self._format_for(trainer.seed)

    def snapshot_schedule(self) -> SnapshotSchedule:
        fraction = 0.1 if self.snapshot_fraction is None else self.snapshot_fraction
        return SnapshotSchedule(self.snapshot_every or "epoch", self.iterate or "last", fraction)

    @property
    def needs_full_gradient(self) -> bool:
        """For a number μ, and where ``snapshot_fraction`` asks for it."""
        return isinstance(self.mu, float) or self.snapshot_fraction is not None

    def state(self) -> dict[str, Any]:
        projected = [
            Zeros(tuple(v.shape), v.dtype) if v.constraint is not None else None
            for v in self.weights
        ]
        return {
            "offset": like(self.weights),
            "range": self._range,
            "weights_were_set": Zeros(),
            # P(w̃ + z) of constrained weights; a P of the user's need not leave it as it is.
            "projected": projected,
        }

    # ---- one step ----------------------------------------------------------------------------

    def before_update(self) -> None:
        """Notices weights that the user has set, w ≠ w̃ + z: then w̃ ← w − z, and g̃ is outdated."""
        is_set: list[tf.Tensor] = []
        for (variable, center, offset), left in zip(self._triples(), self.projected, strict=True):
            # One after the other: without compiled ops all sums at once take a copy of the weights.
            with tf.control_dependencies(is_set[-1:]):
                if left is None:
                    tensors = variable.value, center.value, offset.value
                    is_set.append(fused_updates.has_moved(*tensors))
                else:
                    is_set.append(tf.reduce_any(variable.value != left.value))

        def follow() -> tf.Tensor:
            for variable, center, offset in self._triples():
                center.assign(variable.value - offset.value)
            return tf.constant(1, tf.int64)

        is_any_set = tf.reduce_any(tf.stack(is_set))
        self.weights_were_set.assign(tf.cond(is_any_set, follow, lambda: tf.constant(0, tf.int64)))

    def _triples(self) -> Iterator[tuple[keras.Variable, keras.Variable, keras.Variable]]:
        """(w, w̃, z) of each tensor."""
        weights = self.trainer.trainable_variables
        return zip(weights, self.snapshots.center, self.offset, strict=True)

    def settle(self) -> None:
        """z ← Q(z + w − (w̃ + z)) and w ← P(w̃ + z), where P is the constraint of the weights."""
        for index, (variable, _, offset) in enumerate(self._triples()):
            weight = tf.convert_to_tensor(variable.value)
            # After the optimizer's update: else the sums of all tensors wait for it in memory.
            with tf.control_dependencies([weight]):
                # w was projected after z was added to w̃; w − w̃ contains the projection.
                before = offset.value if variable.constraint is None else tf.zeros_like(weight)
                self._move(index, weight, before, self._round)

    def _move(
        self, index: int, weight: tf.Tensor, before: tf.Tensor, to_grid: OffsetFormat
    ) -> None:
        """z ← Q(z + w − (w̃ + z)) and w ← P(w̃ + z) for one tensor, with z = ``before``."""
        variable, center = self.trainer.trainable_variables[index], self.snapshots.center[index]
        scale = self._range.groups.of(self._range.grid_scale.value, index)
        if self._range.follows_displacement:
            # With a scale of its own width z is rounded five times as fast. Ranges that follow a
            # gradient keep float64: with it their trainings of version 0.1 go on bit for bit.
            scale = tf.cast(scale, wide_dtype(variable.dtype))
        counter, is_open = self.trainer.random_counter(index), self._range.states.is_open(index)
        tensors = weight, tf.convert_to_tensor(center.value), before

        def rounded() -> tuple[tf.Tensor, tf.Tensor]:
            return to_grid.moved(*tensors, scale, counter)

        z, moved = (
            rounded() if is_open is None else tf.cond(is_open, lambda: unrounded(*tensors), rounded)
        )
        self.offset[index].assign(z)
        variable.assign(moved if variable.constraint is None else constrained(variable, moved))
        self._note_projected(index)

    def _note_projected(self, index: int) -> None:
        projected = self.projected[index]
        if projected is not None:
            projected.assign(self.weights[index].value)

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def on_snapshot(self) -> None:
        self._range.fit(self.offset)
        for index, offset in enumerate(self.offset):
            offset.assign(tf.zeros_like(offset.value))
            self._note_projected(index)

    def after_step(self) -> None:
        for index in self._range.note_step(self.offset):
            offset = tf.convert_to_tensor(self.offset[index].value)
            weight = self.snapshots.center[index].value + offset
            self._move(index, weight, offset, self._round.derive("widen"))
        if int(self.weights_were_set):
            self.snapshots.snapshot_due = True

    def on_segment_end(self) -> None:
        # With option II the snapshots have set the weights to a random iterate.
        for variable, center, offset in self._triples():
            if self.snapshots.candidate:
                offset.assign(variable.value - center.value)
        self._range.note_end(self.offset)
        if isinstance(self.mu, float):
            self._watch_saturation(self.mu)

    def _watch_saturation(self, mu: float) -> None:
        fraction = self._range.saturated_fraction(self.offset)
        self.saturated_segments = self.saturated_segments + 1 if fraction > 0.05 else 0
        if self.saturated_segments == 2:
            warnings.warn(
                f"{100 * fraction:.0f}% of the offsets have reached the edge of "
                f"their {self.word_bits}-bit grid in two snapshots running, which slows progress: "
                f"mu={mu} is too large. Try mu={mu / 4:.3g} or mu='auto'; if the full "
                "gradient grows as well, more bits.",
                stacklevel=2,
            )

    # ---- logs --------------------------------------------------------------------------------

    def diagnostics(self) -> dict[str, float]:
        of_range, gradient = self._range.diagnostics(), self.snapshots.full_gradient
        return {
            "scale": of_range.pop("scale"),
            "saturated_fraction": self._range.saturated_fraction(self.offset),
            "underflow_fraction": offset_range_rule.underflow_fraction(self.offset, gradient),
            **of_range,
        }
