"""`LinearSolver`: linear models trained by HALP in integers, or by one of its baselines."""

import ctypes
import threading
import time
import weakref
from typing import Any

import numpy as np

from quant_ops.linear import vectors
from quant_ops.linear.columns import Columns
from quant_ops.linear.engine import Measured, Model, engine, named
from quant_ops.linear.matrix import described, is_double, readable
from quant_ops.plain_arguments import boolean, choice, integer, parameter

LOSSES = ("squared", "logistic", "softmax")
ALGORITHMS = ("halp", "lp_svrg", "lp_sgd", "svrg", "sgd")


class LinearSolver:
    """Trains a linear model, one outer epoch per call (LM-HALP, De Sa et al. 2018, Algorithm 3).

        f(w, b) = sum_i s_i loss_i(w . x_i + b) / sum_i s_i + 1/2 sum_j l2_j |w_j|^2

    squared: (a - target)^2 / 2. logistic: log(1 + exp(a)) - target a. softmax:
    log(sum_c exp(a_c)) - a_target, one output per class.

    "halp" quantizes x once, to multiples of max |x| / (2^(data_bits-1) - 1), and minimises f over
    that. An outer epoch of T steps, each on one of ceil(n / batch_size) batches at random, moves
    integer offsets z of word_bits from the centre:

        gamma_i = Q(rate (loss'_i(x_i . (w + z)) - loss'_i(x_i . w)))    one integer per sample
        z       = Q(z - sum_i gamma_i x_i - rate gradient(w))            integer arithmetic only

    Q is stochastic rounding. Then w moves by z in double precision, and one integer pass over the
    data gives the gradient there; the rounding error of a pass is added to the next. The result
    depends on the arguments and the seed, not on the number of threads or the instruction set.

    "lp_svrg" and "lp_sgd" hold the weights themselves in word_bits, on a fixed grid. "svrg" and
    "sgd" compute in float32, or in float64 where that does not hold all numbers of x's dtype; their
    sums depend on the number of threads.

    Args:
        x: NumPy array [n, d] of floats of 16, 32 or 64 bits or of integers, finite; read where it
            is, in its own order. What it holds is copied in the algorithm's precision.
        targets: [n]; in [0, 1] for "logistic", class indices for "softmax".
        loss: one of LOSSES; algorithm: one of ALGORITHMS.
        outputs: classes for "softmax", else 1.
        sample_weights: [n], not negative, of positive sum; all equal if None.
        l2: [d], or a number for all; the intercept has none.
        column_scales: [d] positive factors: x's columns are multiplied before they are quantized.
        column_centres: [d]: subtracted before that; the weights are those of the centred columns.
        columns: what `survey` found in x; with column_centres `squares` is of the centred columns.
            None reads x once more.
        intercept: whether there is a b.
        batch_size: samples of a step.
        word_bits: 8 or 16. data_bits: 4, 8 or 16.
        weight_range: the weights of "lp_svrg" and "lp_sgd" are in [-range, range).
        initial: [outputs, d + intercept] weights to start from; zero if None.
        seed: of the batches and of stochastic rounding.
        n_threads: 1 to 1024; for quantizing and copying the data.

    Attributes:
        measurement: loss, gradient_norm (2-norm of f's gradient, for the quantized x where x is
            quantized, to one percent), inner_seconds, gradient_seconds, scale (step of the epoch's
            offsets) and saturated (share of offsets at the ends of their range).
        setup_seconds: seconds that quantizing and copying the data took.
        largest_row: the largest of s_i |x_i|^2, the weights s_i divided by their mean.

    Raises:
        ValueError: an argument is out of its range, shapes do not agree, or x is not finite.
        RuntimeError: there is no compiled engine, or a thread could not be started.
        MemoryError: there is not enough memory. An epoch that raises leaves the solver as it was.

    References: De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383, section 5.
    """

    def __init__(
        self,
        x: np.ndarray,
        targets: Any,
        *,
        loss: str,
        algorithm: str = "halp",
        outputs: int = 1,
        sample_weights: Any = None,
        l2: Any = 0.0,
        column_scales: Any = None,
        column_centres: Any = None,
        columns: Columns | None = None,
        intercept: bool = False,
        batch_size: int = 64,
        word_bits: int = 8,
        data_bits: int = 8,
        weight_range: float = 1.0,
        initial: Any = None,
        seed: int = 0,
        n_threads: int = 1,
    ):
        start = time.perf_counter()
        x = readable(x)
        samples, features = x.shape
        choice(loss, "loss", LOSSES)
        outputs = vectors.output_count(outputs, loss)
        self._scales = vectors.positive("column_scales", column_scales, features)
        self._lock, self._engine = threading.Lock(), engine()
        self._samples = samples
        self._shape = outputs, features + boolean(intercept, "intercept")
        held = {
            "targets": vectors.targets(targets, loss, outputs, samples),
            "weights": vectors.shares(sample_weights, samples),
            "column_scales": self._scales,
            "column_centres": vectors.finite("column_centres", column_centres, features),
            "l2": vectors.penalties(l2, self._scales, features),
            "initial": self._scaled(initial),
        }
        model = Model(
            loss=LOSSES.index(loss),
            algorithm=ALGORITHMS.index(choice(algorithm, "algorithm", ALGORITHMS)),
            outputs=outputs,
            intercept=intercept,
            word_bits=parameter(word_bits, "word_bits", "linear_solver"),
            data_bits=parameter(data_bits, "data_bits", "linear_solver"),
            double_precision=is_double(x),
            threads=integer(n_threads, "n_threads", 1, 1024),
            batch_size=integer(batch_size, "batch_size", 1, 1 << 15),
            seed=integer(seed, "seed", -(1 << 63), (1 << 63) - 1) % (1 << 64),
            weight_range=vectors.grid_range(weight_range),
            **{name: None if a is None else a.ctypes.data for name, a in held.items()},
        )
        handle = ctypes.c_void_p()
        known = None if columns is None else ctypes.byref(columns.pointers(features))
        try:
            self._engine.call("make", described(x), model, known, ctypes.byref(handle))
        except ValueError:
            vectors.check_finite("x", x)
            raise
        self._handle = handle
        weakref.finalize(self, self._engine.free, handle)
        self.setup_seconds = time.perf_counter() - start
        _, self.measurement, self.largest_row = self._state()

    def epoch(
        self, learning_rate: float, steps: int, mu: float | None = None, n_threads: int = 1
    ) -> dict[str, float]:
        """Runs one outer epoch.

        Args:
            learning_rate: of the inner steps.
            steps: inner steps, 0 or more.
            mu: HALP's scale is |gradient| / (mu (2^(word_bits-1) - 1)). None chooses the scale from
                the largest offset of the epoch before and the decrease of the gradient.
            n_threads: 1 to 1024.

        Returns:
            The epoch's `measurement`.

        Raises:
            ValueError: an argument is out of its range.
        """
        rate = vectors.above_zero("learning_rate", learning_rate)
        mu = 0.0 if mu is None else vectors.above_zero("mu", mu)
        steps = integer(steps, "steps", 0, 1 << 62)
        threads, measured = integer(n_threads, "n_threads", 1, 1024), Measured()
        with self._lock:
            self._engine.call("epoch", self._handle, rate, mu, steps, threads, measured)
            self.measurement = named(measured)
        return self.measurement

    def weights(self) -> np.ndarray:
        """The weights for x's columns as given, float64 [outputs, d + intercept]; b is last."""
        weights = self._state()[0]
        if self._scales is not None:
            weights[:, : self._scales.size] *= self._scales
        return weights

    def largest_eigenvalue(self, first: int, rows: int) -> float:
        """That of sum_i s_i x_i x_i^T / rows over some samples, from below, by power iteration.

        Args:
            first, rows: samples [first, first + rows) in the order of the batches, which is random;
                at most 32,768. The weights s_i are divided by their mean over all samples.

        Raises:
            ValueError: there are no such samples.
        """
        first = integer(first, "first", 0, self._samples - 1)
        rows = integer(rows, "rows", 1, min(self._samples - first, 1 << 15))
        found = ctypes.c_double()
        with self._lock:
            self._engine.call("eigenvalue", self._handle, first, rows, ctypes.byref(found))
        return found.value

    def __reduce__(self) -> str:
        raise TypeError(
            "a LinearSolver is memory of the engine's, and cannot be copied or pickled; make "
            "another one with initial=solver.weights()"
        )

    def _state(self) -> tuple[np.ndarray, dict[str, float], float]:
        weights, measured, row = np.empty(self._shape), Measured(), ctypes.c_double()
        with self._lock:
            place = weights.ctypes.data
            self._engine.call("state", self._handle, place, measured, ctypes.byref(row))
        return weights, named(measured), row.value

    def _scaled(self, initial: Any) -> np.ndarray | None:
        """`initial` for the scaled columns; None stands for zeros."""
        if initial is None:
            return None
        weights = np.array(vectors.real("initial", initial), order="C")
        if weights.shape != self._shape:
            raise ValueError(
                f"initial must be finite, of shape {self._shape}. Received: shape {weights.shape}"
            )
        vectors.check_finite("initial", weights)
        if np.abs(weights).max(initial=0.0) > vectors.LARGEST:
            raise ValueError(
                f"initial must have magnitudes up to {vectors.LARGEST:g}, whose squares can be "
                f"added. Received: {np.abs(weights).max():g}"
            )
        if self._scales is not None:
            weights[:, : self._scales.size] /= self._scales
        return weights if np.any(weights) else None
