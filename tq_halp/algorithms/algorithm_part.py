"""What a training algorithm is made of: ``Part``, ``Estimator``, ``Iterate``, and their state.

A ``Trainer`` has one estimator of the gradient, one iterate, and snapshots if one of the two asks
for them. Each of these is a ``Part``: it has arguments, state, and hooks that the trainer calls.
The state of a part is declared as data: ``state`` declares the variables, ``numbers`` the plain
numbers. The trainer creates them; saving, checkpoints and ``--resume`` read the same declaration.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import keras
import tensorflow as tf

from tq_halp.algorithms.minibatch_gradient import Gradient, wide_dtype
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule
from tq_halp.formats import Format


class Batch(NamedTuple):
    """A minibatch as Keras unpacks it: tensors, nests of tensors, or None."""

    x: Any
    y: Any = None
    sample_weight: Any = None


class Step(NamedTuple):
    """What an estimator returns for one step."""

    #: v, one entry for each trainable variable.
    gradients: list[Gradient]
    #: The minibatch's loss at w, a scalar.
    loss: tf.Tensor
    #: The model's outputs at w, from which the metrics are computed.
    y_pred: Any


@dataclass(frozen=True)
class Zeros:
    """Declares one variable of a part's state, by its shape and dtype. It starts as zeros."""

    shape: tuple[int, ...] = ()
    dtype: str = "int64"


def like(variables: list[keras.Variable], wide: bool = False) -> list[Zeros]:
    """Declares one variable of the same shape and dtype for each of ``variables``.

    With ``wide`` the dtype is float32 at least.
    """
    return [Zeros(tuple(v.shape), wide_dtype(v.dtype) if wide else v.dtype) for v in variables]


class Part:
    """A part of a ``Trainer``; extend ``Estimator`` or ``Iterate`` instead.

    The constructor keeps each argument as the attribute of the same name: ``get_config`` saves
    these. Arguments are numbers, strings, formats, objects that Keras can serialize, or None.
    """

    #: The trainer that the part belongs to; None before ``bind``.
    trainer: keras.Model = None
    #: The trainer's ``Snapshots``; None if no part has a ``snapshot_schedule``.
    snapshots: Any = None
    #: {argument: its name in a named class}, where another part has an argument of that name.
    named_as: ClassVar[Mapping[str, str]] = {}
    #: The plain numbers of the state: {attribute: value before training}.
    numbers: ClassVar[Mapping[str, Any]] = {}

    def state(self) -> dict[str, "Zeros | Sequence[Zeros | None] | Part"]:
        """Declares the variables of the state; the model is built when this is called.

        Returns:
            {attribute: declaration}. The trainer creates the variables, and sets the attribute. A
            ``Zeros`` becomes a variable; a list becomes a list, with None where it has None; a
            ``Part`` inside this one brings the variables that it declares itself.
        """
        return {}

    def bind(self, trainer: keras.Model) -> None:
        """Called once, by the constructor of the trainer that the part belongs to from now on."""
        self.trainer, self.snapshots = trainer, trainer.snapshots
        for name, value in self.numbers.items():
            setattr(self, name, value)

    def snapshot_schedule(self) -> SnapshotSchedule | None:
        """When to take snapshots w̃ with g̃ = ∇f(w̃); None if the part needs none."""
        return None

    @property
    def needs_full_gradient(self) -> bool:
        """Whether a snapshot must come with g̃, which costs a pass over the data."""
        return self.snapshot_schedule() is not None

    def on_built(self) -> None:
        """Called once, when the variables that ``state`` declares exist."""

    @property
    def weights(self) -> list[keras.Variable]:
        """w, the trainable variables."""
        return self.trainer.trainable_variables

    def data_state(self) -> Mapping[str, Any]:
        """State whose size the training data decide: {name in a file: array}.

        Each has ``path``, ``dtype``, ``shape``, ``numpy()`` and ``assign(values)``.
        """
        return {}

    def load_data_state(self, stored: Mapping[str, Any]) -> None:
        """Takes from a file, {name: values}, what ``data_state`` has written there."""

    def needs(self, count: int, first: Sequence[Any]) -> str | None:
        """What the part needs beside its variables, in words; as for ``TrainingLoop.needs``."""
        return None

    def wants_data_for(self) -> str | None:
        """Why ``train_on_batch`` must know all training data, a clause; None if it need not."""
        return None

    # ---- hooks, in the order in which the trainer calls them -----------------------------------

    def on_data(self) -> None:
        """Called before training, when its data are known; the trainer is built and compiled."""

    def check_order(self) -> None:
        """Called before samples are shuffled; raises InputError if they must not be."""

    def check_setting(self) -> None:
        """Raises InputError if the model, the optimizer or the data do not suit the part."""

    def on_fit_begin(self) -> None:
        """Called when training begins. The user may have set weights since the last training."""

    def before_step(self) -> None:
        """Called eagerly before a step; with steps_per_execution = k, before every k steps."""

    def on_snapshot(self) -> None:
        """Called after a snapshot: w̃ = w and g̃ = ∇f(w̃) are new."""

    def after_step(self) -> None:
        """Called eagerly after a step; with steps_per_execution = k, after every k steps."""

    def on_segment_end(self) -> None:
        """Called after the last step before the next snapshot."""

    def on_epoch_end(self) -> None:
        """Called after the steps of an epoch; twice if the epoch ends with a validation."""

    def on_fit_end(self) -> None:
        """Called when training ends."""

    def diagnostics(self) -> dict[str, float]:
        """The part's numbers for the logs of an epoch: {name: value}."""
        return {}

    # ---- saving ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as values that JSON can hold."""
        return {
            name: _plain(getattr(self, name)) for name in inspect.signature(type(self)).parameters
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Part":
        """The part whose ``get_config`` returned ``config``."""
        return cls(**config)


class Estimator(Part):
    """How a step estimates the full gradient ∇f(w)."""

    def gradient(self, batch: Batch) -> Step:
        """v, an estimate of ∇f(w) from one minibatch; traced into the step's graph.

        ``self.trainer.minibatch_gradient(batch)`` is the ordinary pass at w, ``gradients_at`` a
        pass at other weights. The gradients are multiplied by the optimizer's loss scale, if any.
        """
        raise NotImplementedError

    def keeps_batches(self, x: Any) -> bool:
        """Whether a minibatch like ``x`` must consist of the same samples in every epoch."""
        return False

    #: Whether the minibatches must consist of the same samples in a later ``fit``, too.
    outlives_fit = False
    #: Whether ``mean_gradient`` gives what snapshots need instead of a pass over the data.
    gives_mean_gradient = False

    def mean_gradient(self) -> list[tf.Tensor] | None:
        """∇f(w) as far as the estimator knows it at no cost, dense; None if it knows nothing."""
        return None

    def steps_without_snapshot(self) -> int:
        """A number of coming steps that need no snapshot; 0 if the next step needs one."""
        return 0

    def further_samples(self) -> int:
        """Samples whose gradients were computed so far, besides the ordinary passes."""
        return 0

    def plain_steps_of(self, steps: int) -> int:
        """How many of the first ``steps`` steps of a run need no snapshot."""
        return steps

    def gradients_of(self, steps: int) -> float:
        """Number of minibatch gradients that the first ``steps`` steps of a run compute."""
        return steps


class Iterate(Part):
    """Where the weights live between two steps: at full precision, on a grid, around a center."""

    #: Whether the iterate needs snapshots in those steps, too, in which the estimator needs none.
    needs_snapshots = False

    def before_update(self) -> None:
        """Called after the gradient and before the optimizer moves the weights; traced."""

    def settle(self) -> None:
        """w ← the weights, as the optimizer left them, put back where they may live; traced."""

    def show_result(self) -> None:
        """Puts the result of training, e.g. an average, into the model's weights.

        Called before ``evaluate``, ``predict``, ``save`` and the callbacks at an epoch's end.
        """


def _plain(value: Any) -> Any:
    if isinstance(value, Format):
        return value.to_dict()
    is_schedule = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
    return keras.optimizers.schedules.serialize(value) if is_schedule else value
