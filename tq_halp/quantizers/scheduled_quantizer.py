"""Quantizers with a schedule, which change during training: `ScheduledQuantizer`."""

import bisect
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from quant_ops.library import as_forced_now
from tq_halp.errors import InputError
from tq_halp.quantizers.convert_to_tensor import tensor
from tq_halp.quantizers.quantizer import Quantizer

UNITS = ("epoch", "step")


@dataclasses.dataclass(frozen=True)
class ScheduledQuantizer:
    """q(x) = q_k(x), where q_k is the last stage whose start has been reached; x if q_k is None.

    The gradient is that of q_k. The position in training is a tensor. It picks the stage inside the
    graph (`tf.switch_case` runs one branch only), so that a new stage needs no new trace.

    Args:
        unit: "epoch" or "step": what the starts count, from 0.
        stages: pairs of a start, an integer, and a `Quantizer` or None, in ascending order. Before
            the first start, q(x) = x.
        clock: its `now(unit)` is the position, an int64 scalar. A layer sets its own by `bind`.

    Raises:
        InputError: unit, a start or a stage is not valid.
    """

    unit: str
    stages: tuple[tuple[int, Quantizer | None], ...]
    clock: Any = dataclasses.field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"unit must be one of {', '.join(UNITS)}. Received: {self.unit!r}")
        stages = tuple((start, quantizer) for start, quantizer in self.stages)
        starts = [start for start, _ in stages]
        whole = all(isinstance(s, int) and not isinstance(s, bool) for s in starts)
        if not starts or not whole or starts[0] < 0 or sorted(set(starts)) != starts:
            raise InputError(
                f"the {self.unit}s at which stages start must be ascending whole numbers from 0. "
                f"Received: {starts}"
            )
        for _, quantizer in stages:
            if not isinstance(quantizer, (Quantizer, type(None))):
                raise InputError(f"a stage must be a Quantizer or None. Received: {quantizer!r}")
        object.__setattr__(self, "stages", ((0, None), *stages) if starts[0] else stages)

    def __call__(
        self, x: tf.Tensor, counter: tf.Tensor | int = 0, *, scale: tf.Tensor | None = None
    ) -> tf.Tensor:
        """As `Quantizer.__call__`. Only the stages with a dynamic range use `scale`."""
        x = tensor(x)

        # A gradient of our own: in an RNN's loop over time, TensorFlow's gradient of a branch takes
        # ten times as long as the step.
        @tf.custom_gradient
        def staged(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            def forward(quantizer: Quantizer | None) -> tf.Tensor:
                if quantizer is None:
                    return tf.identity(x)
                return quantizer(x, counter, scale=scale if quantizer.has_dynamic_range else None)

            def backward(dy: tf.Tensor) -> tf.Tensor:
                if all(each.gradient == "straight_through" for each in self.quantizers):
                    return dy
                return self._switch(lambda quantizer: _clipped(quantizer, x, dy, scale))

            return self._switch(forward), as_forced_now(backward)

        return staged(x)

    def scale(self, x: tf.Tensor) -> tf.Tensor | None:
        """As `Quantizer.scale`, of the current stage; 1 if that stage has a fixed step."""
        if not self.has_dynamic_range:
            return None
        one = tf.ones([], x.dtype)
        return self._switch(lambda q: q.scale(x) if q and q.has_dynamic_range else one)

    def derive(self, tensor: str) -> "ScheduledQuantizer":
        """As `Quantizer.derive`, for every stage."""
        derived = tuple((start, q and q.derive(tensor)) for start, q in self.stages)
        return dataclasses.replace(self, stages=derived)

    def bind(self, clock: Any) -> "ScheduledQuantizer":
        """The same quantizer with a clock."""
        return dataclasses.replace(self, clock=clock)

    def at(self, position: int) -> Quantizer | None:
        """The quantizer at that epoch or step; None: not quantized."""
        starts = [start for start, _ in self.stages]
        return self.stages[bisect.bisect_right(starts, position) - 1][1]

    @property
    def quantizers(self) -> tuple[Quantizer, ...]:
        """The quantizers of the stages, without None."""
        return tuple(quantizer for _, quantizer in self.stages if quantizer is not None)

    @property
    def stochastic(self) -> bool:
        """Whether any stage rounds stochastically."""
        return any(quantizer.stochastic for quantizer in self.quantizers)

    @property
    def has_dynamic_range(self) -> bool:
        """Whether the step of any stage depends on the tensor."""
        return any(quantizer.has_dynamic_range for quantizer in self.quantizers)

    @property
    def format(self) -> "StagedFormats":
        """The formats of all stages."""
        return StagedFormats(tuple(quantizer.format for quantizer in self.quantizers))

    def get_config(self) -> dict[str, Any]:
        """{"unit": ..., "stages": [[start, mapping of the quantizer or None], ...]}."""
        stages = [[start, q and q.get_config()] for start, q in self.stages]
        return {"unit": self.unit, "stages": stages}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ScheduledQuantizer":
        """The inverse of `get_config`."""
        stages = tuple((start, q and Quantizer.from_config(q)) for start, q in config["stages"])
        return cls(config["unit"], stages)

    def __str__(self) -> str:
        first, *rest = [(start, "float" if q is None else str(q)) for start, q in self.stages]
        return "; ".join([first[1], *(f"from {self.unit} {start}: {q}" for start, q in rest)])

    def _switch(self, run: Callable[[Quantizer | None], tf.Tensor]) -> tf.Tensor:
        if self.clock is None:
            raise InputError("a ScheduledQuantizer works inside a layer, which brings a clock")
        starts = tf.constant([start for start, _ in self.stages], tf.int64)
        reached = tf.cast(self.clock.now(self.unit) >= starts, tf.int32)
        branches = [lambda q=quantizer: run(q) for _, quantizer in self.stages]
        return tf.switch_case(tf.reduce_sum(reached) - 1, branches)


def _clipped(
    quantizer: Quantizer | None, x: tf.Tensor, dy: tf.Tensor, scale: tf.Tensor | None
) -> tf.Tensor:
    if quantizer is None or quantizer.gradient == "straight_through":
        return tf.identity(dy)
    return quantizer.clip_gradient(x, dy, scale if quantizer.has_dynamic_range else None)


@dataclasses.dataclass(frozen=True)
class StagedFormats:
    """The part of a `Format` that layers use, for the formats of all stages together."""

    formats: tuple

    @property
    def elementwise(self) -> bool:
        """Whether all formats are elementwise."""
        return all(format.elementwise for format in self.formats)

    def check_shape(self, shape: Sequence[int | None]) -> None:
        """As `Format.check_shape`, for every format."""
        for format in self.formats:
            format.check_shape(shape)
