"""Times the ops on one tensor, each in turn with a copy of it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

import quant_ops
from quant_ops.library import forced
from tq_halp.commands.bench.op_cases import Case, shape
from tq_halp.commands.bench.timing import in_turn, median_ratio, ratio

LOOPED = 1 << 22  # elements per call of a loop; a small tensor is used many times
COMPOSITE = 1 << 20  # largest number of elements for the composite backend
COMPOSITE_TURNS = 3
PATIENCE = 6  # at most so many times `turns` until the times have settled

Quantize = Callable[[tf.Tensor, int | tf.Tensor], tf.Tensor]  # (x, counter)


class Workbench:
    """A normally distributed tensor x of a dtype and size, and the copy x * c to compare with.

    Every contender leaves x as it is and writes to memory that TensorFlow's allocator has ready, so
    none gains by working in place.
    """

    def __init__(self, dtype: str, size: int, turns: int, looped: bool):
        self.x = _normal(dtype, size)
        self.turns = turns
        self.loops = LOOPED // size if looped else 0
        factor = tf.constant(1.5, dtype)
        self.copy = _functions(lambda x, _: x * factor, self.x, self.loops)

    def measure(self, case: Case, rounding: str) -> dict[str, Any]:
        """The figures of one row, with the names in `ops.FIELDS`."""
        once, looped = _functions(quantizer(case, rounding, self.x), self.x, self.loops)
        seconds = self._in_turn({"copy": self.copy[0], "op": once})
        size = int(tf.size(self.x))
        row = _figures(seconds, size, "")
        if self.loops > 1:
            seconds = self._in_turn({"copy": self.copy[1], "op": looped})
            row |= {"loops": self.loops} | _figures(seconds, size * self.loops, "looped_")
        if is_fake_quant(case, rounding, self.x.dtype):
            baseline, _ = _functions(fake_quant, self.x, self.loops)
            seconds = self._in_turn({"fake_quant": baseline, "op": once})
            row["of_fake_quant"] = ratio(seconds["fake_quant"], seconds["op"])
        return row

    def measure_composite(self, case: Case, rounding: str) -> dict[str, Any]:
        """The native backend's rate over the composite one's; on a smaller tensor if x is large."""
        large = int(tf.size(self.x)) > COMPOSITE
        x = _normal(self.x.dtype, COMPOSITE) if large else self.x
        tasks = {}
        for backend in ("native", "composite"):
            once, _ = _functions(quantizer(case, rounding, x), x, self.loops)
            with forced(backend):
                tasks[backend] = once.get_concrete_function()
        seconds = in_turn(tasks, min(self.turns, COMPOSITE_TURNS))
        return {"of_composite": ratio(seconds["composite"], seconds["native"])}

    def _in_turn(self, tasks: dict[str, Callable]) -> dict[str, list[float]]:
        return in_turn(tasks, self.turns, at_most=PATIENCE * self.turns)


def quantizer(case: Case, rounding: str, x: tf.Tensor) -> Quantize:
    """The op of `case` with its arguments, for tensors of x's shape and dtype."""
    arguments = dict(case.arguments)
    if case.op == "scaled_integer":
        axis = arguments.get("axis")
        scale = 0.03 if axis is None else np.linspace(0.02, 0.04, x.shape[axis])
        arguments["scale"] = tf.cast(scale, x.dtype)
    op = getattr(quant_ops, case.op)

    def quantize(x: tf.Tensor, counter: int | tf.Tensor) -> tf.Tensor:
        random = {"rounding": rounding, "counter": counter} if rounding else {}
        return op(x, **arguments, **random)

    return quantize


def is_fake_quant(case: Case, rounding: str, dtype: tf.DType) -> bool:
    """Whether `fake_quant` computes the same as the case, apart from ties."""
    return case.op == "fixed_point" and dtype == tf.float32 and rounding.startswith("nearest")


def fake_quant(x: tf.Tensor, _: object) -> tf.Tensor:
    """fixed_point(x, 8, 4, rounding="nearest_up") by TensorFlow's op: 2^8 levels, 2^-4 apart."""
    return tf.quantization.fake_quant_with_min_max_args(x, min=-8, max=8 - 2**-4, num_bits=8)


def _functions(quantize: Quantize, x: tf.Tensor, loops: int) -> tuple[Any, Any]:
    """tf.functions of one application, and of `loops` in a loop, which no compiler can merge."""

    def once() -> tf.Tensor:
        return quantize(x, 0)

    def looped() -> tf.Tensor:
        start = (tf.constant(0, tf.int64), x)
        return tf.while_loop(
            lambda i, _: i < loops,
            lambda i, _: (i + 1, quantize(x, i)),
            start,
            parallel_iterations=1,
        )[1]

    return tf.function(once, autograph=False), tf.function(looped, autograph=False)


def _figures(seconds: dict[str, list[float]], elements: int, prefix: str) -> dict[str, float]:
    copy, op = seconds["copy"], seconds["op"]
    return {
        f"{prefix}melem_per_s": elements / min(op) / 1e6,
        f"{prefix}of_copy": ratio(copy, op),
        f"{prefix}median_of_copy": median_ratio(copy, op),
    }


def _normal(dtype: str | tf.DType, size: int) -> tf.Tensor:
    return tf.cast(tf.random.stateless_normal(shape(size), seed=[1, 2]), dtype)
