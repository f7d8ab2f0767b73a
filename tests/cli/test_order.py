"""The order of the examples: a function of seed and epoch, the same for the rest of an epoch."""

import numpy as np
import pytest

from tq_halp.commands.running.shuffling import ShuffledExamples, permutation

X = np.arange(10)[:, None] * np.array([[1, 10]])
Y = np.arange(10) * 0.5


def epochs(order, epoch=0, step=0, until=3):
    """The examples of every batch, as Keras would ask for them."""
    dataset, found = order.batches(epoch, step), []
    for each in range(epoch, until):
        order.on_epoch_begin(each)
        found.append([])
        for x, y in dataset:
            assert np.array_equal(x[:, 1], 10 * x[:, 0])
            assert np.array_equal(y, 0.5 * x[:, 0].numpy()) and y.dtype == "float32"
            found[-1].append(x[:, 0].numpy().tolist())
            order.on_train_batch_end(0)
        # In one fit all epochs have as many batches.
        assert order.epoch_is_done == (step == 0 or each == epoch)
        if step:
            break
    return found


def test_permutation_is_that_of_seed_and_epoch():
    orders = [permutation(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert orders[3] == permutation(100, 1, 1).tolist()
    # Written down: a change of it would be a change of every run.
    assert permutation(8, 3, 5).tolist() == [0, 6, 2, 1, 3, 4, 7, 5]


@pytest.mark.parametrize("together", [False, True])
def test_an_epoch_has_every_example_once_in_an_order_of_its_own(together):
    found = epochs(ShuffledExamples(X, Y, 4, seed=7, together=together))
    for epoch in found:
        assert sorted(sum(epoch, [])) == list(range(10))
        assert sorted(map(len, epoch)) == [2, 4, 4]
    assert len({str(epoch) for epoch in found}) > 1
    made_up = {str(sorted(sorted(batch) for batch in epoch)) for epoch in found}
    assert (len(made_up) == 1) == together


@pytest.mark.parametrize("together", [False, True])
def test_the_rest_of_an_epoch_needs_nothing_of_what_was_before(together):
    whole = epochs(ShuffledExamples(X, Y, 4, seed=7, together=together))
    for epoch in range(3):
        for step in range(1, 3):
            order = ShuffledExamples(X, Y, 4, seed=7, together=together)
            assert epochs(order, epoch, step) == [whole[epoch][step:]]
            assert order.total_steps == 3 * (epoch + 1)


def test_arrays_are_cut_into_the_batches_that_stay_together():
    order = ShuffledExamples(X, Y, 4, seed=7, together=True)
    cut = [order.arrays[0][start : start + 4, 0].tolist() for start in (0, 4, 8)]
    assert sorted(cut) == sorted(epochs(order, until=1)[0])


def test_without_a_seed_the_order_is_that_of_the_arrays():
    for together in (False, True):
        order = ShuffledExamples(X, Y, 4, seed=None, together=together)
        assert epochs(order) == [[[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]] * 3
