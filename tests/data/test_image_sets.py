"""MNIST and CIFAR-10: what their files hold, how they are split, and files that are wrong."""

import dataclasses
import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest

from tests.tiny_images import idx, known_file, records, write_cifar10, write_mnist
from tq_halp.data import cifar10, download, files, load_cifar10, load_mnist, locate, mnist
from tq_halp.errors import InputError


def found(known, monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    if locate.locate(known) is None:
        pytest.skip(f"{known.name} is not on this machine; set TQ_HALP_DATA to the folder above it")


def test_mnist_is_lecuns(monkeypatch):
    found(mnist.MNIST, monkeypatch)
    dataset = load_mnist()
    assert [len(part[0]) for part in (dataset.train, dataset.validation, dataset.test)] == [
        55_000,
        5_000,
        10_000,
    ]
    # The first labels and the counts of the test's digits, as published everywhere.
    assert dataset.train[1][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(dataset.test[1]).tolist() == counts
    # The mean and deviation of all training pixels that everybody normalizes by.
    parts = (dataset.train[0], dataset.validation[0])
    counts, values = sum(np.bincount(x.ravel(), minlength=256) for x in parts), np.arange(256) / 255
    mean = np.average(values, weights=counts)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=counts))
    assert (round(mean, 4), round(deviation, 4)) == (0.1307, 0.3081)


def test_cifar10_is_krizhevskys(monkeypatch):
    found(cifar10.CIFAR10, monkeypatch)
    dataset = load_cifar10()
    y = np.concatenate([dataset.train[1], dataset.validation[1]])
    assert np.bincount(y).tolist() == [5000] * 10 and len(dataset.validation[1]) == 5000
    assert dataset.train[1][:10].tolist() == [6, 9, 9, 4, 1, 1, 2, 7, 8, 3]
    left_out = 10_000 - len(dataset.test[1])
    assert left_out in (0, 20) and ("without 20 test images" in dataset.source) == (left_out == 20)
    x = np.concatenate([dataset.train[0], dataset.validation[0]])
    # Channel means that everybody normalizes by; planes read as rows would mix them.
    assert np.round(x.mean(axis=(0, 1, 2)) / 255, 4).tolist() == [0.4914, 0.4822, 0.4465]


def test_mnist_is_split_and_limited(tmp_path, monkeypatch):
    parts = write_mnist(tmp_path, monkeypatch)
    whole = load_mnist(tmp_path)
    images, labels = parts["train"]
    np.testing.assert_array_equal(whole.train[0], images[:40, ..., None])
    np.testing.assert_array_equal(whole.validation[0], images[40:, ..., None])
    np.testing.assert_array_equal(whole.test[0], parts["t10k"][0][..., None])
    np.testing.assert_array_equal(whole.validation[1], labels[40:])
    assert (whole.train[0].dtype, whole.train[1].dtype) == ("uint8", "int32")
    assert (whole.name, whole.classes, whole.source) == ("mnist", 10, str(tmp_path))
    cut = load_mnist(tmp_path, limit=5, validation_limit=3)
    assert [len(part[1]) for part in (cut.train, cut.validation, cut.test)] == [5, 3, 3]
    np.testing.assert_array_equal(cut.validation[0], whole.validation[0][:3])


def test_cifar10_is_split_and_limited(tmp_path, monkeypatch):
    parts = write_cifar10(tmp_path, monkeypatch)
    images = np.concatenate([part[0] for part in parts[:5]])
    whole = load_cifar10(tmp_path)
    np.testing.assert_array_equal(whole.train[0], images[:40])
    np.testing.assert_array_equal(whole.validation[0], images[40:])
    np.testing.assert_array_equal(whole.test[0], parts[5][0])
    assert whole.test[1].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert whole.source == str(tmp_path)
    cut = load_cifar10(tmp_path, limit=5, validation_limit=3)
    assert [len(part[1]) for part in (cut.train, cut.validation, cut.test)] == [5, 3, 3]


def repaired(folder, monkeypatch):
    """A copy of the test batch of which image 4 is another, accepted as such."""
    parts = write_cifar10(folder, monkeypatch)
    images, labels = parts[5][0].copy(), parts[5][1]
    images[4] += 1
    content = records(images, labels)
    (folder / "test_batch.bin").write_bytes(content)
    *train, test = cifar10.CIFAR10.files
    test = dataclasses.replace(test, copies=(hashlib.sha256(content).hexdigest(),))
    small = dataclasses.replace(cifar10.CIFAR10, files=(*train, test))
    monkeypatch.setattr(cifar10, "CIFAR10", small)
    return parts[5]


def test_images_that_are_not_the_originals_are_left_out_and_named(tmp_path, monkeypatch):
    images, labels = repaired(tmp_path, monkeypatch)
    (tmp_path / cifar10.LOSSY).write_text("4\n")
    dataset = load_cifar10(tmp_path)
    np.testing.assert_array_equal(dataset.test[0], np.delete(images, 4, axis=0))
    np.testing.assert_array_equal(dataset.test[1], np.delete(labels, 4))
    assert dataset.source.endswith("without 1 test images that are no original ones")


@pytest.mark.parametrize(
    "listed, message",
    [
        (None, "cannot be read"),
        ("four", "0 to 11"),
        ("12", "0 to 11"),
        ("1_0", "0 to 11"),
        ("٣", "cannot be read"),
    ],
)
def test_a_copy_without_its_list_is_refused(tmp_path, monkeypatch, listed, message):
    repaired(tmp_path, monkeypatch)
    if listed is not None:
        (tmp_path / cifar10.LOSSY).write_text(listed, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_cifar10(tmp_path)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_truncated_altered_and_absent_files(tmp_path, monkeypatch, name):
    write, load = {"mnist": (write_mnist, load_mnist), "cifar10": (write_cifar10, load_cifar10)}[
        name
    ]
    write(tmp_path, monkeypatch)
    path = sorted(p for p in tmp_path.iterdir() if "train" in p.name or "data" in p.name)[0]
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(InputError, match=f"{path.name}: truncated or altered"):
        load(tmp_path)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=f"{path.name}: altered: must have the SHA-256"):
        load(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=rf"data\.dir: .* lacks {path.name}"):
        load(tmp_path)


@pytest.mark.parametrize("load", [load_mnist, load_cifar10])
def test_nothing_stands_in_for_images(tmp_path, monkeypatch, load):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TQ_HALP_DATA", raising=False)
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "a/b/c/locate.py"))
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    with pytest.raises(InputError, match=rf"put .* into {tmp_path}/tq_halp/.*data\.dir"):
        load()


BROKEN_IDX = {
    "empty": b"",
    "not compressed": b"\0\0\x08\x03",
    "cut off": gzip.compress(idx(np.zeros(100, np.uint8)))[:-9],
    "a bit flipped": bytes([*gzip.compress(idx(np.zeros(9, np.uint8)))[:-6], 255, 0, 0, 0, 0, 0]),
    "a byte changed": gzip.compress(idx(np.arange(99, dtype=np.uint8)))[:10] + b"\xff" * 60,
    "sizes of 2^64": gzip.compress(b"\0\0\x08\x04" + b"\0\1\0\0" * 4),
    "nothing inside": gzip.compress(b""),
    "no dimensions": gzip.compress(b"\0\0\x08\0"),
    "no sizes": gzip.compress(b"\0\0\x08\x03"),
    "too short": gzip.compress(b"\0\0\x08\x03" + b"\0\0\0\x02" * 3 + b"1234567"),
    "too long": gzip.compress(b"\0\0\x08\x01\0\0\0\x02abc"),
    "floats": gzip.compress(b"\0\0\x0d\x01\0\0\0\x01abcd"),
}


@pytest.mark.parametrize("content", BROKEN_IDX.values(), ids=BROKEN_IDX)
def test_what_is_no_idx_file(content):
    with pytest.raises(InputError, match="some.gz: no .*replace it by a copy"):
        mnist.read_idx(content, "some.gz")


def test_idx_of_any_shape():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(mnist.read_idx(gzip.compress(idx(array)), "some.gz"), array)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "0 bytes are no number of records"),
        (bytes(3072), "3,072 bytes are no number of records of 3,073"),
        (bytes(3073) + b"\x0a" + bytes(3072), "record 1 has the label 10, expected 0 to 9"),
    ],
)
def test_what_is_no_batch_of_cifar10(content, message):
    with pytest.raises(InputError, match=f"some.bin: {message}"):
        cifar10.read_batch(content, "some.bin")


def test_members_of_an_archive_are_fetched_with_it(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    write_cifar10(source, monkeypatch, count=1)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.add(source, "cifar-10-batches-bin")
        # A member must not be able to choose where it goes.
        tar.addfile(tarfile.TarInfo("../../readme.html"))
    archive = known_file("all.tar.gz", buffer.getvalue(), url="http://somewhere/all.tar.gz")
    known = dataclasses.replace(cifar10.CIFAR10, archive=archive)
    calls = []

    def retrieve(url, known_hash, fname, path, downloader):
        calls.append((url, known_hash))
        path.mkdir()
        (path / fname).write_bytes(buffer.getvalue())

    import pooch

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setattr(download, "_answers", lambda url: url == archive.url)
    assert download.fetch(known, target) == target
    assert calls == [(archive.url, f"sha256:{archive.sha256}")]
    came = {path.name: path.read_bytes() for path in target.iterdir()}
    assert came == {path.name: path.read_bytes() for path in source.iterdir()}
    assert not (tmp_path.parent / "readme.html").exists()


def test_a_file_without_an_address_is_not_fetched(tmp_path):
    unknown = files.KnownSet("libsvm", ("libsvm",), (files.KnownFile("mine", 0, ""),))
    assert download.fetch(unknown, tmp_path) is None
