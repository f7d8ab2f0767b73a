"""Counter-based random bits in TensorFlow ops: the twin of `cc/core/counter_rng.h`.

The bits of an element are a pure function of (seed, counter, index), so they do not depend on
thread count, device, process or evaluation order.

    mix64  = the finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
             generators", OOPSLA 2014)
    s      = mix64(mix64(mix64(seed + c0) ^ mix64(counter + c1)) ^ (index >> 32))
    k0, k1 = low, high 32 bits of s
    bits   = triple32(index) (Wellons, "Prospecting for hash functions", 2018), with k0 xored into
             its input and k1 added after the first multiplication

Without k1 the seed would only xor the index with a constant: the streams of two seeds would be the
same numbers in another order. Adding k1 in the middle gives every seed its own permutation.
"""

import tensorflow as tf

MAX_ELEMENTS = 1 << 32  # beyond, the keys would change with index >> 32


def keys(seed: tf.Tensor, counter: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two uint32 keys k0 and k1 of elements 0 .. 2^32 - 1, from int64 scalars."""
    seed, counter = tf.bitcast(seed, tf.uint64), tf.bitcast(counter, tf.uint64)
    state = _mix64(seed + _uint64(0x9E3779B97F4A7C15))
    state = _mix64(tf.bitwise.bitwise_xor(state, _mix64(counter + _uint64(0xD1B54A32D192ED03))))
    state = _mix64(state)  # the third round's input is state ^ (index >> 32), and that is 0
    low = tf.cast(tf.bitwise.bitwise_and(state, _uint64(0xFFFFFFFF)), tf.uint32)
    high = tf.cast(tf.bitwise.right_shift(state, _uint64(32)), tf.uint32)
    return low, high


def random_bits31(shape: tf.Tensor, seed: tf.Tensor, counter: tf.Tensor) -> tf.Tensor:
    """int32 in [0, 2^31): the upper 31 random bits of each element of a tensor of `shape`.

    Args:
        shape: 1-D integer tensor; fewer than 2^32 elements.
        seed, counter: int64 scalars, any value.
    """
    key0, key1 = keys(seed, counter)
    count = tf.reduce_prod(tf.cast(shape, tf.int64))
    value = tf.bitwise.bitwise_xor(tf.cast(tf.range(count, dtype=tf.int64), tf.uint32), key0)
    value = _xor_shift(value, 17) * _uint32(0xED5AD4BB)
    value = (_xor_shift(value, 11) + key1) * _uint32(0xAC4C1B51)
    value = _xor_shift(value, 15) * _uint32(0x31848BAB)
    value = _xor_shift(value, 14)
    bits = tf.bitcast(tf.bitwise.right_shift(value, _uint32(1)), tf.int32)
    return tf.reshape(bits, shape)


def _mix64(state: tf.Tensor) -> tf.Tensor:
    state = _xor_shift(state, 30) * _uint64(0xBF58476D1CE4E5B9)
    state = _xor_shift(state, 27) * _uint64(0x94D049BB133111EB)
    return _xor_shift(state, 31)


def _xor_shift(value: tf.Tensor, distance: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(value, tf.constant(distance, value.dtype))
    return tf.bitwise.bitwise_xor(value, shifted)


def _uint32(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)


def _uint64(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
