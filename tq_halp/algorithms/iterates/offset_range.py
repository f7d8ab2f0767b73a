"""``GridRange``: the range |z_j| ≤ r of HALP's offsets, for each group of weights.

It keeps the grid's step δ, and μ, from segment to segment. Which r comes next is decided by

    a number μ            r = ‖g̃‖₂ / μ
    "auto", with ∇f(w̃)    by what it says of the last segment (``offset_range_rule``)
    "displacement", or    by how far the last segment has moved the weights
      "auto" without it     (``displacement_rule``)

"auto" does not take a mean of stale gradients, as of a gradient table, for ∇f(w̃): what they say of
the offsets is too noisy for ``offset_range_rule`` (on least squares 4 bits diverged).

Where g̃ is not known before the first step, the range is open at first: the offsets are not rounded
until the first steps have shown how far they go.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.algorithms.iterates import center_gradient, mu_argument, offset_range_rule
from tq_halp.algorithms.iterates.displacement_rule import FINE
from tq_halp.algorithms.iterates.mu_argument import DISPLACEMENT, RULES
from tq_halp.algorithms.iterates.offset_format import OffsetFormat
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups
from tq_halp.algorithms.iterates.range_states import RangeStates
from tq_halp.algorithms.iterates.segment_displacement import SegmentDisplacement


class GridRange(Part):
    """μ and δ of the groups of weights that share a scale.

    Args:
        mu: μ > 0, "auto" or "displacement".
        granularity: of the groups, as for ``ScaleGroups``.
        format: of the offsets; its largest number is scaled to r.

    Raises:
        InputError: mu is not one of the above, or is a number for a format that has no range.

    Attributes:
        grid_scale: δ, or s of ``OffsetFormat``, a float64 variable of shape (G,).
        current_mu: μ of the segment, a float64 variable of shape (G,).
        last_move: the last change of r with μ = "auto", in octaves, a float64 variable (G,).
        has_segment: whether a segment has ended since μ was last moved, an int64 scalar.
        states: the ``RangeStates``; with variables only if g̃ is not known at the first snapshot.
        displacement: the ``SegmentDisplacement``; only where the range follows it.
        next_look: number of steps in the first segment after which to ``widen``; None after it.
    """

    numbers = {"next_look": None}
    next_look: int | None

    grid_scale: keras.Variable
    current_mu: keras.Variable
    last_move: keras.Variable
    has_segment: keras.Variable
    states: RangeStates
    displacement: SegmentDisplacement

    def __init__(self, mu: str | float, granularity: str, format: OffsetFormat):
        self.mu, self.largest = mu_argument.checked(mu, format), format.largest
        self._granularity, self._noise_follows_range = granularity, format.noise_follows_range
        self.states = RangeStates()
        code = self._largest_code if self._noise_follows_range else FINE
        self.displacement = SegmentDisplacement(code)

    @property
    def follows_displacement(self) -> bool:
        """Whether r comes from displacements, and not from g̃."""
        return self.mu == DISPLACEMENT or self.mu == "auto" and not self.snapshots.takes_pass

    @property
    def _measures_displacement(self) -> bool:
        return self.follows_displacement and self.largest is not None

    @property
    def may_be_open(self) -> bool:
        """Whether g̃ is not known before the first step."""
        comes_late = self.mu == DISPLACEMENT or not self.snapshots.takes_pass
        return self.largest is not None and comes_late

    def state(self) -> dict[str, Any]:
        self.groups = ScaleGroups([v.shape for v in self.weights], self._granularity)
        per_group = Zeros((self.groups.count,), "float64")
        declared: dict[str, Any] = {
            "grid_scale": per_group,
            "current_mu": per_group,
            "last_move": per_group,
            "has_segment": Zeros(),
        }
        if self.may_be_open:
            declared["states"] = self.states
        if self._measures_displacement:
            self.displacement.set_groups(self.groups)
            declared["displacement"] = self.displacement
        return declared

    def bind(self, trainer: keras.Model) -> None:
        super().bind(trainer)
        self.displacement.bind(trainer)
        self.states.bind(trainer)

    @property
    def _largest_code(self) -> float:
        """``largest`` of a format that has a range; of others, which have no range to fit, 1."""
        return 1.0 if self.largest is None else self.largest

    def half_widths(self) -> np.ndarray:
        """r of each group, (G,); infinite for a format that has no range."""
        if not self.largest:
            return np.full(self.groups.count, np.inf)
        return self.grid_scale.numpy() * self.largest

    # ---- at a snapshot -----------------------------------------------------------------------

    def fit(self, offsets: Sequence[keras.Variable]) -> None:
        """δ ← ‖g̃‖₂ / (μ · largest code), at a snapshot; with "auto" μ is moved first.

        Args:
            offsets: z at the end of the last segment.
        """
        if self.largest is None:
            self.grid_scale.assign(tf.ones_like(self.grid_scale.value))
        elif self.follows_displacement:
            widths = self.displacement.begin(self.half_widths())
            self.grid_scale.assign(widths / self._largest_code)
            if not widths.any():
                self.states.open_all()
        elif self.snapshots.gradient_is_known:
            self._follow_gradient(offsets)
        elif not self.half_widths().any():
            self.states.open_all()
        if self.states.open().any():
            self.next_look = 1

    def _follow_gradient(self, offsets: Sequence[keras.Variable]) -> None:
        """r = ‖g̃‖₂ / μ."""
        norms = center_gradient.norms(self, self.groups)
        mu = self._mu_of_next_segment(norms, offsets)
        self.current_mu.assign(mu)
        self.grid_scale.assign(offset_range_rule.scales(norms, mu, self._largest_code))
        self.states.note_fitted(self.groups, self.grid_scale.numpy())

    def _mu_of_next_segment(
        self, norms: np.ndarray, offsets: Sequence[keras.Variable]
    ) -> np.ndarray:
        if self.mu != "auto":
            return np.full_like(norms, self.mu)
        mu, half_widths = self.current_mu.numpy(), self.half_widths()
        if int(self.has_segment):
            self.has_segment.assign(0)
            growth = self._growth(offsets, half_widths)
            return offset_range_rule.next_mu(norms, mu, half_widths, growth)
        if mu.any():
            return mu
        self.next_look = 1
        drifts = center_gradient.drifts(self)
        widths = offset_range_rule.first_half_widths(
            self.groups, center_gradient.directions(self), drifts, self._largest_code
        )
        return offset_range_rule.quotient(norms, widths, otherwise=1.0 / max(*drifts, 1e-30))

    def _growth(self, offsets: Sequence[keras.Variable], half_widths: np.ndarray) -> np.ndarray:
        """How many times larger r should have been in the last segment, (G,)."""
        pull = offset_range_rule.pull(
            self.groups,
            offsets,
            center_gradient.directions(self),
            half_widths,
            half_widths / self._largest_code * self._noise_follows_range,
        )
        move = offset_range_rule.next_move(self.last_move.numpy(), pull)
        self.last_move.assign(move)
        return 2.0 ** (np.abs(move) * pull)

    # ---- within the first segment ------------------------------------------------------------

    def _close(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Fits the open ranges to the offsets that the first steps have left.

        A tensor that has not moved stays open. A channel that has not moved gets the range of the
        one that has moved furthest.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        is_open = self.states.open()
        moved = [is_open[i] and np.any(np.asarray(z)) for i, z in enumerate(offsets)]
        if not any(moved):
            return []
        widths = self._first_half_widths(offsets)
        before = self.half_widths()
        for index in np.flatnonzero(moved):
            part = self.groups.of(widths, index)
            self.groups.set(before, index, np.where(part > 0, part, np.max(part)))
        self.grid_scale.assign(before / self._largest_code)
        if not self.follows_displacement:
            norms = center_gradient.norms(self, self.groups)
            self.current_mu.assign(offset_range_rule.quotient(norms, before, otherwise=1.0))
        self.states.note_fitted(self.groups, self.grid_scale.numpy())
        return [int(index) for index in np.flatnonzero(moved)]

    def _first_half_widths(self, offsets: Sequence[keras.Variable]) -> np.ndarray:
        """r after the first steps: by μ, or with room for twice as many steps as there were."""
        if isinstance(self.mu, float):
            self.snapshots.take_mean_gradient()
            return center_gradient.norms(self, self.groups) / self.mu
        return offset_range_rule.first_half_widths(
            self.groups, offsets, self._further(), self._largest_code
        )

    def _further(self) -> float:
        """How many times as far the weights will have moved when ``adapt`` looks next."""
        if not self.follows_displacement:
            return 2.0
        return self.displacement.rates.growth(int(self.snapshots.steps_since_snapshot))

    def _is_to_look(self) -> bool:
        """Whether to ``adapt`` now: after steps 1, 2, 4, 8, ... of the first segment.

        Before the first segment it is unknown how far a segment moves the weights. So the range
        starts with two steps' room, and grows with the offsets. With steps_per_execution > 1 it is
        widened at the end of the execution in which a widening is due.
        """
        if not self.next_look:
            return False
        steps = int(self.snapshots.steps_since_snapshot)
        if steps < self.next_look or (self._is_over() and not self.states.open().any()):
            return False
        self.next_look = 2 * steps
        return True

    def _is_over(self) -> bool:
        """Whether the segment is: then it is too late to widen its ranges.

        False where it ends with an epoch and no pass has counted its steps: the bits must be the
        same whether Keras knows the length of the data or not.
        """
        snapshots = self.snapshots
        if snapshots.schedule.every == "epoch" and not snapshots.takes_pass:
            return False
        return int(self.snapshots.steps_since_snapshot) >= self.snapshots.segment_length

    def adapt(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Closes open ranges, and widens others in which offsets come near the edge.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        may_grow = self.mu in RULES and not self._is_over()
        # Before ranges are closed: what has just been closed need not be widened.
        growing = self.states.growing(self.groups) & may_grow
        closed = self._close(offsets) if self.states.open().any() else []
        return closed + (self._widen(offsets, growing) if growing.any() else [])

    def _widen(self, offsets: Sequence[keras.Variable], growing: np.ndarray) -> list[int]:
        half_widths = self.half_widths()
        wanted = offset_range_rule.widened_half_widths(
            self.groups, offsets, half_widths, self._largest_code, self._further()
        )
        growth = offset_range_rule.quotient(wanted, half_widths, otherwise=1.0)
        growth = np.where(growing, growth, 1.0)
        self.grid_scale.assign(self.grid_scale.numpy() * growth)
        self.current_mu.assign(self.current_mu.numpy() / growth)
        return [i for i in range(len(offsets)) if np.any(self.groups.of(growth, i) > 1)]

    def note_step(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Looks at the offsets when it is time to.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        if self.displacement.looks:
            self.displacement.note_step(offsets, self.half_widths())
        return self.adapt(offsets) if self._is_to_look() else []

    def note_end(self, offsets: Sequence[keras.Variable]) -> None:
        self.next_look = None
        self.states.note_end()
        if self._measures_displacement:
            self.displacement.note_end(offsets, self.half_widths())
        elif self.mu in RULES:
            self.has_segment.assign(1)

    # ---- logs --------------------------------------------------------------------------------

    def saturated_fraction(self, offsets: Sequence[keras.Variable]) -> float:
        """The share of the offsets that are at the edge of their range."""
        return offset_range_rule.saturated_fraction(self.groups, offsets, self.half_widths())

    def diagnostics(self) -> dict[str, float]:
        logs = {"scale": offset_range_rule.geometric_mean(self.grid_scale.numpy())}
        if not self.follows_displacement:
            logs["mu"] = offset_range_rule.geometric_mean(self.current_mu.numpy())
        return logs
