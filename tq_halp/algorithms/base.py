"""The loop all algorithms share: a ``keras.Model`` around the user's model.

Keras keeps doing what it does (batching, callbacks, validation, progress bar, saving); this class
only says what one step is, and lets an algorithm change it:

    anchor = anchor_gradients(batch)                    SVRG kinds: ∇f_i(w̃), before anything moves
    g      = ∇f_i(w)                                    the ordinary pass
    g      = reduce_variance(g, anchor)                 SVRG kinds: g − anchor + g̃
    w'     = optimizer(w, g)                            any Keras optimizer, with all it does
    w      = quantize_iterate(w')                       low-precision kinds: back onto the grid

Because the optimizer acts on w itself, weight decay, constraints and whatever else it does with the
weights mean the same for every algorithm.
"""

import keras
import tensorflow as tf

from tq_halp.algorithms.batches import split_validation
from tq_halp.algorithms.callback import with_hooks
from tq_halp.algorithms.checks import check_trainable
from tq_halp.algorithms.fit_data import batches_of, first_inputs, length_is_known
from tq_halp.algorithms.minibatch_gradient import after, batch_size_of, each_row_once
from tq_halp.algorithms.train_function import execution, warn_of_what_is_left
from tq_halp.algorithms.wrapped_model import AroundModel
from tq_halp.errors import InputError


class TrainingAlgorithm(AroundModel):
    """A training algorithm around ``model``; use one of the subclasses.

    Args:
        model: any Keras model. Its variables are trained in place. If it is compiled, its optimizer
            (configuration, not state), loss and metrics are taken over, if Keras can copy them.
        seed: key of every random draw of the algorithm; with the step counter it fixes them all.
    """

    #: Whether training data must be iterable more than once.
    needs_full_gradient = False
    #: Whether a full pass is under way, which can be broken off without loss.
    taking_snapshot = False
    #: Whether the next step begins with one.
    snapshot_due = False
    #: Whether a step is run, or traced.
    is_stepping = False
    #: Attributes that, besides the variables, decide how training goes on: plain numbers.
    host_state = ("_has_begun", "_samples_per_epoch", "_epochs_seen", "samples_before_epoch")

    def __init__(self, model, **kwargs):
        super().__init__(model, **kwargs)
        self.batches = None
        self._has_begun = False
        self._steps_per_epoch = self._samples_per_epoch = None
        self._epochs_seen, self._length_is_known = 0, True
        self._begin()

    # ---- one step ----------------------------------------------------------------------------

    def anchor_gradients(self, x, y, sample_weight):
        """∇f_i(w̃) for algorithms that need it, else None."""

    def reduce_variance(self, gradients, anchor_gradients):
        return gradients

    def before_update(self):
        """The gradient is there, and the optimizer has not moved the weights yet."""

    def quantize_iterate(self):
        """Put the weights, which the optimizer has moved, back where they may live."""

    def train_step(self, data):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        anchor = self.anchor_gradients(x, y, sample_weight)
        x = after(anchor, x)
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = [each_row_once(g) for g in tape.gradient(scaled_loss, variables)]
        gradients = self.reduce_variance(gradients, anchor)
        self.before_update()
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self.step_count.assign_add(1)
        self.sample_count.assign_add(tf.cast(batch_size_of(x), "int64"))
        self.quantize_iterate()
        self._loss_tracker.update_state(loss, sample_weight=batch_size_of(x))
        return self.compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    # ---- what happens between steps ----------------------------------------------------------

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            # Compiled anew, train_on_batch begins anew.
            self.train_function, self._has_begun = execution(self), False
        return self.train_function

    def train_on_batch(self, x, *args, **kwargs):
        self._build_with(x)
        return super().train_on_batch(x, *args, **kwargs)

    def _build_with(self, inputs):
        if not (self.model.built and self._has_state):
            self.model(inputs)
            self(inputs)

    def check_setting(self):
        """InputError if the model, the optimizer or the data are none to train with."""
        check_trainable(self, self._weights_with_copies)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(f"{type(self).__name__} trains on one device; leave the strategy out")

    def on_fit_begin(self, verbose):
        """The weights may have been set by hand: put them where the algorithm keeps them."""
        self.check_setting()
        self._has_begun = True

    def on_fit_end(self):
        """Leave in the model what training was for."""
        self._has_begun = False

    def before_step(self):
        """Called between steps; an outer iteration may start here."""
        if not self._has_begun:
            # By train_on_batch, which calls no callbacks.
            self.on_fit_begin(verbose=False)

    def after_step(self):
        """Called after a step; an outer iteration may end here."""

    def end_of_epoch(self):
        """Called when an epoch's steps are over, once or twice."""

    def note_epoch(self, samples):
        """An epoch saw this many samples."""
        if not (self._length_is_known or self.stop_training):
            warn_of_what_is_left(self.train_function)
        self._epochs_seen += 1
        former = self._samples_per_epoch or 0
        self._samples_per_epoch = former + (samples - former) / self._epochs_seen

    def diagnostics(self):
        """Numbers for the epoch's logs."""
        return {"step": int(self.step_count), "gradient_evaluations": self.gradient_evaluations()}

    def gradient_evaluations(self):
        """Passes over the training data so far, a minibatch gradient counting its share.

        Where only passes can tell how many samples the data have, an epoch counts as one.
        """
        known = self.batches.sample_count if self.batches is not None else None
        return self.gradient_samples() / (known or self._samples_per_epoch or 1)

    def gradient_samples(self):
        """Samples whose gradient was taken so far, each as often as it was."""
        return int(self.sample_count)

    # ---- fit ---------------------------------------------------------------------------------

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
        (passes over the training data), and the algorithm's own diagnostics.
        """
        if validation_split and validation_data is None:
            parts = split_validation(x, y, sample_weight, validation_split)
            (x, y, sample_weight), validation_data = parts
        data = (x, y, sample_weight) if full_gradient_data is None else full_gradient_data
        self.batches = batches_of(data, batch_size, class_weight, self.needs_full_gradient)
        self._samples_per_epoch, self._epochs_seen = None, 0
        self._steps_per_epoch = steps_per_epoch
        self._length_is_known = steps_per_epoch is not None or length_is_known(x)
        if not (self.model.built and self._has_state):
            self._build_with(first_inputs(self.batches, x))
        self.check_setting()
        if full_gradient_data is None and (fixed := self.fixed_batches(shuffle)) is not None:
            validation_batch_size = validation_batch_size or batch_size
            x, y, sample_weight, batch_size = fixed, None, None, None
        try:
            return super().fit(
                x=x,
                y=y,
                batch_size=batch_size,
                epochs=epochs,
                verbose=verbose,
                callbacks=with_hooks(callbacks),
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
            self._has_begun = False

    def keeps_batches(self, x):
        """Whether minibatches like ``x`` must stay together from epoch to epoch."""
        return False

    def fixed_batches(self, shuffle):
        """The training data as a dataset of batches that stay together, if it must be one."""
