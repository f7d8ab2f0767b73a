"""A training algorithm around a Keras model: an estimator of the gradient, and an iterate.

Keras keeps doing what it does (batching, callbacks, validation, progress bar, saving). This class
says what one step is:

    v = estimator.gradient(batch)       the minibatch's, or a variance-reduced one
    w' = optimizer(w, v)                any Keras optimizer, with all it does
    w  = iterate.settle(w')             back to where weights may live: a grid, center + offset

Because the optimizer acts on w itself, weight decay, constraints and whatever else it does with the
weights mean the same for every algorithm.
"""

import functools
from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms import saved_states
from tq_halp.algorithms.batches import split_validation
from tq_halp.algorithms.callback import with_callback
from tq_halp.algorithms.checks import check_arguments, check_model, checked_part, checked_seed
from tq_halp.algorithms.compile_like import compile_like
from tq_halp.algorithms.estimators.minibatch import Minibatch
from tq_halp.algorithms.fit_data import FitData
from tq_halp.algorithms.iterates.full_precision import FullPrecision
from tq_halp.algorithms.minibatch_gradient import batch_size_of, each_row_once
from tq_halp.algorithms.part import Batch, Estimator, Iterate, Step
from tq_halp.algorithms.snapshots import Snapshots
from tq_halp.algorithms.train_function import train_function
from tq_halp.algorithms.training_loop import TrainingLoop
from tq_halp.keras_internals.training import loss_tracker
from tq_halp.unsaved_states import restore, saved_by_keras, states_left_out


def _of_result(method):
    """A method of a Keras model, called when the model holds what training is for."""

    @functools.wraps(method)
    def call(self, *args, **kwargs):
        self.show_result()
        return method(self, *args, **kwargs)

    return call


@keras.saving.register_keras_serializable(package="tq_halp")
class Trainer(keras.Model):
    """Trains ``model`` with any pair of an estimator and an iterate.

    It computes what ``model`` computes and trains its variables in place. If the model is compiled,
    its optimizer (configuration, not state), loss and metrics are taken over, if Keras can copy
    them.

    Args:
        model: any Keras model.
        estimator: of ``tq_halp.estimators``, or your own; None: ``Minibatch()``.
        iterate: of ``tq_halp.iterates``, or your own; None: ``FullPrecision()``.
        seed: key of every random draw of the algorithm, an integer from 0 to 2⁶³ − 1; with the
            step counter it fixes them all.
        kwargs: ``name`` and ``dtype``, as for any Keras model.

    Raises:
        InputError: an argument is not one of the above, or the two parts do not go together.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        estimator: Estimator | None = None,
        iterate: Iterate | None = None,
        seed: int = 0,
        **kwargs: Any,
    ):
        check_model(model, type(self).__name__)
        check_arguments(type(self), kwargs)
        # The model's policy decides about loss scales; the model itself casts what it is given.
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.model, self.seed = model, checked_seed(seed)
        self.estimator = checked_part("estimator", estimator or Minibatch(), Estimator)
        self.iterate = checked_part("iterate", iterate or FullPrecision(), Iterate)
        schedule = self.estimator.snapshot_schedule() or self.iterate.snapshot_schedule()
        self.snapshots = None if schedule is None else Snapshots(schedule)
        self.fit_data = FitData()
        #: In the order in which their states are created.
        self.parts = [p for p in (self.snapshots, self.estimator, self.iterate, self.fit_data) if p]
        for part in self.parts:
            part.bind(self)
        self.states, self.loop = saved_states.States(self), TrainingLoop(self)
        if model.built:
            self.states.create()
            self.built = True
        if model.compiled:
            compile_like(self, model)

    # ---- a Keras model -----------------------------------------------------------------------

    def call(self, inputs, training=None):
        return self.model(inputs, training=training)

    def build(self, input_shape):
        if not self.model.built:
            self.model.build(input_shape)
        self.states.create()

    @property
    def output_names(self):
        """By which losses and metrics of several outputs are given, as for the model itself."""
        return getattr(self.model, "output_names", None)

    def show_result(self) -> None:
        """Called before somebody looks: puts what training is for into the model."""
        if self.states.by_name:
            self.iterate.show_result()

    evaluate, predict = map(_of_result, (keras.Model.evaluate, keras.Model.predict))
    test_on_batch = _of_result(keras.Model.test_on_batch)
    predict_on_batch = _of_result(keras.Model.predict_on_batch)
    save, save_weights = map(_of_result, (keras.Model.save, keras.Model.save_weights))

    def export(self, *args, **kwargs):
        """``keras.Model.export`` of the model inside, which holds all that inference needs."""
        self.show_result()
        return self.model.export(*args, **kwargs)

    # ---- state -------------------------------------------------------------------------------

    def __getattr__(self, name):
        """The parts' states and arguments, by their names: ``trainer.center``, ``trainer.mu``."""
        states = self.__dict__.get("states")
        for part in states.parts if states else ():
            if name in part.__dict__ and not name.startswith("_"):
                return part.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def random_counter(self, index: int) -> tf.Tensor:
        """A counter that no other (step, variable) of this run uses, an int64 scalar."""
        return self.step_count.value * len(self.trainable_variables) + index

    def save_own_variables(self, store):
        for name, variable in {**self.states.by_name, **states_left_out(self)}.items():
            store[name] = variable

    def load_own_variables(self, store):
        self.states.assign(saved_by_keras(store))
        restore(states_left_out(self), store)

    def get_config(self):
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "seed": self.seed,
            **saved_states.arguments_of(self),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for name in ("model", "estimator", "iterate"):
            # Of some pairings "iterate" is a word.
            if isinstance(config.get(name), dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)

    # ---- one step ----------------------------------------------------------------------------

    def train_step(self, data):
        self.loop.check_step()
        batch = Batch(*keras.utils.unpack_x_y_sample_weight(data))
        step = self.estimator.gradient(batch)
        self.iterate.before_update()
        pairs = zip(step.gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients(pairs)
        size = batch_size_of(batch.x)
        self.step_count.assign_add(1)
        self.sample_count.assign_add(tf.cast(size, "int64"))
        self.iterate.settle()
        loss_tracker(self).update_state(step.loss, sample_weight=size)
        logs = self.compute_metrics(batch.x, batch.y, step.y_pred, batch.sample_weight)
        if self.snapshots is not None:
            self.snapshots.after_update()
        return logs

    def minibatch_gradient(self, batch: Batch) -> Step:
        """∇f_i(w): the ordinary pass over one minibatch, forward and backward."""
        x, y, sample_weight = batch
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_variables)
        return Step([each_row_once(g) for g in gradients], loss, y_pred)

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            # Compiled anew, train_on_batch begins anew.
            self.train_function, self.fit_data.has_begun = train_function(self), False
        return self.train_function

    # ---- fit ---------------------------------------------------------------------------------

    def train_on_batch(self, x, *args, **kwargs):
        self._build_with(x)
        return super().train_on_batch(x, *args, **kwargs)

    def set_full_gradient_data(
        self, x, y=None, sample_weight=None, *, batch_size=None, class_weight=None
    ) -> None:
        """Say what the training data are, for ``train_on_batch``; ``fit`` knows by itself.

        The next ``train_on_batch`` begins anew, with a snapshot, and the others follow as in
        ``fit``: "epoch" are as many steps as the data have batches. After a ``fit`` as well.

        Args:
            x, y, sample_weight: all the training data: arrays, or as ``x`` alone a finite batched
                ``tf.data.Dataset``, a ``PyDataset`` or a tuple ``(x, y[, sample_weight])``.
            batch_size: samples per batch for arrays (default 32); that of ``train_on_batch``.
            class_weight: {class index: weight}, as given to ``train_on_batch``.

        Raises:
            InputError: the data cannot be passed over again, or have no samples; the algorithm
                takes no snapshots.
        """
        self.fit_data.set_by_hand(x, y, sample_weight, batch_size, class_weight)

    def _build_with(self, inputs):
        if not (self.model.built and self.states.by_name):
            self.model(inputs)
            self(inputs)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        full_gradient_data=None,
    ):
        """``keras.Model.fit``, with one more argument.

        Args:
            full_gradient_data: the data whose exact gradient a snapshot takes, when it is not the
                training data itself (an endless stream, say): arrays ``(x, y[, sample_weight])`` or
                a finite batched ``tf.data.Dataset``. Algorithms without snapshots only use it to
                count passes over the data.

        The epoch's logs (History, callbacks) also hold ``step`` and ``gradient_evaluations``
        (passes over the training data), and the diagnostics of the estimator and the iterate.
        """
        if validation_split and validation_data is None:
            parts = split_validation(x, y, sample_weight, validation_split)
            (x, y, sample_weight), validation_data = parts
        data = self.fit_data
        data.set_for_fit(
            x, y, sample_weight, batch_size, class_weight, steps_per_epoch, full_gradient_data
        )
        if not (self.model.built and self.states.by_name):
            self._build_with(data.first_inputs(x))
        self.loop.check_setting()
        if full_gradient_data is None and (fixed := data.fixed(shuffle)) is not None:
            validation_batch_size = validation_batch_size or batch_size
            x, y, sample_weight, batch_size = fixed, None, None, None
        try:
            return super().fit(
                x=x,
                y=y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=with_callback(callbacks),
                validation_data=validation_data,
                # A dataset orders itself; Keras warns about its own default otherwise.
                shuffle=shuffle and not isinstance(x, tf.data.Dataset),
                class_weight=class_weight,
                sample_weight=sample_weight,
                initial_epoch=initial_epoch,
                steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps,
                validation_batch_size=validation_batch_size,
                validation_freq=validation_freq,
            )
        finally:
            data.has_begun = False
