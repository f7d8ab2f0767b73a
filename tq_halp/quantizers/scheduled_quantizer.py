"""A quantizer that changes as training goes on: from float to quantized, or from bits to bits."""

import bisect
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from quant_ops.library import as_forced_now
from tq_halp.errors import InputError
from tq_halp.quantizers.as_tensor import tensor
from tq_halp.quantizers.quantizer import Quantizer

UNITS = ("epoch", "step")


@dataclasses.dataclass(frozen=True)
class ScheduledQuantizer:
    """q(x) = q_k(x), q_k the last stage whose start has been reached; x itself where q_k is None.

    The gradient is that of q_k. The position in training, a tensor, picks the stage inside the
    graph (`tf.switch_case`, of which only one branch runs), so that no stage costs a new trace.

    Args:
        unit: "epoch" or "step": what the starts count, from 0.
        stages: pairs of a start and a `Quantizer` or None, starts ascending from 0. If the first is
            later, x itself comes before it.
        clock: has `now(unit)`, an int64 scalar; a layer brings its own with `bind`.

    Raises:
        InputError: unit, a start or a stage is wrong.
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
        """As `Quantizer.__call__`; `scale` is for the stages that take one."""
        x = tensor(x)

        # Stated here and not left to TensorFlow, whose gradient of a branch in an RNN's loop over
        # time costs ten times the step.
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
        """As `Quantizer.scale`: of the stage that is on, 1 where that has none."""
        if not self.has_dynamic_range:
            return None
        one = tf.ones([], x.dtype)
        return self._switch(lambda q: q.scale(x) if q and q.has_dynamic_range else one)

    def derive(self, tensor: str) -> "ScheduledQuantizer":
        """As `Quantizer.derive`, for every stage."""
        derived = tuple((start, q and q.derive(tensor)) for start, q in self.stages)
        return dataclasses.replace(self, stages=derived)

    def bind(self, clock: Any) -> "ScheduledQuantizer":
        """The same with a clock to go by."""
        return dataclasses.replace(self, clock=clock)

    def at(self, position: int) -> Quantizer | None:
        """The stage that is on at that epoch or step."""
        starts = [start for start, _ in self.stages]
        return self.stages[bisect.bisect_right(starts, position) - 1][1]

    @property
    def quantizers(self) -> tuple[Quantizer, ...]:
        """Those of the stages that quantize."""
        return tuple(quantizer for _, quantizer in self.stages if quantizer is not None)

    @property
    def stochastic(self) -> bool:
        return any(quantizer.stochastic for quantizer in self.quantizers)

    @property
    def has_dynamic_range(self) -> bool:
        return any(quantizer.has_dynamic_range for quantizer in self.quantizers)

    @property
    def format(self) -> "StagedFormats":
        return StagedFormats(tuple(quantizer.format for quantizer in self.quantizers))

    def get_config(self) -> dict[str, Any]:
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
    """What layers ask of a format, answered for the formats of all stages."""

    formats: tuple

    @property
    def elementwise(self) -> bool:
        return all(format.elementwise for format in self.formats)

    def check_shape(self, shape: Sequence[int | None]) -> None:
        for format in self.formats:
            format.check_shape(shape)
