"""What Keras notes during the call of a layer: the outermost call, masks of tensors, dropout."""

from typing import Any

import keras


def call_record(layer: keras.Layer) -> Any:
    """Keras' record of the outermost call under way; ``entry_layer`` is the layer that is called.

    Opens a record with ``layer`` as its entry, if no call is under way: see
    ``close_call_record``.

    Why private: Keras does not tell a layer whether, or within which layer, it is called.
    """
    return layer._get_call_context()


def close_call_record(layer: keras.Layer) -> None:
    """Ends the record if ``layer`` is its entry, as Keras does when the call returns.

    Why private: as for ``call_record``.
    """
    layer._maybe_reset_call_context()


def mask_of(x: Any) -> Any:
    """The mask that a layer's call attached to a tensor, or None.

    Why private: the guide on masking reads the attribute itself; there is no accessor.
    """
    return getattr(x, "_keras_mask", None)


def set_mask(x: Any, mask: Any) -> None:
    """Attaches a mask to a tensor, for the next layer.

    Why private: ``compute_mask`` serves the outputs of a layer, not a tensor within its call.
    """
    x._keras_mask = mask


def kept_dropout_masks(cell: keras.Layer) -> list[Any]:
    """The dropout masks of inputs and states that an RNN cell keeps for a call; None for no mask.

    Why private: ``get_dropout_mask`` makes the mask that is not there.
    """
    names = ("_dropout_mask", "_recurrent_dropout_mask")
    return [getattr(cell, name, None) for name in names]
