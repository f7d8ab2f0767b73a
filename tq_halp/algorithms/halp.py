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

import warnings

import keras
import numpy as np
import tensorflow as tf

from tq_halp.algorithms import bit_centering
from tq_halp.algorithms.svrg import SVRG
from tq_halp.formats import ScaledInteger
from tq_halp.quantizers import Quantizer


@keras.saving.register_keras_serializable(package="tq_halp")
class HALP(SVRG):
    """High-accuracy low-precision training around any Keras model.

    Args:
        model: any Keras model.
        word_bits: b, bits of the offset z, 2 to 64.
        mu: μ > 0, or "auto". The box |z_j| ≤ ‖g̃‖₂/μ holds the optimum if f is μ-strongly convex.
            A larger μ gives a finer grid until the box is so small that saturation slows progress;
            "auto" widens the first box while it fills and then sets each tensor's box from what was
            seen, so that rounding noise and saturation together cost least (``bit_centering``).
        snapshot_every, iterate, draws, seed: as for ``SVRG``.
        scale: one δ "per_tensor", from that tensor's own gradient norm, or one "global".
        rounding: of z; "stochastic" is unbiased.

    Raises:
        ValueError: an argument is not one of the above.
    """

    host_state = (*SVRG.host_state, "_next_look", "_saturated_segments")

    def __init__(
        self, model, *, word_bits=8, mu="auto", scale="per_tensor", rounding="stochastic", **kwargs
    ):
        if not isinstance(word_bits, int) or not 2 <= word_bits <= 64:
            raise ValueError(f"word_bits must be an integer from 2 to 64. Received: {word_bits!r}")
        if mu != "auto" and not (isinstance(mu, (int, float)) and 0 < mu < float("inf")):
            raise ValueError(f"mu must be 'auto' or a positive number. Received: {mu!r}")
        if scale not in ("per_tensor", "global"):
            raise ValueError(f"scale must be 'per_tensor' or 'global'. Received: {scale!r}")
        self.word_bits, self.mu, self.scale, self.rounding = word_bits, mu, scale, rounding
        super().__init__(model, **kwargs)
        self._quantizer = Quantizer(ScaledInteger(word_bits), rounding=rounding, seed=self.seed)
        self._next_look = None

    def create_state(self):
        super().create_state()
        count = len(self.trainable_variables)
        self.offset = self._like_weights("offset")
        self.grid_scale = self._per_tensor("grid_scale", count)
        self.current_mu = self._per_tensor("current_mu", count)
        self.observed_mu = self._per_tensor("observed_mu", count)
        self._saturated_segments = 0

    def _per_tensor(self, name, count):
        return self.add_weight(
            shape=(count,), initializer="zeros", dtype="float64", trainable=False, name=name
        )

    def get_config(self):
        own = {"word_bits": self.word_bits, "mu": self.mu, "scale": self.scale}
        return {**super().get_config(), **own, "rounding": self.rounding}

    # ---- one step ----------------------------------------------------------------------------

    def quantize_iterate(self):
        for index, variable in enumerate(self.trainable_variables):
            center, offset = self.center[index].value, self.offset[index].value
            moved = offset + (variable.value - (center + offset))
            self._set_offset(index, moved, self._quantizer)

    def _set_offset(self, index, offset, quantizer):
        """z ← Q(offset) and w ← w̃ + z for one tensor."""
        counter = self.random_counter(index)
        scale = self.grid_scale.value[index]
        self.offset[index].assign(quantizer(offset, counter, scale=scale))
        self.trainable_variables[index].assign(self.center[index].value + self.offset[index].value)

    # ---- outer iterations --------------------------------------------------------------------

    def take_snapshot(self):
        super().take_snapshot()
        for offset in self.offset:
            offset.assign(tf.zeros_like(offset.value))
        norms = bit_centering.gradient_norms(self._directions(), self.scale)
        mu = self._mu_of_next_segment(norms)
        self.current_mu.assign(mu)
        self.grid_scale.assign(bit_centering.scales(norms, mu, self.word_bits))

    def _mu_of_next_segment(self, norms):
        if self.mu != "auto":
            return np.full_like(norms, self.mu)
        seen = self.observed_mu.numpy()
        self._next_look = None if seen.all() else 1
        if seen.all():
            return seen
        drift = 2 * self._step_size()
        sizes = bit_centering.absolute_values(self._directions(), self.scale)
        widths = [bit_centering.first_half_width(size, drift, self.word_bits) for size in sizes]
        return _ratio(norms, np.array(widths), otherwise=1.0 / max(drift, 1e-30))

    def _directions(self):
        """What vanishes at the optimum: g̃, and λw̃ where the optimizer itself decays the weights."""
        optimizer = innermost(self.optimizer)
        decay = optimizer.weight_decay or 0.0
        return [
            full.value + decay * center.value
            if decay and optimizer._use_weight_decay(variable)
            else full.value
            for full, center, variable in zip(
                self.full_gradient, self.center, self.trainable_variables, strict=True
            )
        ]

    def _step_size(self):
        momentum = float(getattr(innermost(self.optimizer), "momentum", 0.0) or 0.0)
        return float(self.optimizer.learning_rate) / (1.0 - min(momentum, 0.999))

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

    def _widen(self):
        growth = self._box_growth(bit_centering.widened_half_width)
        self.grid_scale.assign(self.grid_scale.numpy() * growth)
        self.current_mu.assign(self.current_mu.numpy() / growth)
        quantizer = self._quantizer.derive("widen")
        for index in np.flatnonzero(growth > 1):
            self._set_offset(int(index), self.offset[index].value, quantizer)

    def end_segment(self):
        """Learn from how the offsets used their boxes, before the next snapshot clears them."""
        if self.mu == "auto":
            growth = self._box_growth(bit_centering.next_half_width)
            self.observed_mu.assign(self.current_mu.numpy() / growth)
        else:
            self._watch_saturation()
        super().end_segment()

    def _box_growth(self, rule):
        """How many times wider than its box each tensor's next one should be, by ``rule``."""
        half_widths = self._half_widths()
        sizes = bit_centering.absolute_values([z.value for z in self.offset], self.scale)
        wanted = [
            rule(size, half_width, self.word_bits)
            for size, half_width in zip(sizes, half_widths, strict=True)
        ]
        return _ratio(np.array(wanted), half_widths, otherwise=1.0)

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
        return self.grid_scale.numpy() * bit_centering.largest_code(self.word_bits)

    def _saturated_fraction(self):
        """Share of all offsets that are at the edge of their box."""
        at_edge = total = 0
        for offset, width in zip(self.offset, self._half_widths(), strict=True):
            sizes = np.abs(offset.numpy())
            at_edge += np.count_nonzero(sizes >= width * bit_centering.EDGE) if width > 0 else 0
            total += sizes.size
        return at_edge / max(total, 1)

    def _underflow_fraction(self):
        """Share of the offsets with a gradient that are 0: they want less than the grid's step."""
        zeros = total = 0
        for offset, full in zip(self.offset, self.full_gradient, strict=True):
            wants_to_move = full.numpy() != 0
            zeros += np.count_nonzero(wants_to_move & (offset.numpy() == 0))
            total += np.count_nonzero(wants_to_move)
        return zeros / max(total, 1)

    # ---- logs --------------------------------------------------------------------------------

    def diagnostics(self):
        return {
            **super().diagnostics(),
            "scale": bit_centering.geometric_mean(self.grid_scale.numpy()),
            "saturated_fraction": self._saturated_fraction(),
            "underflow_fraction": self._underflow_fraction(),
            "mu": bit_centering.geometric_mean(self.current_mu.numpy()),
        }


def innermost(optimizer):
    """The optimizer that others, which scale its loss or quantize its slots, are around."""
    while hasattr(optimizer, "inner_optimizer"):
        optimizer = optimizer.inner_optimizer
    return optimizer


def _ratio(numerator, denominator, otherwise):
    """numerator / denominator where both are positive, else ``otherwise``."""
    result = np.full_like(numerator, otherwise)
    positive = (numerator > 0) & (denominator > 0)
    return np.divide(numerator, denominator, out=result, where=positive)
