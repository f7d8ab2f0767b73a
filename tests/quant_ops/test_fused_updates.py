"""The updates of a training step: the bits of their operations one after the other."""

import numpy as np
import pytest
import tensorflow as tf
from carrier_values import BACKENDS, DTYPES

import quant_ops
from quant_ops.composite import dynamic_scale
from quant_ops.library import forced
from quant_ops.ops import fused_updates

SHAPE = (317, 33)  # more than one block, and no multiple of any vector's length


@pytest.fixture(params=BACKENDS, autouse=True)
def backend(request):
    with forced(request.param):
        yield request.param


def three(dtype, bad=None):
    draw = np.random.default_rng(0)
    arrays = [draw.normal(size=SHAPE) for _ in range(3)]
    if bad is not None:
        arrays[0][5, 7] = bad
    return [tf.cast(array, dtype) for array in arrays]


def assert_same(got, want):
    for one, other in zip(got, want, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "bad, axis", [(None, None), (None, -1), (None, 0), (np.inf, None), (np.nan, -1), (np.nan, 0)]
)
def test_an_offset_moves_with_its_weight(dtype, bad, axis):
    """z' = Q(z + w − (c + z)) and w' = c + z'."""
    weight, center, offset = three(dtype, bad)
    count = () if axis is None else SHAPE[axis]
    scale = tf.constant(np.random.default_rng(1).random(count) * 0.02, tf.float64)
    how = {"axis": axis, "seed": 3, "counter": 5}
    got = fused_updates.move_offset(weight, center, offset, scale, 8, **how)
    moved = offset + (weight - (center + offset))
    new_offset = quant_ops.scaled_integer(moved, scale, 8, **how)
    assert_same(got, [new_offset, center + new_offset])


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_number_that_has_moved_is_found(dtype):
    """In the first, the last and a middle element; a NaN has moved, too."""
    _, center, offset = three(dtype)
    weight = center + offset
    assert not fused_updates.has_moved(weight, center, offset)
    for place in ((0, 0), (200, 8), (316, 32)):
        for value in (weight.numpy()[place] * 1.5, np.nan):
            changed = weight.numpy()
            changed[place] = value
            assert fused_updates.has_moved(tf.constant(changed), center, offset)
    empty = tf.zeros((0,), dtype)
    assert not fused_updates.has_moved(empty, empty, empty)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "bad, bits, a",
    [
        *((None, bits, a) for bits, a in ((2, 1.0), (8, 0.3), (8, 0.0), (16, 1.0))),
        *((bad, bits, a) for bad in (np.inf, np.nan) for bits, a in ((2, 1.0), (8, 0.0))),
    ],
)
def test_an_entry_moves_by_a_rounded_difference(dtype, bad, bits, a):
    """v = (g − a T) + a M and T' = T + Q(g − T), with the scale of the finite differences."""
    gradient, entry, mean = three(dtype, bad)
    how = {"seed": 3, "counter": 5}
    got = fused_updates.move_entry(gradient, entry, mean, a, bits, **how)
    share, change = tf.cast(a, dtype), gradient - entry
    finite = change.numpy()[np.isfinite(change.numpy().astype(np.float64))]
    scale = dynamic_scale(change, 2 ** (bits - 1) - 1)
    largest = np.max(np.abs(finite))
    assert scale.numpy() == largest / finite.dtype.type(2 ** (bits - 1) - 1)
    moved = quant_ops.scaled_integer(change, scale, bits, **how)
    estimate = (gradient - share * entry) + share * mean
    assert_same(got, [estimate, entry + moved, tf.constant(bad is None)])


def test_a_difference_of_nothing_but_zeros_moves_nothing():
    _, entry, mean = three("float32")
    _, after, is_finite = fused_updates.move_entry(entry, entry, mean, 1.0, 8)
    assert_same([after, is_finite], [entry, tf.constant(True)])


def test_graphs_with_unknown_shapes_give_the_same():
    """What does not fit is an error at run time there."""
    tensors = three("float32")
    unknown = [tf.TensorSpec(None, tf.float32)] * 3

    @tf.function(input_signature=unknown, autograph=False)
    def every(a, b, c):
        moved = fused_updates.move_offset(a, b, c, 0.01, 8)
        return *moved, fused_updates.has_moved(a, b, c), *fused_updates.move_entry(a, b, c, 1.0, 8)

    want = [
        *fused_updates.move_offset(*tensors, 0.01, 8),
        fused_updates.has_moved(*tensors),
        *fused_updates.move_entry(*tensors, 1.0, 8),
    ]
    assert_same(every(*tensors), want)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must have one shape"):
        every(tensors[0], tensors[1][:1], tensors[2])


def test_they_have_no_gradient():
    first, *others = three("float32")
    with tf.GradientTape() as tape:
        tape.watch(first)
        moved, _ = fused_updates.move_offset(first, *others, 0.01, 8)
        estimate, *_ = fused_updates.move_entry(first, *others, 1.0, 8)
        total = tf.reduce_sum(moved) + tf.reduce_sum(estimate)
    assert tape.gradient(total, first) is None


def test_wrong_arguments():
    one, other = tf.zeros(3), tf.zeros(4)
    for wrong in (other, tf.zeros(3, tf.float64)):
        with pytest.raises(ValueError, match="center must have the shape and dtype of weight"):
            fused_updates.move_offset(one, wrong, one, 0.1, 8)
        with pytest.raises(ValueError, match="offset must have the shape and dtype of weight"):
            fused_updates.has_moved(one, one, wrong)
        with pytest.raises(ValueError, match="mean must have the shape and dtype of gradient"):
            fused_updates.move_entry(one, one, wrong, 1.0, 8)
    with pytest.raises(ValueError, match=r"word_bits must be .*2.*64.*Received: 1"):
        fused_updates.move_entry(one, one, one, 1.0, 1)
    with pytest.raises(ValueError, match="rounding must be"):
        fused_updates.move_entry(one, one, one, 1.0, 8, rounding="up and down")
    with pytest.raises(TypeError, match="weight must be float16"):
        fused_updates.has_moved(tf.zeros(3, tf.int32), one, one)


@pytest.mark.skipif("native" not in BACKENDS, reason="no native ops here")
def test_any_number_of_threads_gives_the_same():
    """Some elements more than one thread takes, in parts that depend on the threads."""
    draw = np.random.default_rng(0)
    tensors = [tf.constant(draw.normal(size=300_001), tf.float32) for _ in range(3)]
    found = []
    for name in ("native", "composite"):
        with forced(name):
            found.append(
                [
                    *fused_updates.move_offset(*tensors, 0.01, 8, counter=1),
                    *fused_updates.move_entry(*tensors, 1.0, 8, counter=1),
                ]
            )
    assert_same(*found)
