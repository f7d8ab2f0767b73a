"""``GridRange``: the range |z_j| ≤ r of HALP's offsets, for each group of weights.

It keeps the grid's step δ, and μ, from segment to segment. Which r comes next is decided by

    a number μ            r = ‖g̃‖₂ / μ
    "auto", with g̃        by what g̃ says of the last segment (``offset_range_rule``)
    "displacement",       by how far the last segment has moved the weights
      or "auto" without g̃   (``displacement_rule``)

Where g̃ is not known before the first step, the range is open at first: the offsets are not rounded
until the first steps have shown how far they go.
"""

import numbers
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.algorithms.inner_optimizer import decay_of, optimizer_of, step_size
from tq_halp.algorithms.iterates import displacement_rule, offset_range_rule
from tq_halp.algorithms.iterates.offset_format import OffsetFormat
from tq_halp.algorithms.iterates.offset_scale_groups import ScaleGroups
from tq_halp.errors import InputError

DISPLACEMENT = "displacement"
#: The values of μ by which r is found in training.
RULES = ("auto", DISPLACEMENT)


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
        open_ranges: whether the range of each tensor is open, int64 (tensors,); none if g̃ is known
            at the first snapshot.
        last_rates: mean learning rate of each tensor in the segment, float64 (tensors,); only where
            the range follows the displacement.
        next_look: number of steps in the first segment after which to ``widen``; None after it.
    """

    numbers = {"next_look": None}
    next_look: int | None

    grid_scale: keras.Variable
    current_mu: keras.Variable
    last_move: keras.Variable
    has_segment: keras.Variable
    open_ranges: keras.Variable
    last_rates: keras.Variable

    def __init__(self, mu: str | float, granularity: str, format: OffsetFormat):
        is_number = isinstance(mu, numbers.Real) and not isinstance(mu, bool)
        if mu not in RULES and not (is_number and 0 < float(mu) < float("inf")):
            raise InputError(
                f"mu must be 'auto', 'displacement' or a positive number. Received: {mu!r}"
            )
        if format.largest is None and mu != "auto":
            raise InputError(f"mu must be 'auto' for {format.format}, which has no range to scale")
        self.mu, self.largest = mu if mu in RULES else float(mu), format.largest
        self._granularity, self._noise_follows_range = granularity, format.noise_follows_range

    @property
    def follows_displacement(self) -> bool:
        """Whether r comes from displacements, and not from g̃."""
        return self.mu == DISPLACEMENT or self.mu == "auto" and not self.snapshots.has_gradient

    @property
    def may_be_open(self) -> bool:
        """Whether g̃ is not known before the first step."""
        return self.largest is not None and (
            self.follows_displacement or not self.snapshots.takes_pass
        )

    def state(self) -> dict[str, Any]:
        self.groups = ScaleGroups([v.shape for v in self.weights], self._granularity)
        per_group = Zeros((self.groups.count,), "float64")
        per_tensor = len(self.weights)
        declared = {
            "grid_scale": per_group,
            "current_mu": per_group,
            "last_move": per_group,
            "has_segment": Zeros(),
        }
        if self.may_be_open:
            declared["open_ranges"] = Zeros((per_tensor,))
        if self.follows_displacement:
            declared["last_rates"] = Zeros((per_tensor,), "float64")
        return declared

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
            self._follow_displacement(offsets)
        elif self.snapshots.gradient_is_known:
            self._follow_gradient(offsets)
        elif not self.half_widths().any():
            self.open_ranges.assign(tf.ones_like(self.open_ranges.value))
        if self._any_open():
            self.next_look = 1

    def _follow_displacement(self, offsets: Sequence[keras.Variable]) -> None:
        """r of the next segment from |z| at the end of the last one."""
        rates = np.array([step_size(optimizer_of(self.trainer.optimizer, v)) for v in self.weights])
        before, half_widths = self.last_rates.numpy(), self.half_widths()
        self.last_rates.assign(rates)
        if not half_widths.any():
            self.open_ranges.assign(tf.ones_like(self.open_ranges.value))
        if not int(self.has_segment):
            return
        self.has_segment.assign(0)
        ratios = displacement_rule.quotient(rates, before, otherwise=1.0)
        widths = displacement_rule.next_half_widths(self.groups, offsets, half_widths, ratios)
        self.grid_scale.assign(widths / self._largest_code)

    def _follow_gradient(self, offsets: Sequence[keras.Variable]) -> None:
        """r = ‖g̃‖₂ / μ."""
        norms = self._norms()
        mu = self._mu_of_next_segment(norms, offsets)
        self.current_mu.assign(mu)
        self.grid_scale.assign(offset_range_rule.scales(norms, mu, self._largest_code))
        self._note_closed()

    def _norms(self) -> np.ndarray:
        """‖g̃‖₂ of each group, (G,)."""
        (squares,) = self.groups.each(lambda g, _: [np.square(g)], self._directions())
        return np.sqrt(squares)

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
        drifts = self._drifts()
        widths = offset_range_rule.first_half_widths(
            self.groups, self._directions(), drifts, self._largest_code
        )
        return offset_range_rule.quotient(norms, widths, otherwise=1.0 / max(*drifts, 1e-30))

    @property
    def _largest_code(self) -> float:
        """``largest`` of a format that has a range; of others, which have no range to fit, 1."""
        return 1.0 if self.largest is None else self.largest

    def _growth(self, offsets: Sequence[keras.Variable], half_widths: np.ndarray) -> np.ndarray:
        """How many times larger r should have been in the last segment, (G,)."""
        pull = offset_range_rule.pull(
            self.groups,
            offsets,
            self._directions(),
            half_widths,
            half_widths / self._largest_code * self._noise_follows_range,
        )
        move = offset_range_rule.next_move(self.last_move.numpy(), pull)
        self.last_move.assign(move)
        return 2.0 ** (np.abs(move) * pull)

    def _directions(self) -> list[Any]:
        """The gradient of the whole objective at w̃: g̃, plus λw̃ if the optimizer decays weights."""
        directions, optimizer = [], self.trainer.optimizer
        for full, center, variable in zip(
            self.snapshots.full_gradient, self.snapshots.center, self.weights, strict=True
        ):
            decay = decay_of(optimizer_of(optimizer, variable), variable)
            directions.append(full.value + decay * center.value if decay else full)
        return directions

    def _drifts(self) -> list[float]:
        """How far a constant gradient of 1 moves each tensor in two steps."""
        moved_by = (optimizer_of(self.trainer.optimizer, v) for v in self.weights)
        return [2 * step_size(optimizer) for optimizer in moved_by]

    # ---- within the first segment ------------------------------------------------------------

    def is_open(self, index: int) -> tf.Tensor | None:
        """Whether the offsets of tensor ``index`` are not rounded yet, a bool scalar or None."""
        return self.open_ranges.value[index] > 0 if self.may_be_open else None

    def _close(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Fits the open ranges to the offsets that the first steps have left.

        A tensor that has not moved stays open. A channel that has not moved gets the range of the
        one that has moved furthest.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        is_open = self.open_ranges.numpy() > 0
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
            self.current_mu.assign(offset_range_rule.quotient(self._norms(), before, otherwise=1.0))
        self._note_closed()
        return [int(index) for index in np.flatnonzero(moved)]

    def _note_closed(self) -> None:
        """The range of a tensor is open no longer where each of its groups has one."""
        if self.may_be_open:
            scales = self.grid_scale.numpy()
            has_none = [not np.all(self.groups.of(scales, i)) for i in range(len(self.weights))]
            self.open_ranges.assign(self.open_ranges.numpy() * has_none)

    def _first_half_widths(self, offsets: Sequence[keras.Variable]) -> np.ndarray:
        """r after the first steps: by μ, or with room for twice as many steps as there were."""
        if isinstance(self.mu, float):
            self.snapshots.take_mean_gradient()
            return self._norms() / self.mu
        if not self.follows_displacement:
            self.snapshots.take_mean_gradient()
        return offset_range_rule.first_half_widths(self.groups, offsets, 2.0, self._largest_code)

    def is_to_look(self) -> bool:
        """Whether to ``adapt`` now: after steps 1, 2, 4, 8, ... of the first segment.

        Before the first segment it is unknown how far a segment moves the weights. So the range
        starts with two steps' room, and grows with the offsets. With steps_per_execution > 1 it is
        widened at the end of the execution in which a widening is due.
        """
        steps = int(self.snapshots.steps_since_snapshot)
        if not self.next_look or steps < self.next_look:
            return False
        if steps >= self.snapshots.segment_length and not self._any_open():
            return False
        self.next_look = 2 * steps
        return True

    def _any_open(self) -> bool:
        return self.may_be_open and bool(self.open_ranges.numpy().any())

    def adapt(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Closes open ranges, or widens those in which offsets come near the edge.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        return self._close(offsets) if self._any_open() else self.widen(offsets)

    def widen(self, offsets: Sequence[keras.Variable]) -> list[int]:
        """Widens ranges in which offsets come near the edge.

        Returns:
            The indices of the tensors whose δ has changed.
        """
        half_widths = self.half_widths()
        wanted = offset_range_rule.widened_half_widths(
            self.groups, offsets, half_widths, self._largest_code
        )
        growth = offset_range_rule.quotient(wanted, half_widths, otherwise=1.0)
        self.grid_scale.assign(self.grid_scale.numpy() * growth)
        self.current_mu.assign(self.current_mu.numpy() / growth)
        return [i for i in range(len(offsets)) if np.any(self.groups.of(growth, i) > 1)]

    def on_segment_end(self) -> None:
        self.next_look = None
        if self.mu in RULES:
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
