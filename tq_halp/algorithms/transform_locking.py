"""``TransformLocking``: the same random draws for a minibatch from one snapshot to the next.

SVRG corrects ∇f_i(w) by ∇f_i(w̃) − ∇f(w̃). With dropout, noise or augmentation f_i depends on random
draws, too. The correction has mean zero only if a minibatch gets the same masks and transformations
in the full gradient and in both gradients of a step ("transform locking"; Defazio & Bottou, arXiv
1812.04529, section 4). So before each pass the state of every seed generator in the model is set to
a function of (contents of the minibatch, number of the snapshot, seed).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock
from tq_halp.states_keras_omits import seed_states

# The base class of Keras' layers that preprocess images, which Keras does not export.
_PREPROCESSING = next(
    kind for kind in keras.layers.Rescaling.__mro__[1:] if issubclass(keras.layers.RandomFlip, kind)
)

# Odd 64-bit constants by which a product spreads over all bits: 2^64 / golden ratio, and one of the
# mixing function of SplitMix64 (Steele et al., *Fast Splittable Pseudorandom Number Generators*,
# OOPSLA 2014).
_SPREAD, _MIX = -7046029254386353131, -4658895280553007687
# Seed states are below 2^30 before a pass, so that 2^30 draws in it stay below 2^31.
_KEYS = 2**30


def key_of(x: Any) -> tf.Tensor:
    """A hash of a minibatch: of its numbers and strings, and of their order.

    Args:
        x: the inputs, a tensor or a nest of tensors; floats are hashed as float32.

    Returns:
        int64 scalar ≥ 0.
    """
    key = tf.constant(0, tf.int64)
    # expand_composites makes a ragged tensor its values and its row ends.
    for leaf in tf.nest.flatten(x, expand_composites=True):
        if leaf is not None:
            key = _mixed(key * _SPREAD + tf.reduce_sum(_mixed(_numbered(_bits(leaf)))))
    return tf.bitwise.right_shift(key, tf.constant(1, tf.int64)) & tf.int64.max


def _bits(x: Any) -> tf.Tensor:
    """The elements as an int64 vector."""
    x = tf.convert_to_tensor(x)
    if x.dtype == tf.string:
        return tf.reshape(tf.strings.to_hash_bucket_fast(x, 2**62), [-1])
    if x.dtype.is_floating:
        x = tf.bitcast(tf.cast(x, tf.float32), tf.int32)
    return tf.reshape(tf.cast(x, tf.int64), [-1])


def _numbered(bits: tf.Tensor) -> tf.Tensor:
    """Combines each element with its position, so that the order matters."""
    return bits + tf.range(tf.size(bits, tf.int64)) * _SPREAD


def _mixed(bits: tf.Tensor) -> tf.Tensor:
    """A bijection of int64 in which each bit of the argument affects many bits of the result."""
    bits = (bits ^ tf.bitwise.right_shift(bits, tf.constant(30, tf.int64))) * _MIX
    return bits ^ tf.bitwise.right_shift(bits, tf.constant(27, tf.int64))


class TransformLocking:
    """Fixes the seed states and the call counters of stochastically rounding layers in a model.

    It is true if the model has any.

    Args:
        model: a built ``keras.Model``.
    """

    def __init__(self, model: keras.Model):
        self._model = model
        layers = flatten_layers(model)
        self._seeds = seed_states(model)
        self._calls = [each.calls for each in layers if isinstance(each, CallCounter)]

    def __bool__(self) -> bool:
        return bool(self._seeds or self._calls)

    @property
    def of_augmentation(self) -> bool:
        """Whether the model has layers that transform images at random."""
        layers = flatten_layers(self._model)
        return any(isinstance(each, _PREPROCESSING) and seed_states(each) for each in layers)

    def are_made(self, x: Any) -> bool:
        """Whether a training pass over inputs like ``x`` draws at random; dropout of 0 does not."""
        if not self._seeds:
            return False
        moved: list[bool] = []

        def forward(x: Any) -> Any:
            before = [seed.value for seed in self._seeds]
            pairs = list(zip(self._seeds, before, strict=True))
            with keras.StatelessScope(state_mapping=pairs) as scope:
                outputs = self._model(x, training=True)
            for seed, value in pairs:
                moved.append(scope.get_current_value(seed) is not value)
            return outputs

        with only_traced(self._model):
            tf.function(forward, autograph=False).get_concrete_function(x)
        return any(moved)

    def of(
        self, x: Any, snapshot: tf.Tensor, seed: int
    ) -> tuple[tf.Tensor, list[tuple[keras.Variable, tf.Tensor]]]:
        """The key of a minibatch, and the states from which its random draws start.

        Args:
            x: the inputs.
            snapshot: number of the snapshot, an int64 scalar.
            seed: the seed of the trainer.

        Returns:
            ``key_of(x)``, or 0 if the model draws nothing; and (state, value) pairs.
        """
        if not self:
            return tf.constant(0, tf.int64), []
        key = key_of(x)
        return key, self.draws_for(key, snapshot, seed)

    def draws_for(
        self, key: tf.Tensor, snapshot: tf.Tensor, seed: int
    ) -> list[tuple[keras.Variable, tf.Tensor]]:
        """The (state, value) pairs of ``of`` for a minibatch whose key is known."""
        number = snapshot + tf.constant(seed, tf.int64) * _SPREAD
        key = _mixed(key + number * _MIX) & (_KEYS - 1)
        pairs = [(count, key) for count in self._calls]
        for state in self._seeds:
            seed_and_count = [state.value[0], tf.cast(key, state.value.dtype)]
            pairs.append((state, tf.stack(seed_and_count)))
        return pairs


@contextlib.contextmanager
def only_traced(model: keras.Model) -> Iterator[None]:
    """Lets a training pass be traced that will never run.

    A scheduled quantizer refuses a training pass unless a callback sets its clock. Here the clock
    need not move.
    """
    clocks = [each for each in flatten_layers(model) if isinstance(each, TrainingClock)]
    driven = [clock.driven for clock in clocks]
    try:
        for clock in clocks:
            clock.driven = True
        yield
    finally:
        for clock, former in zip(clocks, driven, strict=True):
            clock.driven = former
