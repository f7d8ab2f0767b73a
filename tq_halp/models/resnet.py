"""A residual network for small images, as He et al. use on CIFAR-10."""

from collections.abc import Sequence
from typing import Any

import keras

from tq_halp.models.weight_decay import WeightDecay

#: The largest shift of an image, as a share of its side: 4 of 32 pixels.
SHIFT = 0.125


def resnet(
    shape: Sequence[int],
    classes: int,
    *,
    blocks: Sequence[int] = (1, 1, 1),
    weight_decay: float = 0.0,
    augment: bool = True,
    dtype: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """A residual network for images: uint8 (batch, *shape) -> logits (batch, classes).

    As in He et al., arXiv 1512.03385, section 4.2: a 3 x 3 convolution; stages of basic blocks,
    each of two such convolutions; global average pooling; a dense layer. Stage s = 0, 1, ... has
    16 · 2^s channels, and every stage but the first halves the sides. Batch normalization follows
    every convolution. Where the shape changes, the shortcut is a 1 x 1 convolution with batch
    normalization (option B; 2,752 of the 78,042 parameters of blocks [1, 1, 1]).
    Use it with `SparseCategoricalCrossentropy(from_logits=True)`.

    The pixels p enter as p / 64 - 2, which has mean 0 and standard deviation 1, about, for
    photographs. The layers are named "conv", "stage1_block1_conv1", ..., "stage2_block1_shortcut",
    "logits". A normalization has the name of its convolution and "_bn".

    Args:
        shape: height, width and channels.
        classes: number of classes.
        blocks: number of blocks in each stage.
        weight_decay: λ of a penalty λ/2 ‖W‖², whose gradient is λ W, on every kernel.
        augment: whether training shifts every image at random by whole pixels, up to an eighth of
            its side in both directions, filled with gray, and mirrors it with probability 1/2. This
            is padding and cropping, but the largest shifts are half as likely as others.
        dtype: dtype policy of all layers.
        seed: of the initial weights (He's normal; the last bias is 0) and of augmentation.
    """
    seeds = iter(range(1_000_003 * seed, 1_000_003 * seed + 1000))

    def kernel(initializer: type) -> dict[str, Any]:
        return {
            "kernel_initializer": initializer(seed=next(seeds)),
            "kernel_regularizer": WeightDecay(weight_decay) if weight_decay else None,
            "dtype": dtype,
        }

    def convolution(
        x: keras.KerasTensor, filters: int, name: str, size: int = 3, strides: int = 1
    ) -> keras.KerasTensor:
        x = keras.layers.Conv2D(
            filters,
            size,
            strides,
            padding="same",
            use_bias=False,
            name=name,
            **kernel(keras.initializers.HeNormal),
        )(x)
        # PyTorch's momentum of 0.1 is Keras' 0.9.
        return keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=dtype, name=f"{name}_bn"
        )(x)

    def block(x: keras.KerasTensor, filters: int, name: str, strides: int) -> keras.KerasTensor:
        y = convolution(x, filters, f"{name}_conv1", strides=strides)
        y = keras.layers.ReLU(dtype=dtype, name=f"{name}_relu1")(y)
        y = convolution(y, filters, f"{name}_conv2")
        if x.shape[-1] != filters:
            x = convolution(x, filters, f"{name}_shortcut", size=1, strides=strides)
        y = keras.layers.Add(dtype=dtype, name=f"{name}_sum")([x, y])
        return keras.layers.ReLU(dtype=dtype, name=f"{name}_relu2")(y)

    pixels = keras.Input(shape, dtype="uint8", name="pixels")
    x = keras.layers.Rescaling(1 / 64, -2.0, dtype=dtype, name="scaled")(pixels)
    if augment:
        x = keras.layers.RandomTranslation(
            SHIFT,
            SHIFT,
            fill_mode="constant",
            interpolation="nearest",
            seed=next(seeds),
            dtype=dtype,
            name="shifted",
        )(x)
        x = keras.layers.RandomFlip("horizontal", seed=next(seeds), dtype=dtype, name="mirrored")(x)
    x = keras.layers.ReLU(dtype=dtype, name="relu")(convolution(x, 16, "conv"))
    for stage, count in enumerate(blocks):
        for number in range(count):
            name = f"stage{stage + 1}_block{number + 1}"
            x = block(x, 16 * 2**stage, name, strides=2 if stage and not number else 1)
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype, name="mean")(x)
    logits = keras.layers.Dense(classes, name="logits", **kernel(keras.initializers.HeNormal))(x)
    return keras.Model(pixels, logits, name="resnet")
