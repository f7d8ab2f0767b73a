"""Whether variance reduction gains anything: the variance of its gradient by the plain one's.

    ratio = Var_i(∇f_i(w) − a ∇f_i(w̃)) / Var_i(∇f_i(w))

With the plain correction, a = 1: 0 at a snapshot; 1 where the snapshot is so far away that a step,
at twice the cost, is no better than a plain one; 2 where the two gradients have nothing in common.
In deep networks it often passes 1 early in a segment (Defazio & Bottou, arXiv 1812.04529, fig. 3).
"""

import warnings

import numpy as np

#: After a training that ends with so many epochs of a ratio of 1 or more the user is told. Not
#: earlier: far from the optimum the ratio is large, and falls.
EPOCHS_WITHOUT_GAIN = 10
# At most so many pairs of minibatches, one for each so many: about 2 % of an epoch's steps.
_MOST_PAIRS, _BATCHES_PER_PAIR = 4, 100


def variance_ratio(full_gradient, batches, here, there, coefficients):
    """An estimate of the ratio at the current weights, from 1 to 4 pairs of minibatches.

    Half the squared difference of two independent gradients has their variance as its mean. A pair
    costs six minibatch gradients, which ``gradient_evaluations`` leaves out: four, two of them
    twice, so that no more than one sum of gradients is ever in memory.

    Args:
        full_gradient: the ``FullGradient`` of the model.
        batches: the training data.
        here, there: w and w̃, variables.
        coefficients: a of each tensor, floats.

    Returns:
        A float; nan where there is but one batch, the plain gradient has no variance, or no
        variance reduction goes on (every a is 0).
    """
    if not any(coefficients):
        return float("nan")
    pairs = min(_MOST_PAIRS, max(1, (batches.batch_count or 0) // _BATCHES_PER_PAIR))
    one, a = np.ones(len(here)), np.array(coefficients)
    plain = reduced = 0.0
    some = batches.some(2 * pairs)
    for i, j in zip(some, some, strict=False):
        plain += full_gradient.squared_norm([(one, here, i), (-one, here, j)])
        # In this order the sum is exactly 0 at a snapshot.
        reduced += full_gradient.squared_norm(
            [(one, here, i), (-a, there, i), (-one, here, j), (a, there, j)]
        )
    return reduced / plain if plain > 0 else float("nan")


def warn_of_no_gain(name):
    """Say what the numbers mean and what helps."""
    warnings.warn(
        f"{name}'s gradient had at least the variance of a plain one at the end of each of the "
        f"last {EPOCHS_WITHOUT_GAIN} epochs, at twice the cost: variance reduction gains nothing "
        "here. Take snapshots more often (a smaller snapshot_every), set coefficient='estimated', "
        "lower the learning rate, or use SGD, in low precision LowPrecisionSGD.",
        stacklevel=2,
    )
