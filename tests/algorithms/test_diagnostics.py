"""The numbers that say how a run goes, and the words for the ones that are bad."""

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp.algorithms.batches import Batches


def least_squares(kind, x, y, start=1.0, rate=0.1, epochs=1, **kwargs):
    """f_i(w) = ½ (x_i w − y_i)²: ∇f_i(w) = x_i (x_i w − y_i). Returns algorithm and history."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[start]], "float32")])
    algorithm = kind(model, **kwargs)
    loss = tq_halp.models.HalfMeanSquaredError()
    algorithm.compile(keras.optimizers.SGD(rate), loss=loss, run_eagerly=True)
    x, y = (np.array(part, "float32")[:, None] for part in (x, y))
    history = algorithm.fit(x, y, batch_size=1, epochs=epochs, shuffle=False, verbose=0).history
    return algorithm, history


def test_variance_ratio_by_hand():
    x, y = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    algorithm, history = least_squares(tq_halp.SVRG, x, y)
    (w,), (center,) = algorithm.model.get_weights()[0][0], algorithm.center[0].numpy()[0]
    plain, change = x * (x * w - y), x * x * (w - center)
    assert w != center
    want = (change[0] - change[1]) ** 2 / (plain[0] - plain[1]) ** 2
    np.testing.assert_allclose(history["variance_ratio"], [want], rtol=1e-5)


def test_variance_ratio_at_the_snapshot_and_of_a_single_batch():
    _, history = least_squares(tq_halp.SVRG, [1.0, 2.0], [3.0, -1.0], rate=0.0)
    assert history["variance_ratio"] == [0.0]
    _, history = least_squares(tq_halp.SVRG, [1.0], [3.0])
    assert np.isnan(history["variance_ratio"]).all()


def test_variance_ratio_takes_batches_from_everywhere():
    firsts = [float(x[0]) for x, _, _ in Batches(np.arange(80.0), batch_size=8).some(4)]
    assert firsts == [0.0, 16.0, 40.0, 56.0]
    assert len(list(Batches(np.arange(8.0), batch_size=8).some(4))) == 1


def test_no_gain_is_said_with_its_remedy():
    """y = 0: the ratio is (w − w̃)² / w², and an epoch takes w far below half of w̃."""
    with pytest.warns(UserWarning, match="SVRG's gradient had at least.*snapshot_every.*use SGD"):
        _, history = least_squares(
            tq_halp.SVRG, [1.0] * 4 + [1.5] * 4, [0.0] * 8, rate=0.2, epochs=10
        )
    assert min(history["variance_ratio"]) > 1


def test_a_ratio_that_falls_is_not_complained_about():
    """From afar w goes most of the way in an epoch; then the noise of the y is what is left."""
    x, y = [1.0] * 4 + [1.5] * 4, [0.3, -0.3] * 2 + [-0.3, 0.3] * 2
    _, history = least_squares(tq_halp.SVRG, x, y, start=4e5, rate=0.2, epochs=15)
    ratios = history["variance_ratio"]
    assert min(ratios[:10]) > 1 > ratios[-1]


def test_shares_of_halps_offsets():
    """In a box a thousand times too wide nothing leaves 0; in one too narrow all is at the edge."""
    wide = {"word_bits": 4, "rounding": "nearest_even", "mu": 1e-4}
    _, history = least_squares(tq_halp.HALP, [1.0, 2.0], [3.0, -1.0], **wide)
    assert (history["underflow_fraction"], history["saturated_fraction"]) == ([1.0], [0.0])
    narrow = wide | {"mu": 1e4}
    _, history = least_squares(tq_halp.HALP, [1.0, 2.0], [3.0, -1.0], **narrow)
    assert (history["underflow_fraction"], history["saturated_fraction"]) == ([0.0], [1.0])


def test_shares_of_weights_on_a_fixed_grid_and_a_range_too_small_in_words():
    """x w = y wants 9, the grid ends at 1.75."""
    grid = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}
    with pytest.warns(UserWarning, match="100% of the weights.*-2.0 to 1.75.*Lower frac_bits"):
        _, history = least_squares(
            tq_halp.LowPrecisionSGD, [1.0, 1.0], [9.0, 9.0], rate=1.0, epochs=3, format=grid
        )
    assert (history["saturated_fraction"], history["scale"]) == ([1.0] * 3, [0.25] * 3)
    _, history = least_squares(tq_halp.LowPrecisionSGD, [1.0], [0.0], rate=1.0, format=grid)
    assert (history["saturated_fraction"], history["underflow_fraction"]) == ([0.0], [1.0])
