"""``TrainingLoop``: calls the hooks of a trainer's parts, and counts what training costs.

``train_function`` calls it before and after steps, ``callback`` when training and epochs begin and
end. So ``fit`` and ``train_on_batch`` have the same hooks.
"""

from typing import TYPE_CHECKING

from tq_halp.algorithms.checks import check_trainable
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from tq_halp.algorithms.trainer import Trainer


class TrainingLoop:
    """Calls the hooks of the parts of ``trainer``, in an order that suits all of them."""

    def __init__(self, trainer: "Trainer"):
        self._trainer = trainer
        #: Whether the train function is running, or tracing, a step at this moment.
        self.is_stepping = False

    def check_setting(self) -> None:
        """Raises InputError if the algorithm cannot train the model with this setting.

        Calls ``check_setting`` of each part.
        """
        trainer = self._trainer
        check_trainable(trainer, trainer.states.weights)
        if trainer.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(
                f"{type(trainer).__name__} trains on one device; leave the strategy out"
            )
        for part in trainer.parts:
            part.check_setting()

    def on_fit_begin(self, verbose: bool) -> None:
        """Called when training begins; with ``verbose`` full gradients show a progress bar."""
        trainer = self._trainer
        self.check_setting()
        trainer.fit_data.has_begun = True
        if trainer.snapshots is not None:
            trainer.snapshots.begin(verbose)
        trainer.estimator.on_fit_begin()
        trainer.iterate.on_fit_begin()

    def before_step(self) -> None:
        """Called eagerly before an execution, i.e. before ``steps_per_execution`` steps."""
        trainer = self._trainer
        if not trainer.fit_data.has_begun:
            trainer.fit_data.begin_by_hand()
            self.on_fit_begin(verbose=False)
        # The iterate first: if it shows an average, the snapshot must be of the iterate itself.
        trainer.iterate.before_step()
        trainer.estimator.before_step()
        if trainer.snapshots is not None:
            trainer.snapshots.before_step()

    def check_step(self) -> None:
        """Raises InputError if snapshots are needed and ``before_step`` cannot have taken them.

        This happens where the user calls ``train_step`` instead of ``train_on_batch``.
        """
        if self._trainer.snapshots is not None and not self.is_stepping:
            raise InputError(
                f"train_step of {type(self._trainer).__name__} must not be called by itself: "
                "nothing would take the snapshots that its gradients need. Use fit, or "
                "set_full_gradient_data and train_on_batch"
            )

    def after_step(self) -> None:
        """Called eagerly after an execution."""
        trainer = self._trainer
        trainer.iterate.after_step()
        trainer.estimator.after_step()
        # The snapshots last: at the end of a segment they may set the weights to a random iterate.
        if trainer.snapshots is not None:
            trainer.snapshots.after_step()

    def on_epoch_end(self) -> None:
        """Called after the steps of an epoch; twice if the epoch ends with a validation."""
        for part in self._trainer.parts:
            part.on_epoch_end()

    def on_fit_end(self) -> None:
        """Called when training ends."""
        trainer = self._trainer
        trainer.fit_data.has_begun = False
        trainer.estimator.on_fit_end()
        trainer.iterate.on_fit_end()

    # ---- cost and logs -----------------------------------------------------------------------

    @property
    def is_taking_snapshot(self) -> bool:
        """Whether a full gradient is being computed; interrupting it loses no training."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.is_taking

    @property
    def is_snapshot_due(self) -> bool:
        """Whether the next step begins with a snapshot."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.snapshot_due

    def gradient_samples(self) -> int:
        """Number of single-sample gradients computed so far, in steps and in snapshots."""
        trainer = self._trainer
        of_snapshots = 0 if trainer.snapshots is None else int(trainer.snapshots.snapshot_samples)
        return int(trainer.sample_count) + of_snapshots + trainer.estimator.further_samples()

    def gradient_evaluations(self) -> float:
        """Gradients computed so far, in passes over the training data: gradient_samples / N.

        If N, the number of samples, cannot be known, it is the mean of the epochs so far.
        """
        return self.gradient_samples() / self._trainer.fit_data.samples_of_a_pass

    def planned_gradient_evaluations(self, epochs: int, steps_per_epoch: int) -> float:
        """The ``gradient_evaluations`` of a run, before it begins; an expectation if p is random.

        It assumes that a scheduled coefficient never becomes 0.

        Args:
            epochs: length of the run.
            steps_per_epoch: number of minibatches in an epoch.
        """
        trainer, steps = self._trainer, epochs * steps_per_epoch
        gradients = trainer.estimator.gradients_of(steps)
        if trainer.snapshots is not None:
            gradients += trainer.snapshots.gradients_of(steps, steps_per_epoch)
        return gradients / steps_per_epoch

    def diagnostics(self) -> dict[str, float]:
        """The numbers that the trainer adds to the logs of an epoch: {name: value}."""
        evaluations = self.gradient_evaluations()
        logs: dict[str, float] = {
            "step": int(self._trainer.step_count),
            "gradient_evaluations": evaluations,
        }
        for part in self._trainer.parts:
            logs |= part.diagnostics()
        return logs
