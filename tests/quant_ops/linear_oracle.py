"""LM-HALP and its low-precision baselines in NumPy, one step after the other: exact.

Integers are int64, so nothing can overflow or depend on an order of summation. What the solver
computes in float32 or float64 is computed in the same type and order here; sums of floats are made
with `running_sum`, from the first to the last.
"""

import math

import numpy as np
from linear_arithmetic import (
    BATCH,
    STEP,
    U32,
    draws_below,
    predict,
    predict_change,
    random_bits,
    row_order,
)


def running_sum(values):
    return np.add.accumulate(np.ravel(values))[-1]


class LinearOracle:
    """As `quant_ops.LinearSolver`, for x in float64 and without column scales."""

    def __init__(self, x, targets, *, loss, algorithm="halp", outputs=1, sample_weights=None,
                 l2=0.0, intercept=False, batch_size=64, word_bits=8, data_bits=8,
                 weight_range=1.0, initial=None, seed=0):  # fmt: skip
        self.loss, self.algorithm, self.seed = loss, algorithm, seed
        self.centered = algorithm == "halp"
        rows, columns = x.shape
        self.batch_size = min(batch_size, rows)
        self.wide = 16 in (word_bits, data_bits)
        self.fraction_bits = 24 if self.wide else 16
        self.limit = 2 ** (word_bits - 1) - 1
        order = row_order(seed, rows)
        s = np.ones(rows) if sample_weights is None else np.asarray(sample_weights, float)
        self.s = (s / s.sum())[order]
        self.targets = np.asarray(targets, float)[order]
        self.goals = self.targets[None]
        if loss == "softmax":
            self.goals = (self.targets == np.arange(outputs)[:, None]).astype(float)
        self.pack(x[order], intercept, 2 ** (data_bits - 1) - 1)
        self.columns = columns + intercept
        self.padded = -(-self.columns // 64) * 64
        self.l2 = np.append(np.broadcast_to(float(l2), columns), np.zeros(int(intercept)))
        shape = (outputs, self.columns)
        self.center, self.gradient, self.gradient_low = (np.zeros(shape) for _ in range(3))
        self.z = np.zeros(shape, np.int64)
        self.activations, self.references = np.zeros((2, outputs, rows))
        self.exponent = min(word_bits + data_bits - 8, self.fraction_bits - 2)
        self.box, self.norm, self.seen, self.crowded, self.boxes = 0.0, 0.0, 0.0, False, 0
        self.steps_done = 0
        self.grid = np.float32(weight_range).astype(float) / (self.limit + 1)
        scale = 0.0 if self.centered else self.grid
        if initial is not None:
            scale = self.start(np.array(initial, float), scale)
        self.update_gradient(scale, False)

    def pack(self, x, intercept, limit):
        largest, root = np.abs(x).max(), math.sqrt(np.mean(x * x)) or 1.0
        self.step = (largest or root) / limit
        self.q = np.clip(np.rint(x * (1 / self.step)), -limit, limit).astype(np.int64)
        self.intercept_value = 1.0
        if intercept:
            n = max(1.0, float(np.rint(root / self.step)))
            self.intercept_value = n * self.step
            column = np.full((len(x), 1), int(min(n, limit)))
            self.q = np.append(self.q, column, axis=1)
        self.has_intercept = intercept
        self.mean_square_norm = int((self.q**2).sum()) / len(x) * self.step * self.step

    def start(self, left, scale):
        """The start is reached by movements of offsets from zero."""
        if self.has_intercept:
            left[:, -1] /= self.intercept_value
        least = 1e-15 * np.abs(left).max()
        for _ in range(8 if self.centered else 1):
            largest = np.abs(left).max()
            if not largest > least:
                break
            if self.centered:
                scale = largest / self.limit
            n = np.clip(np.rint(left / scale), -self.limit - 1, self.limit)
            self.z = n.astype(np.int64)
            left = left - n * scale
            self.finish_steps(scale)
            self.update_gradient(scale, True)
        return scale

    def weights(self):
        weights = self.center.copy()
        if self.has_intercept:
            weights[:, -1] *= self.intercept_value
        return weights

    def epoch(self, learning_rate, steps, mu=None):
        self.scale = self.choose_scale(learning_rate, steps, mu) if self.centered else self.grid
        if not self.scale > 0:
            return
        if self.centered and mu is None:
            self.run_with_fitted_scale(learning_rate, steps)
        else:
            self.run_steps(learning_rate, steps, self.scale)
        self.finish_steps(self.scale)
        self.update_gradient(self.scale, True)

    def choose_scale(self, learning_rate, steps, mu):
        g = self.full_gradient()
        norm = math.sqrt(running_sum(g * g))
        if mu is not None:
            return norm / mu / self.limit
        bound = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}[self.loss]
        curvature = bound * self.mean_square_norm / self.columns
        reach = learning_rate * steps
        first = np.abs(g).max() * (min(reach, 2 / curvature) if curvature > 0 else reach)
        if self.boxes == 0:
            self.box = first
        else:
            least = 0.5 if self.crowded else 0.3 if self.boxes == 1 else 0
            change = min(max(norm / self.norm, least), 2)
            wanted = 2 * self.box * change if self.crowded else 1.25 * self.seen * change
            self.box = max(wanted, first / 64)
        self.boxes += 1
        self.norm = norm
        return self.box / self.limit

    def run_with_fitted_scale(self, rate, steps):
        """After 1/64, 1/16, 1/4 and 1/2 of the steps the offsets are moved by some bits."""
        done = 0
        for part in (64, 16, 4, 2, 1):
            count = steps // part - done
            if count == 0:
                continue
            self.run_steps(rate, count, self.scale)
            done += count
            if done == steps:
                return
            bits = -1
            if not np.mean(np.abs(self.z) >= self.limit) > 0.01:
                expected, bits = 1.25 * np.abs(self.z).max() / (done / steps), 0
                while bits < 4 and expected * 2 ** (bits + 1) <= self.limit:
                    bits += 1
            self.z = np.rint(self.z * 2.0**bits).astype(np.int64)
            self.exponent = min(max(self.exponent - bits, 0), self.fraction_bits - 2)
            self.box *= 2.0**-bits
            self.scale *= 2.0**-bits

    def run_steps(self, rate, steps, scale):
        outputs, rows = self.activations.shape
        batches = -(-rows // self.batch_size)
        unit = rate * float(batches) * self.step * 2.0**self.exponent / scale
        units = (unit * self.s).astype(np.float32)
        decay = np.minimum(rate * self.l2, 2.0)
        one = 2.0**self.fraction_bits
        reduces = self.algorithm != "lp_sgd"
        drift = rate * (self.gradient + self.gradient_low) if reduces else 0 * self.gradient
        if self.centered:
            drift = drift + decay * self.center
        bound = 2.0 ** (50 if self.wide else 29)
        drift = np.clip(np.rint(drift / scale * one), -bound, bound).astype(np.int64)
        keep = np.rint(one * (1 - decay)).astype(np.int64)
        numbers = self.steps_done + np.arange(steps)
        stride = (self.batch_size + 3) // 4 * 4 + 64
        seen = np.float32(0)
        for number, batch in zip(
            numbers, draws_below(self.seed, BATCH, numbers, batches), strict=True
        ):
            chosen = slice(batch * self.batch_size, (batch + 1) * self.batch_size)
            q = self.q[chosen]
            counter = int(number) * 256 + STEP
            index = np.arange(outputs)[:, None] * stride + np.arange(len(q))
            y = self.changes(q, chosen, scale) * units[chosen]
            seen = max(seen, np.abs(y).max())
            y = np.clip(y, np.float32(-self.limit), np.float32(self.limit))
            below = np.floor(y)
            draw = (random_bits(self.seed, counter, index) >> U32(8)).astype(np.int64)
            gamma = below.astype(np.int64) + (draw < (y - below) * np.float32(2**24))
            self.move(gamma @ q, drift, keep, counter)
        self.steps_done += steps
        if seen > 0:
            room = math.log2(self.limit / (1.5 * float(seen)))
            exponent = math.floor(self.exponent + min(room, 64))
            self.exponent = min(max(exponent, 0), self.fraction_bits - 2)

    def changes(self, q, chosen, scale):
        """Of the predictions, in float32."""
        t = (self.z @ q.T).astype(np.float32) * np.float32(scale * self.step)
        if self.centered:
            return predict_change(self.loss, t, self.predictions[:, chosen])
        return predict(self.loss, t) - self.predictions[:, chosen]

    def move(self, sums, drift, keep, counter):
        """z = clamp(floor((z keep - sums 2^shift - drift + r) / 2^fraction_bits))."""
        shift = self.fraction_bits - self.exponent
        bound = 2 ** ((50 if self.wide else 29) - shift)
        position = np.arange(len(sums))[:, None] * self.padded + np.arange(self.columns)
        if self.wide:
            r = (random_bits(self.seed, counter, position, 1) >> U32(8)).astype(np.int64)
        else:
            # The four elements of a unit that are 16 apart share a draw, and all the lower byte.
            index = position // 64 * 16 + position % 16
            draw = random_bits(self.seed, counter, index, 1).astype(np.int64)
            r = (draw >> position % 64 // 16 * 8 & 255) * 256
            r += int(random_bits(self.seed, counter, 0xFFFFFFFF, 1)) >> 24
        moved = self.z * keep - np.clip(sums, -bound, bound) * 2**shift - drift + r
        self.z = np.clip(moved >> self.fraction_bits, -self.limit - 1, self.limit)

    def finish_steps(self, scale):
        self.center = (self.center if self.centered else 0.0) + scale * self.z
        self.seen = np.abs(self.z).max() * scale
        self.saturated = np.mean(np.abs(self.z) >= self.limit)
        self.crowded = self.saturated > 0.01

    def full_gradient(self):
        return self.gradient + self.gradient_low + self.l2 * self.center

    def update_gradient(self, scale, moved):
        if moved:
            start = self.activations if self.centered else 0.0
            self.activations = start + (self.z @ self.q.T) * (scale * self.step)
        p = predict(self.loss, self.activations)
        self.predictions = p.astype(np.float32)
        derivatives = self.s * (p - self.goals)
        rows = len(self.s)
        groups = min(8, -(-rows // 32))
        firsts = [(rows - 1) * g // groups // 32 * 32 for g in range(groups)]
        sampled = np.concatenate([np.arange(f, min(f + 32, rows)) for f in firsts])
        largest = 1.25 * np.abs(derivatives - self.references)[:, sampled].max()
        for _ in range(4):
            quantum = largest / self.limit if largest > 0 else 1.0
            changes = derivatives - self.references
            n = np.clip(np.rint(changes * (1 / quantum)), -self.limit, self.limit)
            self.references = self.references + n * quantum
            change = quantum * self.step * (n.astype(np.int64) @ self.q)
            total = self.gradient + change
            part = total - self.gradient
            self.gradient_low += (self.gradient - (total - part)) + (change - part)
            self.gradient = total
            rest = ((changes - n * quantum) ** 2).sum()
            self.gradient_norm = math.sqrt(running_sum(self.full_gradient() ** 2))
            if not math.sqrt(rest * self.mean_square_norm) > 0.01 * self.gradient_norm:
                break
            largest = max(quantum / 2, np.abs(changes).max() - self.limit * quantum)
        if moved and self.centered:
            self.z = np.zeros_like(self.z)
        if self.algorithm == "lp_sgd":
            self.predictions = self.goals.astype(np.float32)
