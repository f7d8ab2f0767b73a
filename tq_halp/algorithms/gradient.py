"""Minibatch gradients: at the current weights, or at any other point without side effects."""

import keras
import tensorflow as tf


def batch_size_of(x):
    """Number of samples in a batch: the first dimension of its first tensor (int tensor)."""
    first = next(leaf for leaf in keras.tree.flatten(x) if leaf is not None)
    return tf.shape(first)[0]


def dense(gradient, like):
    """The gradient as a dense tensor of the variable's shape; zeros where there is none."""
    if gradient is None:
        return tf.zeros(like.shape, like.dtype)
    return tf.cast(tf.convert_to_tensor(gradient), like.dtype)


def loss_scale(optimizer, dtype="float32"):
    """The factor by which an optimizer wants its gradients scaled; None if it wants none."""
    scale = optimizer.scale_loss(1.0)
    return None if isinstance(scale, float) and scale == 1.0 else tf.cast(scale, dtype)


def gradients_at(model, values, x, y, sample_weight, draws=(), states=()):
    """Gradient of the minibatch's loss at ``values`` instead of the current weights.

    The loss is scaled as the model's optimizer wants it, if it does. The pass leaves no trace:
    BatchNorm statistics, seed generators, RNN states and metrics keep their values. It draws the
    dropout masks that ``draws`` say or, because it *reads* the same seed state as the next ordinary
    pass, those that this one will draw. Those are the ways in which an SVRG correction silently
    becomes wrong (Defazio & Bottou, *On the Ineffectiveness of Variance Reduced Optimization*,
    arXiv 1812.04529).

    Args:
        model: a compiled ``keras.Model``.
        values: tensors, one for each of ``model.trainable_variables``, with their shapes.
        x, y, sample_weight: one minibatch as Keras unpacks it.
        draws: (variable, value) pairs: where the seed generators shall be.
        states: (variable, value) pairs: where stateful RNNs shall begin.

    Returns:
        One dense tensor per trainable variable, zeros for a variable the loss does not reach; and
        the values of the variables of ``states`` after the pass.
    """
    variables = model.trainable_variables
    values = [tf.convert_to_tensor(value) for value in values]
    pairs = [*zip(variables, values, strict=True), *draws, *states]
    scope = keras.StatelessScope(state_mapping=pairs, collect_losses=True)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        with scope:
            y_pred = model(x, training=True)
            loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
        loss = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(loss, values)
    after = [scope.get_current_value(variable) for variable, _ in states]
    return [dense(g, value) for g, value in zip(gradients, values, strict=True)], after
