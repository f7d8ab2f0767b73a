"""HALP's offsets in every number format, and scales of several granularities."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tq_halp
from tq_halp.algorithms.iterates.offset_format import OffsetFormat

FORMATS = (
    {"format": "fixed_point", "word_bits": 8, "frac_bits": 3},
    {"format": "scaled_integer", "word_bits": 8},
    "float8_e4m3fn",
    {"format": "block_float", "word_bits": 8, "block_size": 5, "axis": 0},
    {"format": "mxfp8", "block_size": 5, "axis": 0, "scale_rounding": "ceil"},
)


def least_squares(epochs, rate=0.1, **kwargs):
    """‖∇f‖ before and after; y = X w*, with noise, 200 samples of 10 features, float32."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 10)).astype("float32")
    y = x @ draw.normal(size=(10, 2)) + 0.1 * draw.normal(size=(200, 2))
    model = keras.Sequential(
        [keras.Input((10,)), keras.layers.Dense(2, use_bias=False, kernel_initializer="zeros")]
    )
    algorithm = tq_halp.HALP(model, **kwargs)
    algorithm.compile(keras.optimizers.SGD(rate), loss="mse", steps_per_execution=10)
    norms = []
    for _ in range(2):
        w = model.get_weights()[0]
        norms.append(float(np.linalg.norm(x.T @ (x @ w - y)) / len(x)))
        if len(norms) == 1:
            algorithm.fit(x, y, batch_size=10, epochs=epochs, verbose=0)
    return algorithm, norms


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_converges_far_below_a_fixed_grids_floor_on_multiples_of_the_formats_numbers(format):
    algorithm, (before, after) = least_squares(15, format=format)
    assert after < 1e-4 * before
    scale = algorithm.grid_scale.numpy()[0]
    codes = algorithm.offset[0].numpy() / np.float32(scale)
    quantizer = tq_halp.quantizers.Quantizer(format)
    on_grid = quantizer(codes, scale=1.0 if quantizer.has_dynamic_range else None)
    assert np.any(codes)
    np.testing.assert_allclose(on_grid, codes, rtol=1e-6)


def test_without_a_box_there_is_no_mu():
    with pytest.raises(ValueError, match="mu must be 'auto' for block_float"):
        least_squares(1, format=FORMATS[3], mu=1.0)


def test_stretched_format_by_hand():
    """3-bit integers (largest 3) of scale 0.5, nearest; a scale of 0 leaves 0."""
    format = {"format": "fixed_point", "word_bits": 3, "frac_bits": 0}
    to_grid = OffsetFormat(tq_halp.quantizers.Quantizer(format, rounding="down"))
    assert to_grid.largest == 3.0
    got = to_grid(tf.constant([0.7, -0.7, 9.0]), tf.constant(0.5, tf.float64), 0)
    np.testing.assert_array_equal(got, [0.5, -1.0, 1.5])
    np.testing.assert_array_equal(to_grid(tf.ones(2), tf.constant(0.0, tf.float64), 0), [0, 0])


def test_each_channel_has_its_own_scale():
    """Two independent problems, one of them 1000 times larger: with one scale its noise rules."""
    algorithm, _ = least_squares(1, scale="per_channel", word_bits=6)
    assert algorithm.grid_scale.shape == (2,)
    scales, offset = algorithm.grid_scale.numpy(), algorithm.offset[0].numpy()
    assert scales[0] != scales[1]
    np.testing.assert_allclose(offset / scales, np.round(offset / scales), atol=1e-5)
    full = algorithm.full_gradient[0].numpy()
    norms = np.linalg.norm(full.astype("float64"), axis=0)
    np.testing.assert_allclose(scales, norms / (algorithm.current_mu.numpy() * 31), rtol=1e-6)


def test_format_survives_saving(tmp_path):
    algorithm, _ = least_squares(1, format="float8_e5m2", scale="per_channel")
    algorithm.save(tmp_path / "a.keras")
    loaded = keras.models.load_model(tmp_path / "a.keras")
    assert loaded.format == algorithm.format
    np.testing.assert_array_equal(loaded.grid_scale, algorithm.grid_scale)


@pytest.mark.parametrize("word_bits", [3, 4, 8])
def test_auto_mu_converges_at_every_width(word_bits):
    _, (before, after) = least_squares(25, word_bits=word_bits)
    assert after < {3: 3e-2, 4: 1e-3, 8: 1e-4}[word_bits] * before
