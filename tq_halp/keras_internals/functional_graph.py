"""How a functional or sequential Keras model is put together."""

from typing import Any

import keras


def nodes_of(operation: keras.Operation) -> list[Any]:
    """The calls of an operation in functional models: each with ``operation`` and ``arguments``.

    Why private: ``Model.operations`` is public, the arguments of their calls are not.
    """
    return operation._inbound_nodes


def operation_of(x: keras.KerasTensor) -> keras.Operation:
    """The operation whose output a symbolic tensor is.

    Why private: ``model.inputs`` are tensors, and no public name leads from one to its
    ``InputLayer``.
    """
    return x._keras_history.operation


def layers_with_input(model: keras.Sequential) -> list[keras.Layer]:
    """The layers of a sequential model, with the ``InputLayer`` if there is one.

    Why private: ``Sequential.layers`` leaves it out.
    """
    return model._layers
