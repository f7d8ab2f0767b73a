"""LoRA in a quantized layer: what is quantized is a weight together with its update.

Keras adds s A B to a frozen weight W: in every call, and once for all when it saves W. A layer that
shall compute the same before and after computes with Q(W + s A B), not with Q(W) + s Q(A) Q(B).

Source: Hu et al., LoRA, arXiv 2106.09685, equation 3; `keras.layers.Dense.enable_lora`.
"""

import dataclasses

import keras
import tensorflow as tf
from keras import ops

from tq_halp.layers.variable_substitution import value_of


@dataclasses.dataclass(frozen=True)
class Update:
    """The update s A B of one weight."""

    layer: keras.Layer  # that holds it
    weight: keras.Variable  # W
    a: keras.Variable
    b: keras.Variable

    def merged(self, a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
        """W + s a b in the layer's compute dtype: the sum is in that of W, as when it is saved."""
        scale = self.layer.lora_alpha / self.layer.lora_rank
        total = ops.add(value_of(self.weight), scale * ops.matmul(a, b))
        return ops.cast(total, self.layer.compute_dtype)

    @property
    def is_zero(self) -> bool:
        """Whether the update changes nothing now."""
        return not bool(ops.any(ops.matmul(value_of(self.a), value_of(self.b)) != 0))


def updates_of(layer: keras.Layer) -> list[Update]:
    """The updates in a layer and its sublayers."""
    found = []
    for each in layer._flatten_layers():
        if getattr(each, "lora_enabled", False):
            named = {variable.name: variable for variable in each.weights}
            for name, weight in named.items():
                if f"lora_{name}_a" in named:
                    factors = named[f"lora_{name}_a"], named[f"lora_{name}_b"]
                    found.append(Update(each, weight, *factors))
    return found


def copy_update(source: keras.Layer, copy: keras.Layer) -> None:
    """Has a built copy the update that its source has, which not every configuration speaks of."""
    if getattr(source, "lora_enabled", False):
        if not copy.lora_enabled:
            copy.enable_lora(source.lora_rank)
        copy.lora_alpha = source.lora_alpha
