"""Minibatch gradients: at the current weights, or at any other point without side effects."""

import keras
import tensorflow as tf


def batch_size_of(x):
    """Number of samples in a batch: the first dimension of its first tensor (int tensor)."""
    first = next(leaf for leaf in tf.nest.flatten(x) if leaf is not None)
    if isinstance(first, tf.RaggedTensor):
        return first.nrows(tf.int32)
    if isinstance(first, tf.SparseTensor):
        return tf.cast(first.dense_shape[0], tf.int32)
    return tf.shape(first)[0]


def dense(gradient, like):
    """The gradient as a dense tensor of the variable's shape; zeros where there is none."""
    if gradient is None:
        return tf.zeros(like.shape, like.dtype)
    return tf.cast(tf.convert_to_tensor(gradient), like.dtype)


def wide_dtype(dtype):
    """The name of a dtype for sums of many numbers of ``dtype``: float32 at least."""
    name = tf.as_dtype(dtype).name
    return "float32" if name in ("float16", "bfloat16") else name


def widened(tensor):
    """In float32 at least, for sums over many elements."""
    return tf.cast(tensor, wide_dtype(tensor.dtype))


def each_row_once(gradient):
    """An embedding's gradient (``tf.IndexedSlices``) with the rows that come repeatedly added up.

    Keras' optimizers scatter the rows from several threads, and where two of them are one row's
    the last bits would depend on who comes first. Any other gradient is returned as it is.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, place = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def after(gradients, x):
    """x, but not before the gradients: two passes at once want twice the memory and the caches."""
    with tf.control_dependencies(tf.nest.flatten(gradients or [], expand_composites=True)):
        return keras.tree.map_structure(tf.identity, x)


def corrected(gradient, anchor, full, a=None):
    """The variance-reduced gradient (∇f_i(w) − a ∇f_i(w̃)) + a g̃ of one variable, dense.

    Of an embedding only the minibatch's rows are touched; both gradients normally have the same.

    Args:
        gradient, anchor: the minibatch's, each row once or dense.
        full: g̃, or what stands for it.
        a: the coefficient, a scalar tensor; None for 1.
    """

    def share(tensor):
        return tensor if a is None else tf.cast(a, tensor.dtype) * tensor

    full = share(full)
    if isinstance(gradient, tf.IndexedSlices) and isinstance(anchor, tf.IndexedSlices):
        rows = gradient.indices
        return tf.cond(
            _are_equal(rows, anchor.indices),
            lambda: tf.tensor_scatter_nd_add(
                full, rows[:, None], tf.cast(gradient.values - share(anchor.values), full.dtype)
            ),
            lambda: (dense(gradient, full) - share(dense(anchor, full))) + full,
        )
    return (dense(gradient, full) - share(dense(anchor, full))) + full


def _are_equal(one, other):
    size = tf.minimum(tf.size(one), tf.size(other))
    return (tf.size(one) == tf.size(other)) & tf.reduce_all(one[:size] == other[:size])


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
        One gradient per trainable variable: a tensor, an embedding's as ``tf.IndexedSlices`` with
        each row once, zeros for a variable the loss does not reach; and the values of the variables
        of ``states`` after the pass.
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
    gradients = [
        dense(None, value) if gradient is None else each_row_once(gradient)
        for gradient, value in zip(gradients, values, strict=True)
    ]
    return gradients, after
