"""Three small models, how each is compiled, and data of 12 batches, one of them short."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np

import tq_halp

BATCH, BATCHES = 8, 12
SAMPLES = BATCHES * BATCH - 3


class Builder(NamedTuple):
    """``make`` takes a seed and returns a model, the arguments of ``compile`` and ``(x, y)``."""

    dtype: str
    make: Callable


def dense(seed):
    """A regression in float64, with momentum and decoupled weight decay."""
    initial = iter(range(10 * seed, 10 * seed + 10))

    def layer(units, activation, name):
        kernel = keras.initializers.GlorotUniform(seed=next(initial))
        return keras.layers.Dense(
            units, activation, kernel_initializer=kernel, dtype="float64", name=name
        )

    inputs = keras.Input((6,), dtype="float64", name="inputs")
    x = layer(8, "relu", "second")(layer(8, "tanh", "first")(inputs))
    model = keras.Model(inputs, layer(1, None, "outputs")(x), name="dense")
    optimizer = keras.optimizers.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=1e-3)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(SAMPLES, 6))
    y = np.sin(x @ rng.normal(size=(6, 1)))
    return model, {"optimizer": optimizer, "loss": "mse"}, (x, y)


def lstm(seed):
    """A classifier of sequences, with dropout of both kinds and Adam."""
    initial = iter(range(10 * seed, 10 * seed + 10))
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    embeddings = keras.initializers.RandomUniform(seed=next(initial))
    x = keras.layers.Embedding(12, 6, embeddings_initializer=embeddings, name="embedding")(tokens)
    x = keras.layers.LSTM(
        8,
        kernel_initializer=keras.initializers.GlorotUniform(seed=next(initial)),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(initial)),
        dropout=0.2,
        recurrent_dropout=0.2,
        seed=next(initial),
        use_cudnn=False,
        name="lstm",
    )(x)
    kernel = keras.initializers.GlorotUniform(seed=next(initial))
    model = keras.Model(
        tokens, keras.layers.Dense(12, kernel_initializer=kernel, name="logits")(x), name="lstm"
    )
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 12, size=(SAMPLES, 5)).astype("int32")
    return model, _classification(keras.optimizers.Adam(0.01)), (x, x[:, 1])


def resnet(seed):
    """ResNet-8 on tiny images: BatchNormalization, a decay in the loss, shifted and mirrored."""
    model = tq_halp.models.resnet((8, 8, 3), 4, weight_decay=2e-4, seed=seed)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, size=SAMPLES)
    prototypes = rng.integers(0, 200, size=(4, 8, 8, 3))
    images = prototypes[labels] + rng.integers(0, 56, size=(SAMPLES, 8, 8, 3))
    return model, _classification(keras.optimizers.SGD(0.05)), (images.astype("uint8"), labels)


def _classification(optimizer):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}


BUILDERS = {
    "dense": Builder("float64", dense),
    "lstm": Builder("float32", lstm),
    "resnet": Builder("float32", resnet),
}
