"""Softmax regression against NumPy."""

import keras
import numpy as np
import pytest

from tq_halp import models


@pytest.mark.parametrize("pixels", [False, True])
def test_logits_loss_and_gradient_are_those_of_the_formula(pixels):
    draw = np.random.default_rng(0)
    shape = (2, 2, 1) if pixels else (4,)
    x = draw.integers(0, 256, (6, *shape)).astype("uint8" if pixels else "float32")
    labels = draw.integers(0, 3, 6)
    decay = 0.5
    model = models.linear_classifier(shape, 3, pixels=pixels, weight_decay=decay, dtype="float64")
    weights, bias = model.get_layer("logits").get_weights()
    assert weights.shape == (4, 3) and not weights.any() and not bias.any()
    weights, bias = draw.normal(size=(4, 3)), draw.normal(size=3)
    model.get_layer("logits").set_weights([weights, bias])
    flat = x.reshape(6, 4) * (np.float64(np.float32(1 / 255)) if pixels else 1.0)
    logits = flat @ weights + bias
    # All in float64 but the scale, which Keras rounds to float32.
    np.testing.assert_allclose(model(x), logits, rtol=1e-12)
    # One step of plain SGD at rate 1 shows the gradient: of the mean loss and of λ/2 ‖W‖².
    model.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64"),
    )
    model.train_on_batch(x, labels)
    likelihoods = np.exp(logits - logits.max(1, keepdims=True))
    likelihoods /= likelihoods.sum(1, keepdims=True)
    residual = (likelihoods - np.eye(3)[labels]) / 6
    moved = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(moved[0], weights - flat.T @ residual - decay * weights, rtol=1e-9)
    np.testing.assert_allclose(moved[1], bias - residual.sum(0), rtol=1e-9)


def test_without_decay_nothing_is_added_to_the_loss():
    assert not models.linear_classifier((4,), 3).losses


def test_the_penalty_survives_saving(tmp_path):
    model = models.linear_classifier((4,), 3, weight_decay=0.5)
    model.get_layer("logits").set_weights([np.full((4, 3), 2.0), np.ones(3)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [float(loss) for loss in loaded.losses] == [0.25 * 4 * 12]
