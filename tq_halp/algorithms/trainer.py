"""``Trainer``: trains a Keras model with an estimator of the gradient and an iterate.

Keras does what it always does (batching, callbacks, validation, saving). One step is:

    v  = estimator.gradient(batch)      the minibatch's gradient, or a variance-reduced one
    w' = optimizer(w, v)                any Keras optimizer
    w  = iterate.settle(w')             back to where weights may live: on a grid, center + offset

The optimizer acts on w itself. So its weight decay, constraints and averages mean the same for
every algorithm.
"""

import functools
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import keras
import tensorflow as tf

from tq_halp.algorithms import state_variables
from tq_halp.algorithms.algorithm_part import Batch, Estimator, Iterate, Step
from tq_halp.algorithms.batches import split_validation
from tq_halp.algorithms.checks import check_arguments, check_model, checked_part, checked_seed
from tq_halp.algorithms.compile_from_model import compile_from_model
from tq_halp.algorithms.estimators.minibatch import Minibatch
from tq_halp.algorithms.iterates.full_precision import FullPrecision
from tq_halp.algorithms.minibatch_gradient import batch_size_of, ordinary_gradients
from tq_halp.algorithms.of_result import of_result
from tq_halp.algorithms.snapshots import Snapshots
from tq_halp.algorithms.trainer_callback import with_callback
from tq_halp.algorithms.training_data import FitData
from tq_halp.algorithms.training_loop import TrainingLoop, train_function
from tq_halp.keras_internals.training import loss_tracker


@keras.saving.register_keras_serializable(package="tq_halp")
class Trainer(keras.Model):
    """A ``keras.Model`` that trains ``model`` with any pair of an estimator and an iterate.

    It computes the same outputs as ``model`` and trains the variables of ``model`` in place. If
    ``model`` is compiled, the trainer is compiled with copies of its optimizer (the configuration,
    not the state), loss and metrics; it warns if Keras cannot copy them.

    Args:
        model: any Keras model.
        estimator: one of ``tq_halp.estimators``, or your own; default ``Minibatch()``.
        iterate: one of ``tq_halp.iterates``, or your own; default ``FullPrecision()``.
        seed: an integer from 0 to 2⁶³ − 1. Every random draw of the algorithm is a function of the
            seed and the step counter.
        kwargs: ``name``, ``dtype`` and ``trainable``, as for any Keras model.

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
        # By the dtype policy Keras decides on a loss scale. The model inside casts its inputs.
        kwargs.setdefault("dtype", model.dtype_policy)
        super().__init__(autocast=False, **kwargs)
        self.model, self.seed = model, checked_seed(seed)
        self.estimator = checked_part("estimator", estimator or Minibatch(), Estimator)
        self.iterate = checked_part("iterate", iterate or FullPrecision(), Iterate)
        schedule = self.estimator.snapshot_schedule() or self.iterate.snapshot_schedule()
        self.snapshots: Any = None if schedule is None else Snapshots(schedule)
        self.fit_data = FitData()
        #: In the order in which their states are created; in steps the last is called first.
        self.parts = [p for p in (self.snapshots, self.estimator, self.iterate, self.fit_data) if p]
        for part in self.parts:
            part.bind(self)
        self.states, self.loop = state_variables.States(self), TrainingLoop(self)
        if model.built:
            self.states.create()
            self.built = True
        if model.compiled:
            compile_from_model(self, model)

    # ---- a Keras model -----------------------------------------------------------------------

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.model(inputs, training=training)

    def build(self, input_shape: Any) -> None:
        if not self.model.built:
            self.model.build(input_shape)
        self.states.create()

    @property
    def output_names(self) -> list[str] | None:
        """The names of the model's outputs, by which ``compile`` takes losses and metrics."""
        return getattr(self.model, "output_names", None)

    def show_result(self) -> None:
        """Puts the result of training, e.g. SWALP's average, into the weights of ``model``.

        Called before ``evaluate``, ``predict``, ``save``, ``export`` and at an epoch's end.
        """
        if self.states.by_name:
            self.iterate.show_result()

    evaluate, predict = of_result(keras.Model.evaluate), of_result(keras.Model.predict)
    test_on_batch = of_result(keras.Model.test_on_batch)
    predict_on_batch = of_result(keras.Model.predict_on_batch)
    save, save_weights = of_result(keras.Model.save), of_result(keras.Model.save_weights)

    def export(self, *args: Any, **kwargs: Any) -> Any:
        """``keras.Model.export`` of ``model``, without the state of the algorithm."""
        self.show_result()
        return self.model.export(*args, **kwargs)

    # ---- state -------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """The attributes of the parts: ``trainer.center`` is ``trainer.snapshots.center``."""
        states = self.__dict__.get("states")
        for part in states.parts if states else ():
            if name in part.__dict__ and not name.startswith("_"):
                return part.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def random_counter(self, index: int) -> tf.Tensor:
        """A number for this step and trainable variable ``index`` alone, an int64 scalar.

        It is the counter of ``Quantizer``: with the seed it fixes the random bits of rounding.
        """
        return self.step_count.value * len(self.trainable_variables) + index

    def save_own_variables(self, store: MutableMapping) -> None:
        self.states.save(store)

    def load_own_variables(self, store: Mapping) -> None:
        self.states.load(store)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "seed": self.seed,
            **state_variables.arguments_of(self),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> keras.Model:
        config = dict(config)
        for name in ("model", "estimator", "iterate"):
            # Of some pairings "iterate" is a word.
            if isinstance(config.get(name), dict):
                config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)

    # ---- one step ----------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        self.loop.check_step()
        batch = Batch(*keras.utils.unpack_x_y_sample_weight(data))
        step = self.estimator.gradient(batch)
        # Not at the start of the step, where it would hold up the forward pass.
        with tf.control_dependencies(tf.nest.flatten(step.y_pred, expand_composites=True)):
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
        """∇f_i(w), the gradient of a minibatch's mean loss: the ordinary training pass.

        The gradients are multiplied by the optimizer's loss scale, if any.
        """
        return Step(*ordinary_gradients(self, *batch))

    def make_train_function(self, force: bool = False) -> Callable:
        if self.train_function is None or force:
            # After another compile, train_on_batch takes its first snapshot anew.
            self.train_function: Any = train_function(self)
            self.fit_data.has_begun = False
        return self.train_function

    # ---- fit ---------------------------------------------------------------------------------

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        self._build_with(lambda: x)
        return super().train_on_batch(x, *args, **kwargs)

    def set_full_gradient_data(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        batch_size: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        """Tells ``train_on_batch`` the whole training data; ``fit`` needs no such call.

        The next ``train_on_batch`` begins with a snapshot, also after a ``fit``. The others follow
        as in ``fit``; an "epoch" has as many steps as the data have batches.

        Args:
            x, y, sample_weight: all training data, arrays; or as ``x`` alone a finite batched
                ``tf.data.Dataset``, a ``PyDataset`` or a tuple ``(x, y[, sample_weight])``.
            batch_size: samples per batch of arrays, as given to ``train_on_batch``; default 32.
            class_weight: {class index: weight}, as given to ``train_on_batch``.

        Raises:
            InputError: the data cannot be read more than once, or have no samples.
        """
        self.fit_data.set_by_hand(x, y, sample_weight, batch_size, class_weight)

    def _build_with(self, first_inputs: Callable[[], Any]) -> None:
        if not (self.model.built and self.states.by_name):
            inputs = first_inputs()
            self.model(inputs)
            self(inputs)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
        full_gradient_data: Any = None,
    ) -> keras.callbacks.History:
        """``keras.Model.fit``, with one more argument.

        The logs of each epoch also hold ``step``, ``gradient_evaluations`` (gradients computed so
        far, in passes over the training data), and the diagnostics of the parts.

        Args:
            full_gradient_data: the data of the full gradients, if not the training data (which may
                be an endless stream): arrays ``(x, y[, sample_weight])``, a finite batched
                ``tf.data.Dataset`` or a ``PyDataset``. Without snapshots it only serves
                ``gradient_evaluations``.

        Raises:
            InputError: the model, the optimizer or the data do not suit the algorithm.
            FloatingPointError: a full gradient is not finite, because training has diverged.
        """
        if validation_split and validation_data is None:
            parts = split_validation(x, y, sample_weight, validation_split)
            (x, y, sample_weight), validation_data = parts
        data = self.fit_data
        data.set_for_fit(
            x, y, sample_weight, batch_size, class_weight, steps_per_epoch, full_gradient_data
        )
        self._build_with(functools.partial(data.first_inputs, x))
        self.loop.check_setting()
        if full_gradient_data is None and (fixed := data.fixed(shuffle)) is not None:
            validation_batch_size = validation_batch_size or batch_size
            x, y, sample_weight, batch_size = fixed, None, None, None
        self.loop.on_data()
        try:
            return super().fit(
                x=x,
                y=y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=with_callback(callbacks),
                validation_data=validation_data,
                # Keras warns if shuffle, even its own default, comes with a Dataset.
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
