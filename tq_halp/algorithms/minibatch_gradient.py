"""Gradients of minibatches: at the current weights, at any others, and how they are combined."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

#: A gradient of one variable: dense, of an embedding's rows, or None if the loss does not reach it.
Gradient: TypeAlias = "tf.Tensor | tf.IndexedSlices | None"


def ordinary_gradients(
    model: keras.Model, x: Any, y: Any, sample_weight: Any
) -> tuple[list[Gradient], tf.Tensor, Any]:
    """The training pass of Keras at the current weights w, with its side effects.

    Returns:
        ∇f_i(w), one for each trainable variable, as ``gradients_at`` but with None for those that
        the loss does not depend on; the loss, a scalar; the model's outputs.
    """
    with tf.GradientTape() as tape:
        y_pred = model(x, training=True)
        loss = model.compute_loss(x, y, y_pred, sample_weight, training=True)
        scaled_loss = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled_loss, model.trainable_variables)
    return [each_row_once(gradient) for gradient in gradients], loss, y_pred


def gradients_at(
    model: keras.Model,
    values: Sequence[tf.Tensor],
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    draws: Iterable[tuple[keras.Variable, tf.Tensor]] = (),
    states: Iterable[tuple[keras.Variable, tf.Tensor]] = (),
) -> tuple[list[Gradient], list[tf.Tensor]]:
    """∇f_i(u), the gradient of a minibatch's mean loss at u = ``values`` instead of the weights w.

    The pass leaves no trace: BatchNorm statistics, seed generators, RNN states and metrics keep
    their values. It starts from the same seed states as the next ordinary pass, so both draw the
    same dropout masks, unless ``draws`` says otherwise. Otherwise an SVRG correction silently
    becomes wrong (Defazio & Bottou, *On the Ineffectiveness of Variance Reduced Optimization for
    Deep Learning*, arXiv 1812.04529).

    Args:
        model: a ``Trainer``, or another compiled ``keras.Model``.
        values: u, one tensor for each of ``model.trainable_variables``, of its shape and dtype.
        x, y, sample_weight: the minibatch as Keras unpacks it; ``*batch`` of a ``Batch``.
        draws: (seed state, value) pairs: the states from which random draws start in this pass.
        states: (RNN state, value) pairs: the states from which stateful RNNs start in this pass.

    Returns:
        Two lists. The gradients, one for each trainable variable and of its dtype: a dense tensor,
        zeros if the loss does not depend on the variable; ``tf.IndexedSlices`` for an embedding,
        each row once. They are multiplied by the loss scale if the optimizer is a
        ``LossScaleOptimizer``. And the values of the variables of ``states`` after the pass.

    Raises:
        ValueError: ``values`` are not as many as the trainable variables.
    """
    variables, states = model.trainable_variables, list(states)
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
    states_after = [scope.get_current_value(variable) for variable, _ in states]
    gradients = [
        dense(None, value) if gradient is None else each_row_once(gradient)
        for gradient, value in zip(gradients, values, strict=True)
    ]
    return gradients, states_after


def dense(gradient: Gradient, like: keras.Variable | tf.Tensor) -> tf.Tensor:
    """The gradient of one variable as a dense tensor.

    Args:
        gradient: a tensor, ``tf.IndexedSlices`` (rows that occur twice are added), or None.
        like: the variable, or a tensor of its shape and dtype.

    Returns:
        Tensor of the shape and dtype of ``like``; zeros where ``gradient`` is None.
    """
    if gradient is None:
        return tf.zeros(like.shape, like.dtype)
    return tf.cast(tf.convert_to_tensor(gradient), like.dtype)


def each_row_once(gradient: Gradient) -> Gradient:
    """An embedding's gradient (``tf.IndexedSlices``) with repeated rows added up.

    Keras' optimizers scatter the rows from several threads. With a row in two of them, the last
    bits would depend on which thread comes first. Any other gradient is returned as it is.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def corrected(
    gradient: Gradient, anchor: Gradient, full: tf.Tensor, a: tf.Tensor | None = None
) -> tf.Tensor:
    """The variance-reduced gradient (∇f_i(w) − a ∇f_i(w̃)) + a g̃ of one variable, dense.

    Only the minibatch's rows of an embedding are computed anew, if both gradients have the same.

    Args:
        gradient, anchor: ∇f_i(w) and ∇f_i(w̃), each row once or dense.
        full: g̃, or what stands for it.
        a: the coefficient, a scalar; None for 1.
    """

    def times_a(tensor: tf.Tensor) -> tf.Tensor:
        return tensor if a is None else tf.cast(a, tensor.dtype) * tensor

    full = times_a(full)
    if isinstance(gradient, tf.IndexedSlices) and isinstance(anchor, tf.IndexedSlices):
        rows = gradient.indices
        return tf.cond(
            are_equal(rows, anchor.indices),
            lambda: tf.tensor_scatter_nd_add(
                full, rows[:, None], tf.cast(gradient.values - times_a(anchor.values), full.dtype)
            ),
            lambda: (dense(gradient, full) - times_a(dense(anchor, full))) + full,
        )
    return (dense(gradient, full) - times_a(dense(anchor, full))) + full


def are_equal(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Whether two vectors have the same length and elements, a bool scalar."""
    size = tf.minimum(tf.size(one), tf.size(other))
    return (tf.size(one) == tf.size(other)) & tf.reduce_all(one[:size] == other[:size])


def multiplied(gradient: Gradient, factor: tf.Tensor | None) -> Gradient:
    """The gradient of one variable times a scalar; None for the factor 1."""
    if gradient is None or factor is None:
        return gradient
    if isinstance(gradient, tf.IndexedSlices):
        values = gradient.values * tf.cast(factor, gradient.values.dtype)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(factor, gradient.dtype)


def are_finite(gradients: Iterable[Gradient]) -> tf.Tensor:
    """Whether all numbers are finite, a bool scalar."""
    numbers = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    finite = [tf.reduce_all(tf.math.is_finite(each)) for each in numbers if each is not None]
    return tf.reduce_all(tf.stack(finite))


def after(gradients: Sequence[Gradient] | None, x: Any) -> Any:
    """``x``, available only once ``gradients`` are computed.

    Two passes at the same time would take twice the memory and compete for the caches.
    """
    with tf.control_dependencies(tf.nest.flatten(gradients or [], expand_composites=True)):
        return keras.tree.map_structure(tf.identity, x)


def loss_scale(
    optimizer: keras.optimizers.Optimizer, dtype: str | tf.DType = "float32"
) -> tf.Tensor | None:
    """The factor by which the optimizer scales the loss, a scalar; None if it does not scale."""
    scale = optimizer.scale_loss(1.0)
    return None if isinstance(scale, float) and scale == 1.0 else tf.cast(scale, dtype)


def batch_size_of(x: Any) -> tf.Tensor:
    """Number of samples in a minibatch: the first dimension of its first tensor, an int scalar."""
    first = next(leaf for leaf in tf.nest.flatten(x) if leaf is not None)
    if isinstance(first, tf.RaggedTensor):
        return first.nrows(tf.int32)
    if isinstance(first, tf.SparseTensor):
        return tf.cast(first.dense_shape[0], tf.int32)
    return tf.shape(first)[0]


def wide_dtype(dtype: str | tf.DType) -> str:
    """The name of the dtype in which many numbers of ``dtype`` are added: float32 at least."""
    name = tf.as_dtype(dtype).name
    return "float32" if name in ("float16", "bfloat16") else name


def widened(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor in float32 at least, for sums over many elements."""
    return tf.cast(tensor, wide_dtype(tensor.dtype))
