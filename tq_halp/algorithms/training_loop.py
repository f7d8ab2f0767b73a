"""What happens between the steps of a trainer, and what its logs say.

``train_function`` and ``callback`` call these; each part of the trainer has its say.
"""

from typing import TYPE_CHECKING

from tq_halp.algorithms.checks import check_trainable
from tq_halp.errors import InputError

if TYPE_CHECKING:
    from tq_halp.algorithms.trainer import Trainer


class TrainingLoop:
    """The order in which the parts of ``trainer`` are called."""

    def __init__(self, trainer: "Trainer"):
        self._trainer = trainer
        #: Whether a step is run, or traced.
        self.is_stepping = False

    def check_setting(self) -> None:
        """InputError if the model, the optimizer or the data are none to train with."""
        trainer = self._trainer
        check_trainable(trainer, trainer.states.weights)
        if trainer.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(
                f"{type(trainer).__name__} trains on one device; leave the strategy out"
            )
        for part in trainer.parts:
            part.check_setting()

    def on_fit_begin(self, verbose: bool) -> None:
        """Training begins; ``verbose``: full gradients show a progress bar."""
        trainer = self._trainer
        self.check_setting()
        trainer.fit_data.has_begun = True
        if trainer.snapshots is not None:
            trainer.snapshots.begin(verbose)
        trainer.estimator.on_fit_begin()
        trainer.iterate.on_fit_begin()

    def before_step(self) -> None:
        """Called before the steps that Keras takes at a time."""
        trainer = self._trainer
        if not trainer.fit_data.has_begun:
            trainer.fit_data.begin_by_hand()
            self.on_fit_begin(verbose=False)
        # The iterate first: a snapshot is one of the iterate, and not of what it shows.
        trainer.iterate.before_step()
        trainer.estimator.before_step()
        if trainer.snapshots is not None:
            trainer.snapshots.before_step()

    def check_step(self) -> None:
        """InputError if ``train_step`` is called without ``before_step``, which snapshots need."""
        if self._trainer.snapshots is not None and not self.is_stepping:
            raise InputError(
                f"train_step of {type(self._trainer).__name__} must not be called by itself: "
                "nothing would take the snapshots that its gradients need. Use fit, or "
                "set_full_gradient_data and train_on_batch"
            )

    def after_step(self) -> None:
        """Called after the steps that Keras takes at a time."""
        trainer = self._trainer
        trainer.iterate.after_step()
        trainer.estimator.after_step()
        # The snapshots last: they may put the weights elsewhere.
        if trainer.snapshots is not None:
            trainer.snapshots.after_step()

    def on_epoch_end(self) -> None:
        """Called when an epoch's steps are over, once or twice."""
        for part in self._trainer.parts:
            part.on_epoch_end()

    def on_fit_end(self) -> None:
        """Training ends: the model holds what it was for."""
        trainer = self._trainer
        trainer.fit_data.has_begun = False
        trainer.estimator.on_fit_end()
        trainer.iterate.on_fit_end()

    # ---- cost and logs -----------------------------------------------------------------------

    @property
    def is_taking_snapshot(self) -> bool:
        """Whether a full pass is under way, which can be broken off without loss."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.is_taking

    @property
    def is_snapshot_due(self) -> bool:
        """Whether the next step begins with a full pass."""
        snapshots = self._trainer.snapshots
        return snapshots is not None and snapshots.snapshot_due

    def gradient_samples(self) -> int:
        """Samples whose gradient was taken so far, each as often as it was."""
        trainer = self._trainer
        of_snapshots = 0 if trainer.snapshots is None else int(trainer.snapshots.snapshot_samples)
        return int(trainer.sample_count) + of_snapshots + trainer.estimator.further_samples()

    def gradient_evaluations(self) -> float:
        """Passes over the training data so far, a minibatch gradient counting its share.

        Where only passes can tell how many samples the data have, an epoch counts as one.
        """
        return self.gradient_samples() / self._trainer.fit_data.samples_of_a_pass

    def planned_gradient_evaluations(self, epochs: int, steps_per_epoch: int) -> float:
        """Passes over the training data in so many epochs; with random snapshots the expectation.

        A coefficient that a schedule gives is taken not to become 0.
        """
        trainer, steps = self._trainer, epochs * steps_per_epoch
        gradients = trainer.estimator.gradients_of(steps)
        if trainer.snapshots is not None:
            gradients += trainer.snapshots.gradients_of(steps, steps_per_epoch)
        return gradients / steps_per_epoch

    def diagnostics(self) -> dict[str, float]:
        """Numbers for the epoch's logs."""
        evaluations = self.gradient_evaluations()
        logs = {"step": int(self._trainer.step_count), "gradient_evaluations": evaluations}
        for part in self._trainer.parts:
            logs |= part.diagnostics()
        return logs
