"""What a model draws at random in training, held fixed per minibatch between two snapshots.

SVRG corrects ∇f_i(w) by ∇f_i(w̃) − ∇f(w̃). With dropout, noise or augmentation f_i depends on what is
drawn as well, and the correction has mean zero only if a minibatch sees the same masks and
transformations in the snapshot's pass and in both gradients of a step ("transform locking";
Defazio & Bottou, arXiv 1812.04529, section 4). So the state of every seed generator in the model is
made a function of (the minibatch's contents, the snapshot's number, the seed) before each pass.
"""

import keras
import tensorflow as tf

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.quantizers.call_counter import CallCounter
from tq_halp.quantizers.training_clock import TrainingClock
from tq_halp.unsaved_states import seed_states

#: What Keras' layers that transform images are, and its other layers are not.
_PREPROCESSING = next(
    kind for kind in keras.layers.Rescaling.__mro__[1:] if issubclass(keras.layers.RandomFlip, kind)
)

# Odd 64-bit constants that spread their factor over all bits (golden ratio; Steele et al., 2014).
_SPREAD, _MIX = -7046029254386353131, -4658895280553007687
# Room for 2^30 draws above a key, within 31 bits.
_KEYS = 2**30


def key_of(x):
    """A 63-bit number that stands for a minibatch: a hash of its contents, in their order.

    Args:
        x: the inputs, a tensor or a nest of them; floats count in float32.

    Returns:
        int64 scalar.
    """
    key = tf.constant(0, tf.int64)
    # With expand_composites a ragged tensor is its values and the ends of its rows.
    for leaf in tf.nest.flatten(x, expand_composites=True):
        if leaf is not None:
            key = _mixed(key * _SPREAD + tf.reduce_sum(_mixed(_numbered(_bits(leaf)))))
    return tf.bitwise.right_shift(key, tf.constant(1, tf.int64)) & tf.int64.max


def _bits(x):
    x = tf.convert_to_tensor(x)
    if x.dtype == tf.string:
        return tf.reshape(tf.strings.to_hash_bucket_fast(x, 2**62), [-1])
    if x.dtype.is_floating:
        x = tf.bitcast(tf.cast(x, tf.float32), tf.int32)
    return tf.reshape(tf.cast(x, tf.int64), [-1])


def _numbered(bits):
    """Each element with its position, so that their order matters."""
    return bits + tf.range(tf.size(bits, tf.int64)) * _SPREAD


def _mixed(bits):
    bits = (bits ^ tf.bitwise.right_shift(bits, tf.constant(30, tf.int64))) * _MIX
    return bits ^ tf.bitwise.right_shift(bits, tf.constant(27, tf.int64))


class TransformLocking:
    """The states of a model's seed generators and counts of stochastically rounding layers.

    Args:
        model: a built ``keras.Model``.
    """

    def __init__(self, model):
        self._model = model
        layers = flatten_layers(model)
        self._seeds = seed_states(model)
        self._calls = [each.calls for each in layers if isinstance(each, CallCounter)]
        self._clocks = [each for each in layers if isinstance(each, TrainingClock)]

    def __bool__(self):
        return bool(self._seeds or self._calls)

    @property
    def of_augmentation(self):
        """Whether the model transforms its inputs at random."""
        layers = flatten_layers(self._model)
        return any(isinstance(each, _PREPROCESSING) and seed_states(each) for each in layers)

    def are_made(self, x):
        """Whether a training pass over a minibatch like ``x`` draws: dropout of 0 does not."""
        if not self._seeds:
            return False
        moved = []

        def forward(x):
            before = [seed.value for seed in self._seeds]
            pairs = list(zip(self._seeds, before, strict=True))
            with keras.StatelessScope(state_mapping=pairs) as scope:
                outputs = self._model(x, training=True)
            for seed, value in pairs:
                moved.append(scope.get_current_value(seed) is not value)
            return outputs

        # Nobody drives the schedules of quantizers before training begins, nor need they move here.
        driven = [clock.driven for clock in self._clocks]
        try:
            for clock in self._clocks:
                clock.driven = True
            tf.function(forward).get_concrete_function(x)
        finally:
            for clock, former in zip(self._clocks, driven, strict=True):
                clock.driven = former
        return any(moved)

    def of(self, x, snapshot, seed):
        """A minibatch's key, and the (state, value) pairs with which a pass over it begins.

        Args:
            x: the inputs.
            snapshot: number of the snapshot, int64 scalar.
            seed: the trainer's, an int.

        Returns:
            ``key_of(x)``, or 0 where the model draws nothing, and the pairs.
        """
        if not self:
            return tf.constant(0, tf.int64), []
        key = key_of(x)
        return key, self._locked(key, snapshot, seed)

    def _locked(self, key, snapshot, seed):
        number = snapshot + tf.constant(seed, tf.int64) * _SPREAD
        key = _mixed(key + number * _MIX) & (_KEYS - 1)
        pairs = [(count, key) for count in self._calls]
        for state in self._seeds:
            seed_and_count = [state.value[0], tf.cast(key, state.value.dtype)]
            pairs.append((state, tf.stack(seed_and_count)))
        return pairs
