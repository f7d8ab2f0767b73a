"""How a quantized layer shows itself: the signatures of the Keras class it extends, and a bit more.

Keras reads the signature of `call` to know where masks and `training` go.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras

Parameter = inspect.Parameter


def keras_parent(cls: type, mixin: type) -> type:
    """The class that the quantized class `cls` extends: the first that knows nothing of `mixin`."""
    return next(
        base
        for base in cls.__mro__[1:]
        if issubclass(base, keras.Layer) and not issubclass(base, mixin)
    )


def extended_signature(cls: Any, mixin: type) -> inspect.Signature:
    """The signature of the Keras class that `cls` extends, plus one keyword argument per role."""
    signature = inspect.signature(keras_parent(cls, mixin))
    kept = [p for p in signature.parameters.values() if p.name not in cls.roles]
    roles = [Parameter(role, Parameter.KEYWORD_ONLY, default=None) for role in cls.roles]
    return signature.replace(parameters=_before_keywords(kept, roles))


class OfClass:
    """A class attribute that its objects do not have.

    The signature of a class is that of its constructor, that of an object is how it is called.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is not None:
            raise AttributeError
        return self.value


def substituting_call(keras_call: Callable[..., Any]) -> Callable[..., Any]:
    """The `call` of a quantized layer made from that of its Keras class."""
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
    """The signature of a `call` that needs `training` even where the Keras layer's does not.

    Without it a layer could not know whether its random bits move on.
    """
    if "training" in signature.parameters:
        return signature
    training = Parameter("training", Parameter.KEYWORD_ONLY, default=None)
    return signature.replace(parameters=_before_keywords(signature.parameters.values(), [training]))


def _before_keywords(
    parameters: Iterable[inspect.Parameter], added: Sequence[inspect.Parameter]
) -> list[inspect.Parameter]:
    """The parameters with some more, in front of a **kwargs."""
    rest = [p for p in parameters if p.kind is Parameter.VAR_KEYWORD]
    return [*(p for p in parameters if p not in rest), *added, *rest]
