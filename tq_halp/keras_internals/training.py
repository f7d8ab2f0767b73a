"""What ``compile`` leaves in a Keras model."""

from typing import Any

import keras


def compile_arguments(model: keras.Model) -> dict[str, Any]:
    """The arguments with which a model was compiled, as the objects that were given.

    Why private: ``get_compile_config`` serializes them, so a lambda is lost.
    """
    return model._compile_config.config


def loss_tracker(model: keras.Model) -> keras.metrics.Mean:
    """The mean of the loss over an epoch, which ``fit`` logs as "loss"; ``model`` is compiled.

    Why private: a ``train_step`` of one's own has to update it, and ``model.metrics`` tells it from
    a user's metric called "loss" by its position alone.
    """
    return model._loss_tracker
