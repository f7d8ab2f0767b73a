"""ResNet-8 of MLPerf Tiny, in plain Keras, and a batch of CIFAR-10 to train it on.

Banbury et al., MLPerf Tiny Benchmark, arXiv 2106.07597: image classification. Its softmax is in the
loss here.
"""

import os
import pathlib

import keras
import numpy as np
from keras import layers

BATCH = 128
IMAGE = (32, 32, 3)
SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
FILE = pathlib.Path("cifar-10-batches-bin", "data_batch_1.bin")


def resnet8():
    """Three stages of 16, 32 and 64 filters, each a block of two convolutions and a shortcut."""
    start = keras.Input(IMAGE)
    x = layers.ReLU()(layers.BatchNormalization()(_convolution(16)(start)))
    for stage, filters in enumerate((16, 32, 64)):
        strides = 2 if stage else 1
        y = layers.BatchNormalization()(_convolution(filters, strides=strides)(x))
        y = layers.BatchNormalization()(_convolution(filters)(layers.ReLU()(y)))
        shortcut = _convolution(filters, 1, strides=strides)(x) if stage else x
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(start, layers.Dense(10)(x), name="resnet8")


def cifar10():
    """The first batch of images and labels, and where they are from."""
    for folder in (os.environ.get("TQ_HALP_DATA"), SHARED):
        if folder and (pathlib.Path(folder) / FILE).is_file():
            records = np.fromfile(pathlib.Path(folder) / FILE, np.uint8, BATCH * 3073)
            records = records.reshape(BATCH, 3073)
            images = records[:, 1:].reshape(BATCH, 3, 32, 32).transpose(0, 2, 3, 1)
            return (images.astype("float32") / 255, records[:, 0].astype("int32")), "CIFAR-10"
    rng = np.random.default_rng(0)
    images = rng.random((BATCH, *IMAGE), "float32")
    return (images, rng.integers(0, 10, BATCH, "int32")), "random images: CIFAR-10 is not here"


def _convolution(filters, size=3, strides=1):
    return layers.Conv2D(
        filters, size, strides, padding="same", kernel_initializer="he_normal", use_bias=True
    )
