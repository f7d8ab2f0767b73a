"""HALP: SVRG whose iterate is a b-bit offset from a full-precision center ("bit centering").

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

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms import range_rule
from tq_halp.algorithms.constraints import constrained
from tq_halp.algorithms.inner_optimizer import decay_of, optimizer_of, step_size
from tq_halp.algorithms.offset_format import OffsetFormat
from tq_halp.algorithms.scale_groups import GRANULARITIES, Groups
from tq_halp.algorithms.svrg import SVRG
from tq_halp.errors import InputError
from tq_halp.formats import ScaledInteger
from tq_halp.formats import get as get_format
from tq_halp.quantizers import Quantizer

DEFAULT_WORD_BITS = 8


@keras.saving.register_keras_serializable(package="tq_halp")
class HALP(SVRG):
    """High-accuracy low-precision training around any Keras model.

    Args:
        model: any Keras model.
        word_bits: b, bits of the offset z, 2 to 64.
        mu: μ > 0, or "auto". The box |z_j| ≤ ‖g̃‖₂/μ holds the optimum if f is μ-strongly convex.
            A larger μ gives a finer grid until the box is so small that saturation slows progress;
            "auto" widens the first box while it fills and from then on moves each box by what the
            gradient after a segment says of it (``range_rule.pull``).
        snapshot_every, iterate, draws, seed and further options: as for ``SVRG``.
        scale: one δ "per_tensor", from that tensor's own gradient norm; "per_channel", for each
            index of a kernel's last axis; or one "global", as in the paper.
        rounding: of z; "stochastic" is unbiased.
        format: of z, instead of ``word_bits``: any format, its name or its mapping. Its largest
            number is stretched to the edge of the box; block formats, which have none, need no μ.

    Raises:
        ValueError: an argument is not one of the above.
    """

    #: The grid needs the gradient also where the steps do not.
    needs_full_gradient_always = True
    host_state = (*SVRG.host_state, "_next_look", "_saturated_segments")

    def __init__(
        self,
        model,
        *,
        word_bits=DEFAULT_WORD_BITS,
        mu="auto",
        scale="per_tensor",
        rounding="stochastic",
        format=None,
        **kwargs,
    ):
        is_count = isinstance(word_bits, numbers.Integral) and not isinstance(word_bits, bool)
        if not is_count or not 2 <= word_bits <= 64:
            raise InputError(f"word_bits must be an integer from 2 to 64. Received: {word_bits!r}")
        is_number = isinstance(mu, numbers.Real) and not isinstance(mu, bool)
        if mu != "auto" and not (is_number and 0 < mu < float("inf")):
            raise InputError(f"mu must be 'auto' or a positive number. Received: {mu!r}")
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
        self.mu = mu if mu == "auto" else float(mu)
        self.format = None if format is None else get_format(format)
        super().__init__(model, **kwargs)
        format = self.format or ScaledInteger(self.word_bits)
        self._round = OffsetFormat(Quantizer(format, rounding=rounding, seed=self.seed))
        if self._round.largest is None and mu != "auto":
            raise InputError(f"mu must be 'auto' for {self.format}, which has no box to scale")

    def create_state(self):
        super().create_state()
        self._groups = Groups([v.shape for v in self.trainable_variables], self.scale)
        self.offset, per_group = self._like_weights("offset"), (self._groups.count,)
        self.grid_scale = self._zeros("grid_scale", per_group, "float64")
        self.current_mu = self._zeros("current_mu", per_group, "float64")
        self.last_move = self._zeros("last_move", per_group, "float64")
        self.has_segment = self._zeros("has_segment")
        self.weights_were_set = self._zeros("weights_were_set")
        # P(w̃ + z) of constrained weights, which need not be P of itself.
        self.projected = [
            None if v.constraint is None else self._zeros(f"projected_{i}", v.shape, v.dtype)
            for i, v in enumerate(self.trainable_variables)
        ]
        self._next_look, self._saturated_segments = None, 0

    def get_config(self):
        own = {"word_bits": self.word_bits, "mu": self.mu, "scale": self.scale}
        format = self.format and self.format.to_dict()
        return {**super().get_config(), **own, "rounding": self.rounding, "format": format}

    # ---- one step ----------------------------------------------------------------------------

    def before_update(self):
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
        return zip(self.trainable_variables, self.center, self.offset, strict=True)

    def quantize_iterate(self):
        for index, variable in enumerate(self.trainable_variables):
            weight = tf.convert_to_tensor(variable.value)
            # Not before the optimizer: else the sums of all tensors wait for it in memory.
            with tf.control_dependencies([weight]):
                center, offset = self.center[index].value, self.offset[index].value
                if variable.constraint is None:
                    moved = offset + (weight - (center + offset))
                else:
                    # The weight was projected after the offset was added, and so it is again.
                    moved = weight - center
            self._set_offset(index, moved, self._round)

    def _set_offset(self, index, offset, to_grid):
        """z ← Q(offset) and w ← P(w̃ + z) for one tensor, P being the constraint of its weights."""
        scale = self._groups.of(self.grid_scale.value, index)
        self.offset[index].assign(to_grid(offset, scale, self.random_counter(index)))
        moved = self.center[index].value + self.offset[index].value
        variable = self.trainable_variables[index]
        variable.assign(constrained(variable, moved))
        self._note_projected(index)

    def _note_projected(self, index):
        if self.projected[index] is not None:
            self.projected[index].assign(self.trainable_variables[index].value)

    # ---- outer iterations --------------------------------------------------------------------

    def take_snapshot(self):
        half_widths = self._half_widths()
        super().take_snapshot()
        if self._round.largest is None:
            self.grid_scale.assign(tf.ones_like(self.grid_scale.value))
        else:
            (squares,) = self._groups.each(lambda g, _: [np.square(g)], self._directions())
            norms = np.sqrt(squares)
            mu = self._mu_of_next_segment(norms, half_widths)
            self.current_mu.assign(mu)
            self.grid_scale.assign(range_rule.scales(norms, mu, self._round.largest))
        for index, offset in enumerate(self.offset):
            offset.assign(tf.zeros_like(offset.value))
            self._note_projected(index)

    def _mu_of_next_segment(self, norms, half_widths):
        if self.mu != "auto":
            return np.full_like(norms, self.mu)
        mu = self.current_mu.numpy()
        if int(self.has_segment):
            self.has_segment.assign(0)
            return range_rule.next_mu(norms, mu, half_widths, self._growth(half_widths))
        if mu.any():
            return mu
        self._next_look = 1
        drifts = self._drifts()
        widths = range_rule.first_half_widths(
            self._groups, self._directions(), drifts, self._round.largest
        )
        return range_rule.quotient(norms, widths, otherwise=1.0 / max(*drifts, 1e-30))

    def _growth(self, half_widths):
        """How many times wider each box shall be than the one of the segment that has ended."""
        pull = range_rule.pull(
            self._groups,
            self.offset,
            self._directions(),
            half_widths,
            half_widths / self._round.largest * self._round.noise_follows_box,
        )
        move = range_rule.next_move(self.last_move.numpy(), pull)
        self.last_move.assign(move)
        return 2.0 ** (np.abs(move) * pull)

    def _directions(self):
        """What vanishes at the optimum: g̃, and λw̃ where the optimizer itself decays the weights."""
        directions = []
        for full, center, variable in zip(
            self.full_gradient, self.center, self.trainable_variables, strict=True
        ):
            decay = decay_of(optimizer_of(self.optimizer, variable), variable)
            directions.append(full.value + decay * center.value if decay else full)
        return directions

    def _drifts(self):
        """How far a gradient of 1 moves each tensor in two steps."""
        moved_by = (optimizer_of(self.optimizer, v) for v in self.trainable_variables)
        return [2 * step_size(optimizer) for optimizer in moved_by]

    def after_step(self):
        """How far a segment goes is unknown before the first: there the box grows with the offsets.

        It starts two steps wide and is looked at after steps 1, 2, 4, 8, ... (with
        steps_per_execution > 1, at the next time that Keras comes back from its steps).
        """
        steps = int(self.steps_since_snapshot)
        if self._next_look and self._next_look <= steps < self.segment_length:
            self._widen()
            self._next_look = 2 * steps
        super().after_step()
        if int(self.weights_were_set):
            self.snapshot_due = True

    def _widen(self):
        half_widths = self._half_widths()
        wanted = range_rule.widened_half_widths(
            self._groups, self.offset, half_widths, self._round.largest
        )
        growth = range_rule.quotient(wanted, half_widths, otherwise=1.0)
        self.grid_scale.assign(self.grid_scale.numpy() * growth)
        self.current_mu.assign(self.current_mu.numpy() / growth)
        to_grid = self._round.derive("widen")
        for index, offset in enumerate(self.offset):
            if np.any(self._groups.of(growth, index) > 1):
                self._set_offset(index, offset.value, to_grid)

    def end_segment(self):
        super().end_segment()
        if self.candidate:
            for index, variable in enumerate(self.trainable_variables):
                self.offset[index].assign(variable.value - self.center[index].value)
        self._next_look = None
        if self.mu == "auto":
            self.has_segment.assign(1)
        else:
            self._watch_saturation()

    def _watch_saturation(self):
        fraction = self._saturated_fraction()
        self._saturated_segments = self._saturated_segments + 1 if fraction > 0.05 else 0
        if self._saturated_segments == 2:
            self._warn_of_saturation(fraction)

    def _warn_of_saturation(self, fraction):
        warnings.warn(
            f"{100 * fraction:.0f}% of HALP's offsets have reached the edge of "
            f"their {self.word_bits}-bit grid in two snapshots running, which slows progress: "
            f"mu={self.mu} is too large. Try mu={self.mu / 4:.3g} or mu='auto'; if the full "
            "gradient grows as well, more bits.",
            stacklevel=2,
        )

    def _half_widths(self):
        largest = self._round.largest
        return self.grid_scale.numpy() * largest if largest else np.full(self._groups.count, np.inf)

    def _saturated_fraction(self):
        return range_rule.saturated_fraction(self._groups, self.offset, self._half_widths())

    # ---- logs --------------------------------------------------------------------------------

    def diagnostics(self):
        return {
            **super().diagnostics(),
            "scale": range_rule.geometric_mean(self.grid_scale.numpy()),
            "saturated_fraction": self._saturated_fraction(),
            "underflow_fraction": range_rule.underflow_fraction(self.offset, self.full_gradient),
            "mu": range_rule.geometric_mean(self.current_mu.numpy()),
        }
