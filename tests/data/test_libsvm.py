"""Files in LIBSVM's format: what they hold, how they are split, and lines that are wrong."""

import bz2
import gzip
import lzma

import numpy as np
import pytest

from tq_halp.data import download, libsvm, load_libsvm
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
        ("1 0:2", "must be index:value with an index above 0. Received: '0:2'"),
        ("1 -1:2", "Received: '-1:2'"),
        ("1 1.5:2", "Received: '1.5:2'"),
        ("1 ²:2", "Received: '²:2'"),
        ("1 2:1 2:1", "must be index:value with an index above 2. Received: '2:1'"),
        ("1 3:1 2:1", "Received: '2:1'"),
        ("1 qid:3 1:1", "Received: 'qid:3'"),
        ("1 7", "the value of index 7 is ''"),
        ("1 7: 8:1", "the value of index 7 is ''"),
        ("1 1:x", "the value of index 1 is 'x'"),
        ("1 1:nan", "the value of index 1 is 'nan', expected a finite number"),
        ("1 1:inf", "the value of index 1 is 'inf'"),
        ("1 1:2:3", "the value of index 1 is '2:3'"),
        ("1 1:1e39", "the value of index 1 is '1e39', expected 0 or a number that float32 holds"),
        ("1 1:-3.4028235677973366e38", "is '-3.4028235677973366e38', expected 0 or a number that"),
        ("1 1:1e400", "is '1e400', expected 0 or a number that float32 holds"),
        ("1 1:1e-46", "is '1e-46', expected 0 or a number that float32 holds"),
        ("1 1:-0.0000001e-400", "is '-0.0000001e-400', expected 0 or a number that float32"),
        ("1e39 1:1", "the label is '1e39', expected 0 or a number that float32 holds"),
        ("1_000 1:1", "the label is '1_000', expected a finite number"),
        ("1 1:1_000", "the value of index 1 is '1_000', expected a finite number"),
        ("1 1:٣", "the value of index 1 is '٣', expected a finite number"),
        ("1 1:0x1p3", "the value of index 1 is '0x1p3'"),
        ("1 1:1e", "the value of index 1 is '1e'"),
        ("1 1:.", "the value of index 1 is '.'"),
        ("1 1:Infinity", "the value of index 1 is 'Infinity'"),
        ("1 ١:2", "Received: '١:2'"),
        ("1 1_0:2", "Received: '1_0:2'"),
        ("1 9999999999:1", "an index must be at most 1,073,741,824. Received: '9999999999:1'"),
        (f"1 {'9' * 5000}:1", "an index must be at most 1,073,741,824"),
        ("1 1:2\u20282:3", "the value of index 1 is"),
        ("1 1:2\x853:4", "the value of index 1 is"),
        ("1 1:2\x1c3:4", "the value of index 1 is"),
        ("1 1:2\u00a03:4", "the value of index 1 is"),
        ("1\u2028 1:2", "the label is"),
        ("1 1:2\0", "the value of index 1 is"),
    ],
)
def test_a_wrong_line_is_named(line, message):
    with pytest.raises(InputError) as error:
        libsvm.parse(f"1 1:1\n\n{line}\n", "folder/file")
    assert str(error.value).startswith("folder/file:3: ") and message in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [("", " no sample"), ("# nothing\n", " no sample")],
)
def test_a_wrong_file_is_named(text, message):
    with pytest.raises(InputError, match=f"file:{message}"):
        libsvm.parse(text, "file")


STRANGE = ["\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("strange", STRANGE)
def test_lines_end_where_every_reader_ends_them(strange, end):
    """What Python's splitlines takes for the end of a line is part of a comment."""
    lines = [f"1 1:2 # a{strange}b", f"#{strange}", "-1 2:3"]
    labels, rows, columns, values = libsvm.parse(end.join(lines), "file")
    assert (labels.tolist(), rows.tolist()) == ([1, -1], [0, 1])
    assert (columns.tolist(), values.tolist()) == ([1, 2], [2, 3])
    with pytest.raises(InputError, match="^file:3: the label is 'x'"):
        libsvm.parse(end.join([*lines[:2], "x 1:2"]), "file")


@pytest.mark.parametrize("space", [" ", "\t", "\v", "\f", " \t  "])
def test_words_are_separated_by_white_space(space):
    text = f"{space}+1{space}1:2{space}3:4{space}\n"
    assert libsvm.parse(text, "file")[3].tolist() == [2, 4]
    assert libsvm.parse(f"1{space}{'0' * 20}7:2", "file")[2].tolist() == [7]


def test_values_are_float32s():
    """The largest and the smallest, and what rounds to them, are read as they are."""
    words = ["3.4028235e38", "-3.4028235677973362e38", "1.4e-45", "-7.1e-46", "0e999", "-0.0", ".5"]
    words += ["5.", "+1E+2"]
    text = "1 " + " ".join(f"{index}:{word}" for index, word in enumerate(words, start=1))
    values = libsvm.parse(text, "file")[3]
    largest, least = np.finfo(np.float32).max, np.float32(2**-149)
    assert values.tolist() == [largest, -largest, least, -least, 0, 0, 0.5, 5, 100]


@pytest.mark.parametrize(
    "content, message",
    [
        (gzip.compress(b"1 1:2\n", mtime=0), "is compressed by gzip, expected text; unpack it"),
        (bz2.compress(b"1 1:2\n"), "is compressed by bzip2, expected text; unpack it first"),
        (lzma.compress(b"1 1:2\n"), "is compressed by xz, expected text; unpack it first"),
        ("1 1:2\n".encode("utf-16"), "is UTF-16, expected ASCII or UTF-8; convert it first"),
        (b"1\n-1\n" * 10, "no feature in it, expected lines such as"),
        (b"1 1:2\n\xff 1:2\n", ":2: the label is '\ufffd'"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(InputError) as error:
        load_libsvm("other", directory=tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'other'}:") and message in str(error.value)


def test_byte_order_mark_and_comments_in_other_encodings(tmp_path):
    lines = [b"\xef\xbb\xbf1 1:0 # \xff"] + [b"%d 1:%d" % (n % 2, n) for n in range(1, 20)]
    (tmp_path / "marked").write_bytes(b"\r\n".join(lines))
    x = load_libsvm("marked", directory=tmp_path).train[0]
    assert x[:, 0].tolist() == [n for n in range(20) if n not in (9, 19)]


@pytest.mark.parametrize("label", ["9007199254740992", "-9007199254740993", "1e20"])
def test_classes_that_float64_does_not_tell_apart(tmp_path, label):
    write(tmp_path, "large", ["1", label] * 10)
    with pytest.raises(InputError, match="is no class, expected whole numbers below 2"):
        load_libsvm("large", directory=tmp_path)


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
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    try:
        dataset = load_libsvm("a9a", test_file="a9a.t")
    except InputError as error:
        pytest.skip(str(error))
    x = np.concatenate([dataset.train[0], dataset.validation[0]])
    y = np.concatenate([dataset.train[1], dataset.validation[1]])
    assert x.shape == (32_561, 123) and dataset.test[0].shape == (16_281, 123)
    assert set(np.unique(x)) == {0, 1} and x.sum() == 451_592
    assert np.bincount(y).tolist() == [24_720, 7_841]
