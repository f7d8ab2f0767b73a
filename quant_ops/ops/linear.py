"""`LinearSolver`: linear models trained by HALP in integers, or by one of its baselines."""

import time
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf

from quant_ops.arguments import boolean, choice, integer, parameter
from quant_ops.library import native

LOSSES = ("squared", "logistic", "softmax")
ALGORITHMS = ("halp", "lp_svrg", "lp_sgd", "svrg", "sgd")
MEASUREMENTS = (
    "loss",
    "gradient_norm",
    "inner_seconds",
    "gradient_seconds",
    "scale",
    "saturated",
)


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
    "sgd" compute in x's own floating-point type; their sums depend on the number of threads.

    Args:
        x: NumPy array [n, d], uint8, float32 or float64, finite; copied first unless C-contiguous.
        targets: [n]; in [0, 1] for "logistic", class indices for "softmax".
        loss: one of LOSSES; algorithm: one of ALGORITHMS.
        outputs: classes for "softmax", else 1.
        sample_weights: [n], not negative, of positive sum; all equal if None.
        l2: [d], or a number for all; the intercept has none.
        column_scales: [d] positive factors: x's columns are multiplied before they are quantized.
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

    Raises:
        ValueError: an argument is out of its range, shapes do not agree, or x is not finite.
        RuntimeError: there is no native library, and this op has no other backend; or a thread
            could not be started.
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
        intercept: bool = False,
        batch_size: int = 64,
        word_bits: int = 8,
        data_bits: int = 8,
        weight_range: float = 1.0,
        initial: Any = None,
        seed: int = 0,
        n_threads: int = 1,
    ):
        x = _features(x)
        samples, features = x.shape
        start = time.perf_counter()
        outputs = integer(outputs, "outputs", 1, 1 << 20)
        weights = np.ones(samples)
        if sample_weights is not None:
            weights = _vector("sample_weights", sample_weights)
        total = weights.sum()
        if not (np.all(weights >= 0) and 0 < total < np.inf):
            _check_finite("sample_weights", weights)
            raise ValueError(
                "sample_weights must be finite, not negative, not all zero, and have a sum"
            )
        self._scales = None if column_scales is None else _vector("column_scales", column_scales)
        scales = np.ones(0) if self._scales is None else self._scales
        if not np.all((scales > 0) & np.isfinite(scales)):
            raise ValueError("column_scales must be positive and finite")
        penalty = np.broadcast_to(_vector("l2", 0.0 if l2 is None else l2), features)
        if not np.all((penalty >= 0) & np.isfinite(penalty)):
            raise ValueError("l2 must be finite and not negative")
        if scales.size:
            penalty = penalty * scales**2
        with _user_errors(x), tf.device("CPU:0"):
            self._handle = native().quant_ops_linear_solver(
                x=tf.convert_to_tensor(x),
                targets=_targets(targets, loss, outputs, samples),
                sample_weights=weights / total,
                column_scales=scales,
                l2=penalty,
                initial=self._scaled(initial, (outputs, features + bool(intercept))),
                loss=choice(loss, "loss", LOSSES),
                algorithm=choice(algorithm, "algorithm", ALGORITHMS),
                outputs=outputs,
                intercept=boolean(intercept, "intercept"),
                batch_size=integer(batch_size, "batch_size", 1, 1 << 15),
                word_bits=parameter(word_bits, "word_bits", "linear_solver"),
                data_bits=parameter(data_bits, "data_bits", "linear_solver"),
                weight_range=float(weight_range),
                seed=integer(seed, "seed", -(1 << 63), (1 << 63) - 1),
                threads=integer(n_threads, "n_threads", 1, 1024),
            )
        self.setup_seconds = time.perf_counter() - start
        self.measurement = self._state()[1]

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
        if mu is not None and not mu > 0:
            raise ValueError(f"mu must be positive or None. Received: {mu!r}")
        steps = integer(steps, "steps", 0, 1 << 62)
        with _user_errors(), tf.device("CPU:0"):
            values = native().quant_ops_linear_epoch(
                self._handle,
                tf.constant(learning_rate, tf.float64),
                tf.constant(0.0 if mu is None else mu, tf.float64),
                tf.constant(steps, tf.int64),
                tf.constant(integer(n_threads, "n_threads", 1, 1024), tf.int64),
            )
        self.measurement = _measurement(values)
        return self.measurement

    def weights(self) -> np.ndarray:
        """The weights for x's columns as given, float64 [outputs, d + intercept]; b is last."""
        weights = self._state()[0]
        if self._scales is not None:
            weights[:, : self._scales.size] *= self._scales
        return weights

    def _state(self) -> tuple[np.ndarray, dict[str, float]]:
        with _user_errors(), tf.device("CPU:0"):
            weights, values = native().quant_ops_linear_state(self._handle)
        return np.array(weights), _measurement(values)

    def _scaled(self, initial: Any, shape: tuple[int, int]) -> np.ndarray:
        """`initial` for the scaled columns; an empty array stands for zeros."""
        if initial is None:
            return np.zeros(0)
        weights = np.array(_vector("initial", initial))
        if weights.shape != shape:
            raise ValueError(
                f"initial must be finite, of shape {shape}. Received: shape {weights.shape}"
            )
        _check_finite("initial", weights)
        if self._scales is not None:
            weights[:, : self._scales.size] /= self._scales
        return weights if np.any(weights) else np.zeros(0)


class _user_errors:
    """A context that turns TensorFlow's errors into Python's, and says where x is not finite."""

    _KINDS = {
        tf.errors.InvalidArgumentError: ValueError,
        tf.errors.ResourceExhaustedError: MemoryError,
        tf.errors.UnavailableError: RuntimeError,
    }

    def __init__(self, x: np.ndarray | None = None):
        self._x = x

    def __enter__(self) -> "_user_errors":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind in self._KINDS:
            message = str(getattr(error, "message", "")).split(" [Op:")[0].split("}} ")[-1]
            if self._x is not None and message.startswith("x must be finite"):
                _check_finite("x", self._x)
            if kind is tf.errors.UnavailableError:
                message += "; a smaller n_threads needs fewer, 1 needs none"
            raise self._KINDS[kind](message) from None


def _check_finite(name: str, array: np.ndarray) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        place = np.unravel_index(int(bad.argmax()), array.shape)
        at = list(map(int, place))
        raise ValueError(f"{name} must be finite. Received: {array[place]} at index {at}")


def _features(x: np.ndarray) -> np.ndarray:
    known = isinstance(x, np.ndarray) and x.dtype.name in ("uint8", "float32", "float64")
    if not known or x.ndim != 2 or x.size == 0:
        what = f"{x.dtype} array of shape {x.shape}" if isinstance(x, np.ndarray) else type(x)
        raise ValueError(
            f"x must be a NumPy array [n, d] of uint8, float32 or float64. Received: {what}"
        )
    if np.ma.is_masked(x):
        raise ValueError("x must have no masked elements; fill or drop them first")
    return np.ascontiguousarray(x, x.dtype.newbyteorder("="))


def _targets(values: Any, loss: str, outputs: int, samples: int) -> np.ndarray:
    targets = _vector("targets", values)
    if targets.shape != (samples,):
        raise ValueError(f"targets must have shape ({samples},). Received: {targets.shape}")
    wanted, valid = "finite", np.isfinite(targets)
    if loss == "logistic":
        wanted, valid = "in [0, 1]", (targets >= 0) & (targets <= 1)
    elif loss == "softmax":
        wanted = f"classes below {outputs}"
        valid = (targets >= 0) & (targets < outputs) & (targets == np.rint(targets))
    if not valid.all():
        first = int(valid.argmin())
        raise ValueError(f"targets must be {wanted}. Received: {targets[first]} at index [{first}]")
    return targets


def _vector(name: str, values: Any) -> np.ndarray:
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must have no masked elements; fill or drop them first")
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise ValueError(f"{name} must be real. Received: {array.dtype}")
    return array.astype(np.float64, copy=False)


def _measurement(values: tf.Tensor) -> dict[str, float]:
    return dict(zip(MEASUREMENTS, values.numpy().tolist(), strict=True))
