"""The parts of a training algorithm, and the state that each declares.

A ``Trainer`` holds an estimator of the gradient, an iterate, and the snapshots that both may ask
for. Each is a ``Part``: arguments, state, and hooks that the trainer calls. All that a part keeps
from step to step is declared as data, variables in ``state`` and plain numbers in ``numbers``. The
trainer creates them; saving, checkpoints and resuming read the declaration.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from tq_halp.algorithms.minibatch_gradient import wide_dtype
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule
from tq_halp.formats import Format

if TYPE_CHECKING:
    from tq_halp.algorithms.trainer import Trainer


class Batch(NamedTuple):
    """A minibatch as Keras unpacks it: tensors, or nests of tensors; None where there is none."""

    x: Any
    y: Any = None
    sample_weight: Any = None


class Step(NamedTuple):
    """What an estimator gives a step."""

    #: v, one for each trainable variable: a tensor, ``tf.IndexedSlices`` or None.
    gradients: list
    #: The minibatch's loss at the iterate, a scalar.
    loss: tf.Tensor
    #: The model's outputs at the iterate, for the metrics.
    y_pred: Any


@dataclass(frozen=True)
class Zeros:
    """A variable of a part's state: its shape and dtype. It begins as zeros."""

    shape: tuple[int, ...] = ()
    dtype: str = "int64"


def like(variables: list[keras.Variable], wide: bool = False) -> list[Zeros]:
    """``Zeros`` of each variable's shape and dtype; with ``wide`` in float32 at least."""
    return [Zeros(tuple(v.shape), wide_dtype(v.dtype) if wide else v.dtype) for v in variables]


class Part:
    """A part of a ``Trainer``; use ``Estimator`` or ``Iterate``.

    The constructor's arguments are kept as attributes of the same names, by which the part is
    saved. They are numbers, strings, formats, Keras' serializable objects, or None.
    """

    #: The trainer, once there is one.
    trainer: "Trainer | None" = None
    #: Plain numbers that are kept beside the variables: {attribute: its value before training}.
    numbers: ClassVar[Mapping[str, Any]] = {}

    def state(self) -> dict[str, "Zeros | list[Zeros | None] | Part"]:
        """The variables that the trainer creates: {attribute: one, or a list with one per weight}.

        A ``Part`` stands for the state of a part of this part. The model is built.
        """
        return {}

    def bind(self, trainer: "Trainer") -> None:
        """Becomes a part of ``trainer``."""
        self.trainer = trainer

    def snapshot_schedule(self) -> SnapshotSchedule | None:
        """When the part wants snapshots w̃ and full gradients ∇f(w̃); None: never."""
        return None

    def on_built(self) -> None:
        """The variables of ``state`` are there, as attributes."""

    @property
    def weights(self) -> list[keras.Variable]:
        """The trainable variables w."""
        return self.trainer.trainable_variables

    @property
    def snapshots(self):
        """The trainer's ``Snapshots``; None if no part asks for them."""
        return self.trainer.snapshots

    # ---- hooks, in the order in which they are called -----------------------------------------

    def check_setting(self) -> None:
        """InputError if the model, the optimizer or the data do not go with the part."""

    def on_fit_begin(self) -> None:
        """Training begins; the weights may have been set by hand."""

    def before_step(self) -> None:
        """Called between steps, eagerly, before one."""

    def on_snapshot(self) -> None:
        """A snapshot was taken: w̃ = w and g̃ = ∇f(w̃) are new."""

    def after_step(self) -> None:
        """Called between steps, eagerly, after one."""

    def on_segment_end(self) -> None:
        """The last step before the next snapshot is done."""

    def on_epoch_end(self) -> None:
        """An epoch's steps are done; called once or twice."""

    def on_fit_end(self) -> None:
        """Training ends."""

    def diagnostics(self) -> dict[str, float]:
        """Numbers for an epoch's logs."""
        return {}

    # ---- saving ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain values."""
        return {
            name: _plain(getattr(self, name)) for name in inspect.signature(type(self)).parameters
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Part":
        """The part with these arguments."""
        return cls(**config)


class Estimator(Part):
    """How a step estimates the gradient ∇f(w)."""

    def gradient(self, batch: Batch) -> Step:
        """An estimate v of ∇f(w) from one minibatch; traced into the step's graph.

        ``self.trainer.minibatch_gradient(batch)`` is the ordinary pass.
        """
        raise NotImplementedError

    def keeps_batches(self, x: Any) -> bool:
        """Whether minibatches like ``x`` must hold the same samples in every epoch."""
        return False

    def steps_without_snapshot(self) -> int:
        """How many of the coming steps at least need no snapshot."""
        return 0

    def further_samples(self) -> int:
        """Samples whose gradient was taken so far beside those of the ordinary passes."""
        return 0

    def plain_steps_of(self, steps: int) -> int:
        """How many of a run's first ``steps`` steps need no snapshot."""
        return steps

    def gradients_of(self, steps: int) -> float:
        """Minibatch gradients that a run's first ``steps`` steps take."""
        return steps


class Iterate(Part):
    """Where the weights live between steps."""

    #: Whether it needs snapshots in steps for which the estimator does not.
    needs_snapshots = False

    def before_update(self) -> None:
        """The gradient is there, and the optimizer has not moved the weights yet; traced."""

    def settle(self) -> None:
        """Puts the weights, which the optimizer has moved, where they may live; traced."""

    def show_result(self) -> None:
        """Puts into the model what training is for; called before somebody looks."""


def _plain(value):
    if isinstance(value, Format):
        return value.to_dict()
    is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return keras.optimizers.schedules.serialize(value) if is_schedule else value
