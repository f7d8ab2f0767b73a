"""``compile_from_model``: compiles a trainer like the model inside it."""

import warnings

import keras


def compile_from_model(trainer: keras.Model, model: keras.Model) -> None:
    """Compiles ``trainer`` with copies of the optimizer, loss and metrics of ``model``.

    Of the optimizer it copies the configuration, not the state. It warns if Keras cannot copy them.
    """
    try:
        trainer.compile_from_config(model.get_compile_config())
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        warnings.warn(
            f"{type(trainer).__name__} is not compiled as the model is, which Keras cannot copy: "
            f"{reason} Call its compile.",
            stacklevel=4,
        )
