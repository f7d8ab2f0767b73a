"""Signatures of quantized layers: those of the Keras class, with roles and `training` added.

Keras reads the signature of `call` to know where masks and `training` go.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

Parameter = inspect.Parameter


def keras_parent(cls: type, mixin: type) -> type:
    """The Keras class that `cls` extends: the first base that is not a subclass of `mixin`."""
    return next(
        base
        for base in cls.__mro__[1:]
        if issubclass(base, keras.Layer) and not issubclass(base, mixin)
    )


def extended_signature(cls: Any, mixin: type) -> inspect.Signature:
    """The signature of the Keras class of `cls`, with one keyword argument per role added."""
    signature = inspect.signature(keras_parent(cls, mixin))
    kept = [p for p in signature.parameters.values() if p.name not in cls.roles]
    roles = [Parameter(role, Parameter.KEYWORD_ONLY, default=None) for role in cls.roles]
    return signature.replace(parameters=_before_keywords(kept, roles))


class OfClass:
    """A descriptor: an attribute of a class that its objects do not have.

    For `__signature__` of a class describes its constructor, that of an object its call.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            raise AttributeError
        return self.value


def substituting_call(keras_call: Callable[..., Any]) -> Callable[..., Any]:
    """The `call` of a quantized layer, made from that of its Keras class."""
    signature = inspect.signature(keras_call)
    takes_training = "training" in signature.parameters

    @functools.wraps(keras_call)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if takes_training:
            training = signature.bind(self, *args, **kwargs).arguments.get("training")
        else:
            training = kwargs.pop("training", None)
        return self._call_quantized(lambda: keras_call(self, *args, **kwargs), training)

    vars(call)["__signature__"] = with_training(signature)
    return call


def with_training(signature: inspect.Signature) -> inspect.Signature:
    """The signature of a `call`, with `training` added if it is missing.

    A quantized layer needs it to know whether to advance the counter of its random bits.
    """
    if "training" in signature.parameters:
        return signature
    training = Parameter("training", Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=_before_keywords(signature.parameters.values(), [training]))


def _before_keywords(
    parameters: Iterable[inspect.Parameter], added: Sequence[inspect.Parameter]
) -> list[inspect.Parameter]:
    """The parameters, with `added` before **kwargs."""
    rest = [p for p in parameters if p.kind is Parameter.VAR_KEYWORD]
    return [*(p for p in parameters if p not in rest), *added, *rest]
