"""A trainer compiled as the model inside is."""

import warnings

import keras


def compile_like(trainer: keras.Model, model: keras.Model) -> None:
    """Takes over the optimizer (configuration, not state), loss and metrics of ``model``.

    Warns where Keras cannot copy them.
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
