"""Other values in a layer's variables: what is seen inside the scope, and what is left outside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tq_halp.layers.variable_substitution import Substitution, call_with, weights_of


def variable(value, **kwargs):
    return keras.Variable(np.float32(value), **kwargs)


@pytest.mark.parametrize("outer", [False, True], ids=["", "in a scope"])
def test_substitutes_are_seen_inside_and_assignments_outside(outer):
    given, other = variable([1, 2]), variable(3)
    surrounding = keras.StatelessScope(
        [(given, tf.constant([4.0, 5.0])), (other, tf.constant(6.0))]
    )

    def body():
        with Substitution([(given, tf.constant([7.0, 8.0]))]):
            np.testing.assert_array_equal(given.value, [7, 8])
            assert float(other.value) == (6 if outer else 3)
            other.assign_add(1.0)
            given.assign([9.0, 9.0])
            np.testing.assert_array_equal(given.value, [9, 9])
            assert float(other.value) == (7 if outer else 4)
        np.testing.assert_array_equal(given.value, [9, 9])
        assert float(other.value) == (7 if outer else 4)

    if outer:
        with surrounding:
            body()
        assert float(surrounding.get_current_value(other)) == 7
        np.testing.assert_array_equal(given.value, [1, 2])
        assert float(other.value) == 3
    else:
        body()


def test_scopes_nest():
    first, second = variable(1), variable(2)
    with (
        Substitution([(first, tf.constant(3.0))]),
        Substitution([(second, tf.constant(4.0))]),
    ):
        assert (float(first.value), float(second.value)) == (3, 4)
        first.assign(5.0)
        assert float(first.value) == 5
    assert (float(first.value), float(second.value)) == (5, 2)


def test_an_exception_leaves_everything_as_it_was():
    given = variable(1)
    with pytest.raises(ZeroDivisionError), Substitution([(given, tf.constant(2.0))]):
        given.assign(3.0)
        1 / 0  # noqa: B018
    assert not in_scope()
    with pytest.raises(ValueError), Substitution([(given, tf.constant(2.0))]):
        given.assign([1.0, 2.0])  # of the wrong shape
    assert not in_scope()


def in_scope():
    """Whether an assignment here reaches the variable itself."""
    probe = variable(0)
    probe.assign(1.0)
    return float(np.asarray(probe._value)) != 1


def test_gradients_reach_the_variable():
    given = variable(3)
    with tf.GradientTape() as tape, Substitution([(given, 2 * tf.convert_to_tensor(given))]):
        y = given * given
    assert float(tape.gradient(y, given.value)) == 2 * 6 * 2


class Lossy(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.inner = keras.layers.ActivityRegularization(l1=1.0)
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones")

    def call(self, x):
        self.add_loss(self.scale * 10)
        return self.inner(self.scale * x)


class Halving(keras.layers.Layer):
    """Calls its layer with half its weights."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, x):
        halves = [(v, v / 2) for v in weights_of(self)]
        return call_with(self, halves, lambda: self.layer(x))


@pytest.mark.parametrize("depth", [1, 2])
def test_losses_are_counted_once(depth):
    layer = Lossy()
    for _ in range(depth):
        layer = Halving(layer)
    x = tf.ones([2, 3])
    share = 0.5**depth
    np.testing.assert_array_equal(layer(x), np.full([2, 3], share))
    want = [10 * share, 3 * share]  # the regularizer sums over features
    assert [float(loss) for loss in layer.losses] == want
    layer(x)
    assert [float(loss) for loss in layer.losses] == want
    trainable, others = layer.trainable_variables, layer.non_trainable_variables
    *_, losses = layer.stateless_call(trainable, others, x, return_losses=True)
    assert [float(loss) for loss in losses] == want


def test_weights_are_those_that_were_made_to_be_trained():
    layer = keras.layers.BatchNormalization()
    layer.build((2, 3))
    assert [v.name for v in weights_of(layer)] == ["gamma", "beta"]
    layer.trainable = False
    assert [v.name for v in weights_of(layer)] == ["gamma", "beta"]
    frozen = keras.layers.BatchNormalization(trainable=False)
    frozen.build((2, 3))
    assert [v.name for v in weights_of(frozen)] == ["gamma", "beta"]
    assert not frozen.gamma.trainable
