"""A user's own arrays: what is read from an .npz file, and what every mistake is answered."""

import contextlib
import hashlib

import numpy as np
import pytest

from tq_halp import data
from tq_halp.data import load_arrays
from tq_halp.errors import InputError

GOOD = {
    "x_train": np.arange(12.0).reshape(4, 3),
    "y_train": np.array([0, 2, 1, 0]),
    "x_validation": np.ones((2, 3)),
    "y_validation": np.array([3, 0]),
}
TEST = {"x_test": np.zeros((3, 3)), "y_test": np.array([0, 1, 2])}


@pytest.fixture
def saved(tmp_path):
    """Writes the good arrays with some changed, None: left out."""

    def save(**changed):
        arrays = {name: a for name, a in {**GOOD, **changed}.items() if a is not None}
        np.savez(tmp_path / "mine.npz", **arrays)
        return tmp_path / "mine.npz"

    return save


def test_what_is_in_the_file_comes_out(saved):
    path = saved(**TEST)
    found = load_arrays(path, limit=3, validation_limit=1)
    assert (found.name, found.requested, found.source) == ("mine.npz", "mine.npz", str(path))
    assert found.classes == 4 and found.vocabulary_size is None
    for ours, part, count in [(found.train, "train", 3), (found.test, "test", 1)]:
        for array, axis in zip(ours, "xy", strict=True):
            theirs = {**GOOD, **TEST}[f"{axis}_{part}"][:count]
            assert array.dtype == theirs.dtype
            np.testing.assert_array_equal(array, theirs)
    assert load_arrays(saved()).test is None


@pytest.mark.parametrize(
    "targets", [np.ones((4, 1)), np.array([0, -1, 1, 0]), np.ones((4, 2), int)]
)
def test_targets_that_are_no_classes(saved, targets):
    validation = targets[:2]
    assert load_arrays(saved(y_train=targets, y_validation=validation)).classes is None


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"x_validation": None}, "x_validation is missing; expected x_train, y_train"),
        ({"x_test": TEST["x_test"]}, "y_test is missing"),
        ({"x_valid": np.ones(3)}, "unknown array 'x_valid'; did you mean 'x_validation'"),
        ({"x_train": np.array([["a"] * 3] * 4)}, "x_train must hold real numbers .* Received: <U1"),
        ({"x_train": np.float32(3)}, r"x_train must hold examples .* Received: shape \(\)"),
        (
            {"y_validation": np.zeros(0, int)},
            r"y_validation must hold examples .* Received: shape \(0,\)",
        ),
        (
            {"x_train": np.where(np.arange(12).reshape(4, 3) >= 7, np.nan, 1.0)},
            r"x_train must hold finite numbers. Received: nan at \[2, 1\]",
        ),
        (
            {"y_validation": np.array([1.0, -np.inf])},
            r"y_validation must hold finite .* Received: -inf at \[1\]",
        ),
        ({"y_train": np.array([0, 1])}, "x_train has 4 examples, y_train has 2"),
        (
            {"x_validation": np.ones((2, 5))},
            r"x_validation holds float64 of shape \(5,\), expected float64 of shape \(3,\) as in",
        ),
        ({"y_validation": np.array([0.0, 1.0])}, "y_validation holds float64 of shape"),
        ({"x_train": np.array([None])}, "cannot be read: no .npz file of plain arrays"),
        (
            {"x_train": np.ones((4, 3), complex)},
            "x_train must hold real numbers .* Received: complex128",
        ),
        (
            {"x_train": np.ones((4, 3), np.longdouble)},
            "x_train must hold real numbers of at most 8 bytes. Received: ",
        ),
        (
            {"x_train": np.ones(4, [("a", "f4")])},
            r"x_train must hold .* Received: \[\('a', '<f4'\)\]",
        ),
        (
            {"x_train": np.where(np.arange(12).reshape(4, 3) == 7, -np.inf, 1.0)},
            r"x_train must hold finite .* Received: -inf at \[2, 1\]",
        ),
    ],
)
def test_mistakes_name_the_file_and_the_array(saved, changed, said):
    path = saved(**changed)
    with pytest.raises(InputError, match=said) as error:
        load_arrays(path)
    assert str(error.value).startswith(str(path))


def test_files_that_are_none(tmp_path):
    (tmp_path / "text.npz").write_text("x")
    np.save(tmp_path / "one.npy", np.ones(3))
    for name, said in [("no.npz", "No such file"), ("text.npz", "no .npz"), ("one.npy", "no .npz")]:
        with pytest.raises(InputError, match=f"{name}: cannot be read: {said}"):
            load_arrays(tmp_path / name)
    with pytest.raises(InputError, match="data.file: arrays needs the name of an .npz file"):
        load_arrays(None)


def test_any_order_of_bytes_and_of_memory(saved):
    """TensorFlow takes the processor's order of bytes alone."""
    x, y = GOOD["x_train"], GOOD["y_train"]
    found = load_arrays(saved(x_train=np.asfortranarray(x).astype(">f8"), y_train=y.astype(">i8")))
    for array, expected in zip(found.train, (x, y), strict=True):
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, expected)


def test_damaged_files(saved):
    """Cut anywhere, or with one byte changed: an error of ours, or the whole content."""
    path = saved()
    np.savez_compressed(path, **GOOD)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        for damaged in (content[:place], content[:place] + b"\xff" + content[place + 1 :]):
            path.write_bytes(damaged)
            with contextlib.suppress(InputError):
                load_arrays(path)


def test_a_checksum_admits_that_very_file(saved):
    path = saved()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.load_arrays(path, sha256=digest).train_size == 4
    saved(y_train=np.array([0, 2, 1, 1]))
    with pytest.raises(InputError, match=f"must have the SHA-256 {digest}. Received: "):
        load_arrays(path, sha256=digest)
