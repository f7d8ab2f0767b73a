"""The residual network: its shape, its penalty, its augmentation, and HALP's first step on it."""

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp import models
from tq_halp.models.resnet import SHIFT

SHAPE = (32, 32, 3)


def test_parameters_are_those_of_the_paper():
    """[1, 1, 1] counted by hand; [9, 9, 9] is the paper's ResNet-56 of 0.85 million."""
    model = models.resnet(SHAPE, 10)
    trained = sum(np.prod(variable.shape) for variable in model.trainable_variables)
    convolutions = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    shortcuts = 16 * 32 + 32 * 64
    normalizations = 2 * (3 * 16 + 3 * 32 + 3 * 64)
    assert trained == convolutions + shortcuts + normalizations + 64 * 10 + 10 == 78_042
    assert model.get_layer("stage3_block1_relu2").output.shape == (None, 8, 8, 64)
    large = models.resnet(SHAPE, 10, blocks=[9, 9, 9])
    assert sum(layer.name.split("_")[-1].startswith("conv") for layer in large.layers) == 55
    count = sum(np.prod(variable.shape) for variable in large.trainable_variables)
    assert 0.85e6 < count < 0.86e6


def test_the_seed_decides_the_start():
    first, again, other = (models.resnet(SHAPE, 4, seed=seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [i for i, weight in enumerate(first) if weight.ndim == 4]
    assert all((first[i] != other[i]).any() for i in kernels)
    # He et al.: variance 2 / fan-in; 36,864 draws deviate by less than 3 percent of it.
    assert np.var(first[max(kernels, key=lambda i: first[i].size)]) == pytest.approx(
        2 / (9 * 64), rel=0.03
    )


def test_the_penalty_is_that_of_every_kernel_and_no_other():
    model = models.resnet(SHAPE, 4, weight_decay=0.01)
    kernels = [v for v in model.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 10
    expected = sum(0.005 * np.sum(np.square(np.float64(kernel))) for kernel in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)  # float32 sums


def test_augmentation_shifts_and_mirrors_every_image_by_itself():
    """Whole pixels, up to 4, into gray; only in training."""
    model = models.resnet(SHAPE, 4)
    stages = keras.Model(model.input, [model.get_layer(n).output for n in ("scaled", "mirrored")])
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, SHAPE).astype("uint8")
    batch = np.stack([image] * 64)
    scaled, same = stages(batch, training=False)
    np.testing.assert_array_equal(scaled, same)
    np.testing.assert_array_equal(scaled[0], image / 64 - 2)
    _, moved = stages(batch, training=True)
    reach = int(SHIFT * 32)
    padded = np.pad(image / 64 - 2, ((reach, reach), (reach, reach), (0, 0)))
    places = {}
    for down in range(2 * reach + 1):
        for right in range(2 * reach + 1):
            crop = padded[down : down + 32, right : right + 32].astype("float32")
            places[crop.tobytes()] = (down, right, False)
            places[np.ascontiguousarray(crop[:, ::-1]).tobytes()] = (down, right, True)
    found = [places[np.array(each).tobytes()] for each in moved]
    assert len({each[0] for each in found}) == len({each[1] for each in found}) == 9
    assert len({each[2] for each in found}) == 2 and len(set(found)) > 32


def test_first_step_after_a_snapshot_takes_the_full_gradient():
    """Augmentation, statistics and the penalty are the same in both gradients."""
    x = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype("uint8")
    model = models.resnet((8, 8, 3), 4, blocks=[1, 1], weight_decay=0.01)
    trainer = tq_halp.HALP(model, word_bits=16)
    trainer.compile(
        keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    seen = []

    class FirstStep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                for i, offset in enumerate(self.model.offset):
                    step = float(self.model.grid_scale[i])
                    error = offset.numpy() + 0.01 * self.model.full_gradient[i].numpy()
                    seen.append((np.abs(error).max(), step))

    trainer.fit(x, np.arange(8) % 4, batch_size=4, verbose=0, callbacks=[FirstStep()])
    # z = Q(-α g̃): stochastic rounding moves it by less than a step, and w̃ - α g̃, below 2, was
    # rounded to float32. Drawn otherwise, the gradients would differ by about themselves.
    for (error, step), variable in zip(seen, model.trainable_variables, strict=True):
        assert error < step + 2**-23, variable.path
    assert max(np.abs(0.01 * full.numpy()).max() for full in trainer.full_gradient) > 1e-3
