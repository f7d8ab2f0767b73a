"""Snapshots of a part of the data, and bit-centered SGD, which needs no more."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from option_problem import (
    BATCH,
    FEATURES,
    RATE,
    SAMPLES,
    STEPS,
    Record,
    build,
    close,
    gradient,
    pieces,
    train,
)

import tq_halp
from tq_halp.algorithms.batches import Batches

# ---- snapshots of a part ------------------------------------------------------------------------


class Sequence(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.data = x, y

    def __len__(self):
        return len(pieces())

    def __getitem__(self, index):
        return tuple(array[pieces()[index]] for array in self.data)


def sources(problem):
    dataset = tf.data.Dataset.from_tensor_slices(problem).batch(BATCH)
    return [Batches(*problem, batch_size=BATCH), Batches(dataset), Batches(Sequence(*problem))]


def test_a_part_of_the_batches_is_the_same_of_any_source(problem):
    parts = [source.part(0.5, [3, 1]) for source in sources(problem)]
    assert len(parts[0].numbers) == 3 == parts[0].batch_count
    for part in parts:
        assert part.numbers == parts[0].numbers == sorted(set(part.numbers))
        for (x, y, _), number in zip(part, part.numbers, strict=True):
            for got, array in zip((x, y), problem, strict=True):
                want = array[pieces()[number]].astype(np.asarray(got).dtype)
                np.testing.assert_array_equal(got, want)
    others = {tuple(sources(problem)[0].part(0.5, [3, number]).numbers) for number in range(30)}
    assert len(others) > 10 and set().union(*others) == set(range(STEPS))
    assert len(sources(problem)[0].part(1e-9, 0).numbers) == 1


def test_snapshot_of_a_part(problem, float64):
    """g̃ is the mean over the samples of the chosen batches; at the snapshot still v = g̃."""
    record = Record()
    algorithm = tq_halp.SVRG(build(), snapshot_fraction=0.5, seed=3)
    _, history = train(algorithm, problem, epochs=2, callbacks=[record])
    numbers = Batches(*problem, batch_size=BATCH).part(0.5, [3, 2]).numbers
    chosen = np.concatenate([np.arange(SAMPLES)[pieces()[number]] for number in numbers])
    before, after = record.weights[STEPS - 1 : STEPS + 1]
    full = gradient(before, *(array[chosen] for array in problem))
    close([g.numpy() for g in algorithm.full_gradient], full)
    close(after, [w - RATE * g for w, g in zip(before, full, strict=True)])
    samples = 4 * SAMPLES + int(algorithm.snapshot_samples)
    assert 2 * 11 <= int(algorithm.snapshot_samples) <= 2 * 12
    assert record.snapshots == [0, STEPS]
    assert history["gradient_evaluations"][-1] == samples / SAMPLES


def test_where_a_part_cannot_be_had():
    unknown = tf.data.Dataset.from_tensor_slices(np.zeros((9, 2, 1))).filter(lambda x: True)
    with pytest.raises(tq_halp.InputError, match="snapshot_fraction must be 1.*unknown length"):
        Batches(unknown.batch(3)).part(0.5, 0)
    inputs = keras.Input(batch_shape=(2, 3, 1))
    model = keras.Model(inputs, keras.layers.SimpleRNN(1, stateful=True)(inputs))
    algorithm = tq_halp.SVRG(model, snapshot_fraction=0.5)
    algorithm.compile("sgd", loss="mse")
    with pytest.raises(tq_halp.InputError, match="snapshot_fraction must be 1: a stateful RNN"):
        algorithm.fit(np.zeros((4, 3, 1)), np.zeros((4, 1)), batch_size=2, shuffle=False, verbose=0)


# ---- bit-centered SGD ---------------------------------------------------------------------------


def test_bit_centered_sgd(problem, float64):
    """z ← Q(z − α ∇f_i(w̃ + z)), its scale from the whole gradient at the last snapshot."""
    mu, bits, every = 0.5, 8, 4
    algorithm = tq_halp.BitCenteredSGD(
        build(),
        word_bits=bits,
        mu=mu,
        scale="global",
        rounding="nearest_even",
        snapshot_every=every,
        snapshot_fraction=1.0,
    )
    got, history = train(algorithm, problem)
    x, y = problem
    weights, largest = [np.zeros((FEATURES, 1)), np.zeros(1)], 2 ** (bits - 1) - 1
    for step in range(3 * STEPS):
        if step % every == 0:
            center, offset = weights, [np.zeros_like(w) for w in weights]
            norm = np.sqrt(sum(np.sum(g**2) for g in gradient(weights, x, y)))
            delta = norm / (mu * largest)
        piece = pieces()[step % STEPS]
        moved = [
            z - RATE * g for z, g in zip(offset, gradient(weights, x[piece], y[piece]), strict=True)
        ]
        offset = [delta * np.clip(np.rint(z / delta), -largest - 1, largest) for z in moved]
        weights = [c + z for c, z in zip(center, offset, strict=True)]
    for one, other in zip(got, weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert history["gradient_evaluations"][-1] == 3 + 5


@pytest.mark.parametrize("options", [{"mu": 10.0}, {"snapshot_fraction": 0.1}])
def test_bit_centered_sgd_with_a_gradient_needs_a_tenth_of_a_pass(problem, options):
    algorithm = tq_halp.BitCenteredSGD(build(), snapshot_every=3, **options)
    _, history = train(algorithm, problem, epochs=1)
    assert int(algorithm.snapshot_samples) in (2 * 4, 4 + 3)
    assert history["gradient_evaluations"] == [1 + int(algorithm.snapshot_samples) / SAMPLES]


@pytest.mark.parametrize("mu", ["auto", "displacement"])
def test_bit_centered_sgd_needs_no_pass(problem, mu):
    algorithm = tq_halp.BitCenteredSGD(build(), snapshot_every=3, mu=mu)
    _, history = train(algorithm, problem, epochs=1)
    assert int(algorithm.snapshot_count) == 2 and int(algorithm.snapshot_samples) == 0
    assert history["gradient_evaluations"] == [1.0]
