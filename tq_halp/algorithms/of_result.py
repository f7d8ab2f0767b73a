"""``of_result``: methods of a Keras model that must see the result of training."""

import functools
from collections.abc import Callable
from typing import Any

import keras


def of_result(method: Callable) -> Callable:
    """A method of ``keras.Model`` for a ``Trainer``: it calls ``show_result`` first."""

    @functools.wraps(method)
    def call(trainer: keras.Model, *args: Any, **kwargs: Any) -> Any:
        trainer.show_result()
        return method(trainer, *args, **kwargs)

    return call
