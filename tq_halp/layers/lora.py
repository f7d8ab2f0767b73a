"""LoRA in quantized layers: a weight is quantized together with its low-rank update.

Keras adds s A B to a frozen weight W in every call, and merges it into W when the model is saved.
A quantized layer uses Q(W + s A B), not Q(W) + s Q(A) Q(B): so saving does not change its outputs.

Source: Hu et al., LoRA, arXiv 2106.09685, equation 3; `keras.layers.Dense.enable_lora`.
"""

import dataclasses

import keras
import tensorflow as tf
from keras import ops

from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.layers.variable_substitution import value_of


@dataclasses.dataclass(frozen=True)
class Update:
    """The update s A B of one weight W, s = lora_alpha / lora_rank."""

    layer: keras.Layer  # the layer of W
    weight: keras.Variable  # W
    a: keras.Variable
    b: keras.Variable

    def merged(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """W + s a b, added in the dtype of W as in saving, then cast to the compute dtype."""
        scale = self.layer.lora_alpha / self.layer.lora_rank
        total = ops.add(value_of(self.weight), scale * ops.matmul(a, b))
        return ops.cast(total, self.layer.compute_dtype)

    @property
    def is_zero(self) -> bool:
        """Whether A B is 0 now."""
        return not bool(ops.any(ops.matmul(value_of(self.a), value_of(self.b)) != 0))


def updates_of(layer: keras.Layer) -> list[Update]:
    """The updates of a layer and its sublayers."""
    found = []
    for each in flatten_layers(layer):
        if getattr(each, "lora_enabled", False):
            named = {variable.name: variable for variable in each.weights}
            for name, weight in named.items():
                if f"lora_{name}_a" in named:
                    factors = named[f"lora_{name}_a"], named[f"lora_{name}_b"]
                    found.append(Update(each, weight, *factors))
    return found


def copy_update(source: keras.Layer, copy: keras.Layer) -> None:
    """Gives a built copy the update of its source, which not every `get_config` describes."""
    if getattr(source, "lora_enabled", False):
        if not copy.lora_enabled:
            copy.enable_lora(source.lora_rank)
        copy.lora_alpha = source.lora_alpha
