"""Bit centering: weights that are a b-bit offset from a full-precision center, as in HALP.

De Sa et al., *High-Accuracy Low-Precision Training*, arXiv 1803.03383, Algorithm 3:

    w̃  `center`   full precision            z  `offset`   on the grid (δ, b), so that w = w̃ + z
    μ  `mu`       strong convexity, or "auto"    δ  `grid_scale`  ‖g̃‖₂ / (μ (2^(b−1) − 1))

    at a snapshot   w̃ ← w̃ + z in full precision, g̃ ← ∇f(w̃), re-scale δ, re-center z ← 0
    in a step       z ← Q_(δ,b)(z − α v),   v = (∇f_i(w̃ + z) − ∇f_i(w̃)) + g̃

As g̃ shrinks so does δ: the grid follows the iterate into the optimum, and b bits converge linearly
where a fixed grid stops at its floor. For any Keras optimizer, −α v is the change that it makes to
w = w̃ + z.
"""

import numbers
import warnings
from collections.abc import Mapping

import keras
import tensorflow as tf

from quant_ops import facts
from tq_halp import formats
from tq_halp.algorithms.iterates import range_rule
from tq_halp.algorithms.iterates.constraints import constrained
from tq_halp.algorithms.iterates.grid_range import GridRange
from tq_halp.algorithms.iterates.offset_format import OffsetFormat
from tq_halp.algorithms.iterates.scale_groups import GRANULARITIES
from tq_halp.algorithms.part import Iterate, Zeros, like
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer

DEFAULT_WORD_BITS = 8


@keras.saving.register_keras_serializable(package="tq_halp")
class BitCentered(Iterate):
    """w = w̃ + z: a full-precision center and an offset of few bits.

    Args:
        word_bits: b, bits of the offset z, 2 to 64.
        mu: μ > 0, or "auto". The range |z_j| ≤ ‖g̃‖₂/μ holds the optimum if f is μ-strongly convex.
            A larger μ gives a finer grid until the range is so small that saturation slows
            progress; "auto" widens the first range while it fills and from then on moves each by
            what the gradient after a segment says of it (``range_rule.pull``).
        scale: one δ "per_tensor", from that tensor's own gradient norm; "per_channel", for each
            index of a kernel's last axis; or one "global", as in the paper.
        format: of z, instead of ``word_bits``: any format, its name or its mapping. Its largest
            number is stretched to the edge of the range; block formats, which have none, need no μ.
        rounding: of z; "stochastic" is unbiased.
        snapshot_every, snapshot_fraction, iterate: as for ``VarianceReduced``, beside an estimator
            that takes no snapshots; "epoch", 0.1 and "last" where they are None. Here g̃ serves the
            scale only, for which the gradient of a part of the data will do.

    Raises:
        InputError: an argument is not one of the above.
    """

    needs_snapshots = True
    numbers = {"saturated_segments": 0}

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
        least, most = facts.RANGES["offset"]["word_bits"]
        is_count = isinstance(word_bits, numbers.Integral) and not isinstance(word_bits, bool)
        if not is_count or not least <= word_bits <= most:
            raise InputError(
                f"word_bits must be an integer from {least} to {most}. Received: {word_bits!r}"
            )
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

    def _format_for(self, seed):
        format = self.format or formats.ScaledInteger(self.word_bits)
        return OffsetFormat(Quantizer(format, rounding=self.rounding, seed=seed))

    def bind(self, trainer) -> None:
        super().bind(trainer)
        for name in ("snapshot_every", "snapshot_fraction", "iterate"):
            received = getattr(self, name)
            if received is not None and trainer.estimator.snapshot_schedule() is not None:
                raise InputError(
                    f"{name} of BitCentered must be left out beside "
                    f"{type(trainer.estimator).__name__}, which says when snapshots are taken. "
                    f"Received: {received!r}"
                )
        self._range.bind(trainer)
        self._round = self._format_for(trainer.seed)

    def snapshot_schedule(self) -> SnapshotSchedule:
        fraction = 0.1 if self.snapshot_fraction is None else self.snapshot_fraction
        return SnapshotSchedule(self.snapshot_every or "epoch", self.iterate or "last", fraction)

    def state(self):
        projected = [
            Zeros(tuple(v.shape), v.dtype) if v.constraint is not None else None
            for v in self.weights
        ]
        return {
            "offset": like(self.weights),
            "range": self._range,
            "weights_were_set": Zeros(),
            # P(w̃ + z) of constrained weights, which need not be P of itself.
            "projected": projected,
        }

    # ---- one step ----------------------------------------------------------------------------

    def before_update(self) -> None:
        """w ≠ w̃ + z: somebody has set weights. The center moves with them, and g̃ is out of date."""
        is_set = []
        for (variable, center, offset), left in zip(self._places(), self.projected, strict=True):
            # One after the other: all sums at once would be a copy of the weights more.
            with tf.control_dependencies(is_set[-1:]):
                expected = center.value + offset.value if left is None else left.value
                is_set.append(tf.reduce_any(variable.value != expected))

        def follow():
            for variable, center, offset in self._places():
                center.assign(variable.value - offset.value)
            return tf.constant(1, tf.int64)

        is_any_set = tf.reduce_any(tf.stack(is_set))
        self.weights_were_set.assign(tf.cond(is_any_set, follow, lambda: tf.constant(0, tf.int64)))

    def _places(self):
        return zip(self.weights, self.snapshots.center, self.offset, strict=True)

    def settle(self) -> None:
        """z ← Q(z + w − (w̃ + z)) and w ← P(w̃ + z), P being the constraint of the weights."""
        for index, (variable, center, offset) in enumerate(self._places()):
            weight = tf.convert_to_tensor(variable.value)
            # Not before the optimizer: else the sums of all tensors wait for it in memory.
            with tf.control_dependencies([weight]):
                if variable.constraint is None:
                    moved = offset.value + (weight - (center.value + offset.value))
                else:
                    # The weight was projected after the offset was added, and so it is again.
                    moved = weight - center.value
            self._set_offset(index, moved, self._round)

    def _set_offset(self, index, offset, to_grid):
        """z ← Q(offset) and w ← P(w̃ + z) for one tensor."""
        scale = self._range.scale_of(index)
        self.offset[index].assign(to_grid(offset, scale, self.trainer.random_counter(index)))
        variable, center = self.weights[index], self.snapshots.center[index]
        moved = center.value + self.offset[index].value
        variable.assign(moved if variable.constraint is None else constrained(variable, moved))
        self._note_projected(index)

    def _note_projected(self, index):
        if self.projected[index] is not None:
            self.projected[index].assign(self.weights[index].value)

    # ---- from snapshot to snapshot -----------------------------------------------------------

    def on_snapshot(self) -> None:
        self._range.fit(self.offset)
        for index, offset in enumerate(self.offset):
            offset.assign(tf.zeros_like(offset.value))
            self._note_projected(index)

    def after_step(self) -> None:
        if self._range.is_to_look():
            to_grid = self._round.derive("widen")
            for index in self._range.widen(self.offset):
                self._set_offset(index, self.offset[index].value, to_grid)
        if int(self.weights_were_set):
            self.snapshots.snapshot_due = True

    def on_segment_end(self) -> None:
        # The snapshots may have put the weights elsewhere, to a random iterate.
        for variable, center, offset in self._places():
            if self.snapshots.candidate:
                offset.assign(variable.value - center.value)
        self._range.on_segment_end()
        if self.mu != "auto":
            self._watch_saturation()

    def _watch_saturation(self):
        fraction = self._range.saturated_fraction(self.offset)
        self.saturated_segments = self.saturated_segments + 1 if fraction > 0.05 else 0
        if self.saturated_segments == 2:
            warnings.warn(
                f"{100 * fraction:.0f}% of the offsets have reached the edge of "
                f"their {self.word_bits}-bit grid in two snapshots running, which slows progress: "
                f"mu={self.mu} is too large. Try mu={self.mu / 4:.3g} or mu='auto'; if the full "
                "gradient grows as well, more bits.",
                stacklevel=2,
            )

    # ---- logs --------------------------------------------------------------------------------

    def diagnostics(self) -> dict[str, float]:
        of_range, gradient = self._range.diagnostics(), self.snapshots.full_gradient
        return {
            "scale": of_range["scale"],
            "saturated_fraction": self._range.saturated_fraction(self.offset),
            "underflow_fraction": range_rule.underflow_fraction(self.offset, gradient),
            "mu": of_range["mu"],
        }
