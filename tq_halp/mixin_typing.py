"""The base class of the mixins that go before a Keras layer class."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A mixin's methods use attributes of the Keras class behind it, which the checker cannot know.
    from keras import Layer as MixinBase
else:
    MixinBase = object

__all__ = ["MixinBase"]
