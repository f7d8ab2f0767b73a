"""Files in LIBSVM's format: what they hold, how they are split, and lines that are wrong."""

import numpy as np
import pytest

from tq_halp.data import fetch, libsvm, load_libsvm
from tq_halp.errors import InputError

TEXT = """\
+1 1:0.5 3:-2e1  # a comment

-1 2:1
-1
+1 4:1 5:0
"""


def dense(labels, rows, columns, values):
    x = np.zeros((len(labels), max(columns)), np.float32)
    x[rows, columns - 1] = values
    return x, labels


def test_lines_are_samples():
    x, labels = dense(*libsvm.parse(TEXT, "file"))
    assert labels.tolist() == [1, -1, -1, 1]
    expected = [[0.5, 0, -20, 0, 0], [0, 1, 0, 0, 0], [0] * 5, [0, 0, 0, 1, 0]]
    assert x.tolist() == expected


@pytest.mark.parametrize(
    "line, message",
    [
        ("one 1:2", "the label is 'one', expected a finite number"),
        ("nan 1:2", "the label is 'nan'"),
        ("1,2 1:2", "the label is '1,2'"),
        ("1:2 2:3", "the label is '1:2'"),
        ("1 0:2", "received '0:2', expected index:value with an index above 0"),
        ("1 -1:2", "received '-1:2'"),
        ("1 1.5:2", "received '1.5:2'"),
        ("1 ²:2", "received '²:2'"),
        ("1 2:1 2:1", "received '2:1', expected index:value with an index above 2"),
        ("1 3:1 2:1", "received '2:1'"),
        ("1 qid:3 1:1", "received 'qid:3'"),
        ("1 7", "the value of index 7 is ''"),
        ("1 7: 8:1", "the value of index 7 is ''"),
        ("1 1:x", "the value of index 1 is 'x'"),
        ("1 1:nan", "the value of index 1 is 'nan', expected a finite number"),
        ("1 1:inf", "the value of index 1 is 'inf'"),
        ("1 1:2:3", "the value of index 1 is '2:3'"),
    ],
)
def test_a_wrong_line_is_named(line, message):
    with pytest.raises(InputError) as error:
        libsvm.parse(f"1 1:1\n\n{line}\n", "folder/file")
    assert str(error.value).startswith("folder/file:3: ") and message in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [("", "no sample"), ("# nothing\n", "no sample"), ("1 9999999999:1", "index 9,999,999,999")],
)
def test_a_wrong_file_is_named(text, message):
    with pytest.raises(InputError, match=f"file: {message}"):
        libsvm.parse(text, "file")


def write(folder, name, labels, features=3):
    """Samples whose first value is their number."""
    lines = [f"{label} 1:{row} {features}:1" for row, label in enumerate(labels)]
    (folder / name).write_text("\n".join(lines))


def test_every_tenth_sample_validates(tmp_path):
    write(tmp_path, "a9a", [3, -1] * 12)  # In a folder of one's own a name says nothing.
    write(tmp_path, "other", [7, 3], features=5)
    dataset = load_libsvm("a9a", directory=tmp_path, test_file="other")
    (x, y), (x_held, y_held), (x_test, y_test) = dataset.train, dataset.validation, dataset.test
    assert x_held[:, 0].tolist() == [9, 19]
    assert x[:, 0].tolist() == [n for n in range(24) if n not in (9, 19)]
    # Features and classes are those of both files.
    assert x.shape[1] == 5 and dataset.classes == 3
    assert (y[:2].tolist(), y_held.tolist(), y_test.tolist()) == ([1, 0], [0, 0], [2, 1])
    assert x_test[:, [0, 2, 4]].tolist() == [[0, 0, 1], [1, 0, 1]]
    assert (x.dtype, y.dtype, dataset.name) == ("float32", "int32", "a9a")
    cut = load_libsvm("a9a", directory=tmp_path, test_file="other", limit=4, validation_limit=1)
    assert [len(part[0]) for part in (cut.train, cut.validation, cut.test)] == [4, 1, 1]
    assert cut.train[0].shape[1] == 5 and cut.classes == 3


def test_regression_keeps_the_numbers(tmp_path):
    write(tmp_path, "houses", np.arange(10) / 4)
    dataset = load_libsvm("houses", directory=tmp_path, task="regression")
    assert dataset.train[1].tolist() == [[n / 4] for n in range(9)]
    assert dataset.classes is None and dataset.test is None
    with pytest.raises(InputError, match=r"label 0\.25 is no class.*data\.task: regression"):
        load_libsvm("houses", directory=tmp_path)


@pytest.mark.parametrize(
    "labels, message", [([1] * 10, "every label is 1"), ([1, 2] * 4, "8 samples, expected 10")]
)
def test_too_little_to_learn_from(tmp_path, labels, message):
    write(tmp_path, "few", labels)
    with pytest.raises(InputError, match=message):
        load_libsvm("few", directory=tmp_path)


def test_too_large_for_a_dense_array(tmp_path):
    write(tmp_path, "wide", [0, 1] * 5, features=10**9)
    with pytest.raises(InputError, match="wide: 10 samples of 1,000,000,000 features are too many"):
        load_libsvm("wide", directory=tmp_path)


def test_files_that_are_not_there(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"data\.file: libsvm needs the name of a file"):
        load_libsvm(None)
    with pytest.raises(InputError, match=r"data\.dir: .* lacks mine"):
        load_libsvm("mine", directory=tmp_path)
    monkeypatch.setenv("TQ_HALP_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(InputError, match=f"put mine into {tmp_path}/cache/tq_halp/libsvm"):
        load_libsvm("mine")
    # One that is known by name must be the published one where it was searched for.
    (tmp_path / "libsvm").mkdir()
    write(tmp_path / "libsvm", "a9a", [0, 1] * 5)
    with pytest.raises(InputError, match="a9a: truncated or altered"):
        load_libsvm("a9a")


def test_a9a_is_ucis(monkeypatch):
    monkeypatch.setattr(fetch, "fetch", lambda known, folder: None)
    try:
        dataset = load_libsvm("a9a", test_file="a9a.t")
    except InputError as error:
        pytest.skip(str(error))
    x = np.concatenate([dataset.train[0], dataset.validation[0]])
    y = np.concatenate([dataset.train[1], dataset.validation[1]])
    assert x.shape == (32_561, 123) and dataset.test[0].shape == (16_281, 123)
    assert set(np.unique(x)) == {0, 1} and x.sum() == 451_592
    assert np.bincount(y).tolist() == [24_720, 7_841]
