"""How far the grid of HALP's offsets reaches: |z_j| ≤ r = ‖g̃‖₂ / μ, for each group of weights.

``GridRange`` keeps μ and the grid's scale δ from segment to segment; the rule by which μ = "auto"
moves them is in ``range_rule``.
"""

import numbers

import numpy as np
import tensorflow as tf

from tq_halp.algorithms.inner_optimizer import decay_of, optimizer_of, step_size
from tq_halp.algorithms.iterates import range_rule
from tq_halp.algorithms.iterates.offset_format import OffsetFormat
from tq_halp.algorithms.iterates.scale_groups import ScaleGroups
from tq_halp.algorithms.part import Part, Zeros
from tq_halp.errors import InputError


class GridRange(Part):
    """μ and δ of the groups of weights that share a scale.

    Args:
        mu: μ > 0, or "auto".
        granularity: of the groups, as for ``ScaleGroups``.
        format: the ``OffsetFormat``; its largest number lies at r.

    Raises:
        InputError: mu is neither, or is a number for a format that fits itself to its numbers.
    """

    numbers = {"next_look": None}

    def __init__(self, mu: str | float, granularity: str, format: OffsetFormat):
        is_number = isinstance(mu, numbers.Real) and not isinstance(mu, bool)
        if mu != "auto" and not (is_number and 0 < mu < float("inf")):
            raise InputError(f"mu must be 'auto' or a positive number. Received: {mu!r}")
        if format.largest is None and mu != "auto":
            raise InputError(f"mu must be 'auto' for {format.format}, which has no range to scale")
        self.mu, self.largest = mu if mu == "auto" else float(mu), format.largest
        self._granularity, self._noise_follows_range = granularity, format.noise_follows_range

    def state(self):
        self.groups = ScaleGroups([v.shape for v in self.weights], self._granularity)
        per_group = Zeros((self.groups.count,), "float64")
        return {
            "grid_scale": per_group,
            "current_mu": per_group,
            "last_move": per_group,
            "has_segment": Zeros(),
        }

    def scale_of(self, index: int):
        """δ of tensor ``index``: a scalar, or a vector along its last axis."""
        return self.groups.of(self.grid_scale.value, index)

    def half_widths(self) -> np.ndarray:
        """r of each group; infinite for a format without a range."""
        if not self.largest:
            return np.full(self.groups.count, np.inf)
        return self.grid_scale.numpy() * self.largest

    # ---- at a snapshot -----------------------------------------------------------------------

    def fit(self, offsets: list) -> None:
        """δ ← ‖g̃‖₂ / (μ · largest code), where z are the offsets of the segment that has ended."""
        if self.largest is None:
            self.grid_scale.assign(tf.ones_like(self.grid_scale.value))
            return
        (squares,) = self.groups.each(lambda g, _: [np.square(g)], self._directions())
        norms = np.sqrt(squares)
        mu = self._mu_of_next_segment(norms, offsets)
        self.current_mu.assign(mu)
        self.grid_scale.assign(range_rule.scales(norms, mu, self.largest))

    def _mu_of_next_segment(self, norms, offsets):
        if self.mu != "auto":
            return np.full_like(norms, self.mu)
        mu, half_widths = self.current_mu.numpy(), self.half_widths()
        if int(self.has_segment):
            self.has_segment.assign(0)
            growth = self._growth(offsets, half_widths)
            return range_rule.next_mu(norms, mu, half_widths, growth)
        if mu.any():
            return mu
        self.next_look = 1
        drifts = self._drifts()
        widths = range_rule.first_half_widths(self.groups, self._directions(), drifts, self.largest)
        return range_rule.quotient(norms, widths, otherwise=1.0 / max(*drifts, 1e-30))

    def _growth(self, offsets, half_widths):
        """How many times wider each range shall be than in the segment that has ended."""
        pull = range_rule.pull(
            self.groups,
            offsets,
            self._directions(),
            half_widths,
            half_widths / self.largest * self._noise_follows_range,
        )
        move = range_rule.next_move(self.last_move.numpy(), pull)
        self.last_move.assign(move)
        return 2.0 ** (np.abs(move) * pull)

    def _directions(self):
        """What vanishes at the optimum: g̃, and λw̃ where the optimizer itself decays the weights."""
        directions, optimizer = [], self.trainer.optimizer
        for full, center, variable in zip(
            self.snapshots.full_gradient, self.snapshots.center, self.weights, strict=True
        ):
            decay = decay_of(optimizer_of(optimizer, variable), variable)
            directions.append(full.value + decay * center.value if decay else full)
        return directions

    def _drifts(self):
        """How far a gradient of 1 moves each tensor in two steps."""
        moved_by = (optimizer_of(self.trainer.optimizer, v) for v in self.weights)
        return [2 * step_size(optimizer) for optimizer in moved_by]

    # ---- within the first segment ------------------------------------------------------------

    def is_to_look(self) -> bool:
        """Whether to ``widen`` now, where the range is too narrow.

        How far a segment goes is unknown before the first: there the range grows with the offsets.
        It starts two steps wide and is looked at after steps 1, 2, 4, 8, ... (with
        steps_per_execution > 1, at the next time that Keras comes back from its steps).
        """
        steps = int(self.snapshots.steps_since_snapshot)
        if not self.next_look or not self.next_look <= steps < self.snapshots.segment_length:
            return False
        self.next_look = 2 * steps
        return True

    def widen(self, offsets: list) -> list[int]:
        """Makes ranges wider that the offsets fill; returns the tensors whose δ has changed."""
        half_widths = self.half_widths()
        wanted = range_rule.widened_half_widths(self.groups, offsets, half_widths, self.largest)
        growth = range_rule.quotient(wanted, half_widths, otherwise=1.0)
        self.grid_scale.assign(self.grid_scale.numpy() * growth)
        self.current_mu.assign(self.current_mu.numpy() / growth)
        return [i for i in range(len(offsets)) if np.any(self.groups.of(growth, i) > 1)]

    def on_segment_end(self) -> None:
        self.next_look = None
        if self.mu == "auto":
            self.has_segment.assign(1)

    # ---- logs --------------------------------------------------------------------------------

    def saturated_fraction(self, offsets: list) -> float:
        """Share of the offsets that are at the edge of their range."""
        return range_rule.saturated_fraction(self.groups, offsets, self.half_widths())

    def diagnostics(self) -> dict[str, float]:
        return {
            "scale": range_rule.geometric_mean(self.grid_scale.numpy()),
            "mu": range_rule.geometric_mean(self.current_mu.numpy()),
        }
