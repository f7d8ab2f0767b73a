"""MNIST and CIFAR-10 shrunk to a few images, written as the real ones are published."""

import gzip
import hashlib

import numpy as np

from tq_halp.data import cifar10, mnist
from tq_halp.data.files import KnownFile, KnownSet


def idx(array):
    """An array of bytes in LeCun's idx format."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def records(images, labels):
    """Images (n, 32, 32, 3) in the binary version of CIFAR-10, written pixel by pixel."""
    content = bytearray()
    for image, label in zip(images, labels, strict=True):
        content.append(label)
        for channel in range(3):
            for row in image:
                content.extend(int(pixel[channel]) for pixel in row)
    return bytes(content)


def images_of(count, shape, seed):
    """Images of which those of one label resemble each other, and labels."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 10
    kinds = np.random.default_rng(0).integers(0, 200, (10, *shape))
    return (kinds[labels] + draw.integers(0, 56, (count, *shape))).astype(np.uint8), labels


def known_file(name, content, **more):
    return KnownFile(name, len(content), hashlib.sha256(content).hexdigest(), **more)


def write_mnist(folder, monkeypatch, train=60, test=20, held_out=20):
    """The four files in `folder`, and mnist.MNIST made to know them; what they hold, by part."""
    parts = {"train": images_of(train, (28, 28), 1), "t10k": images_of(test, (28, 28), 2)}
    files = []
    for part, arrays in parts.items():
        for kind, array in zip(("images-idx3", "labels-idx1"), arrays, strict=True):
            name = f"{part}-{kind}-ubyte.gz"
            content = gzip.compress(idx(array.astype(np.uint8)))
            (folder / name).write_bytes(content)
            files.append(known_file(name, content))
    monkeypatch.setattr(mnist, "MNIST", KnownSet("mnist", ("mnist",), tuple(files)))
    monkeypatch.setattr(mnist, "HELD_OUT", held_out)
    return parts


def write_cifar10(folder, monkeypatch, count=12, held_out=20):
    """The six files, `count` images each, and cifar10.CIFAR10 made to know them; the images."""
    parts, files = [], []
    for number, known in enumerate(cifar10.CIFAR10.files):
        images, labels = images_of(count, (32, 32, 3), number)
        content = records(images, labels)
        (folder / known.name).write_bytes(content)
        files.append(known_file(known.name, content))
        parts.append((images, labels))
    small = KnownSet("cifar10", ("cifar10",), tuple(files))
    monkeypatch.setattr(cifar10, "CIFAR10", small)
    monkeypatch.setattr(cifar10, "HELD_OUT", held_out)
    return parts
