"""A fit in a process of its own, its stages, and X that is not in memory."""

import subprocess
import sys

import numpy as np
import pytest

from tq_halp.linear import LMHALPClassifier, LMHALPRegressor

COLD = """
import sys, time
import numpy as np
from tq_halp.linear import LMHALPClassifier
x = np.random.default_rng(0).standard_normal((1000, 20))
model = LMHALPClassifier(l2=1e-2).fit(x, x[:, 0] > 0)
assert model.score(x, x[:, 0] > 0) > 0.9
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"tensorflow", "keras", "sklearn", "scipy", "matplotlib"}, loaded
print(time.process_time())
"""


def test_a_new_process_imports_neither_tensorflow_nor_scikit_learn():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COLD], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1.0  # of processor time; 0.3 where it was written


@pytest.mark.parametrize("algorithm", ["halp", "svrg", "lp_sgd"])
def test_stages(algorithm):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((2000, 30))
    model = LMHALPRegressor(algorithm=algorithm, epochs=5, tol=0.0, l2=1e-3).fit(x, x[:, 0])
    stages = ["reading", "copying", "first_gradient", "learning_rate", "epochs"]
    assert sorted(model.timings_) == sorted(stages)
    assert all(seconds >= 0 for seconds in model.timings_.values())
    before = sum(model.timings_[stage] for stage in stages[:-1])
    assert model.setup_seconds_ == pytest.approx(before)
    assert model.timings_["epochs"] >= sum(record["seconds"] for record in model.history_)
    assert model.timings_["first_gradient"] == model.start_["gradient_seconds"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_mapped_file(tmp_path, order):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((3000, 40)).astype(np.float32)
    y = x[:, 0] + draw.standard_normal(3000) > 0
    np.save(tmp_path / "x.npy", np.asarray(x, order=order))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    ours, plain = (LMHALPClassifier(l2=1e-2).fit(data, y) for data in (mapped, x))
    np.testing.assert_array_equal(ours.coef_, plain.coef_)
    np.testing.assert_array_equal(ours.predict(mapped), plain.predict(x))


def test_far_columns_of_a_strided_array():
    """Centred as they are read: the array is neither copied nor changed."""
    draw = np.random.default_rng(0)
    wide = (draw.standard_normal((3000, 8)) + 1e4 * (np.arange(8) % 2)).astype(np.float32)
    before = wide.copy()
    x, y = wide[::2, 1:], wide[::2, 1] - wide[::2, 2]
    ours = LMHALPRegressor(data_bits=16).fit(x, y)
    plain = LMHALPRegressor(data_bits=16).fit(x.copy(), y)
    np.testing.assert_array_equal(ours.coef_, plain.coef_)
    assert ours.score(x, y) > 0.999
    np.testing.assert_array_equal(wide, before)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2**64 - 3, 2**64 - 1], np.uint64),
        np.array([-128, 127], np.int8),
        np.array([-(2**63), 2**63 - 1]),
        np.array([5, 65_000], np.uint16),
        np.array(["a", "b"]),
    ],
)
def test_labels_of_any_integer_dtype(labels):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((200, 3))
    y = labels[(x[:, 0] > 0).astype(int)]
    model = LMHALPClassifier(l2=1e-2).fit(x, y)
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype and model.score(x, y) > 0.9
    np.testing.assert_array_equal(model.coef_, LMHALPClassifier(l2=1e-2).fit(x, x[:, 0] > 0).coef_)


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="NumPy 2 has it")
def test_strings_of_any_length():
    x = np.random.default_rng(0).standard_normal((200, 3))
    y = np.where(x[:, 0] > 0, "right", "left").astype(np.dtypes.StringDType())
    assert LMHALPClassifier(l2=1e-2).fit(x, y).score(x, y) > 0.9
