"""``variance_ratio``: how much variance reduction gains, measured in training.

    ratio = Var_i(∇f_i(w) − a ∇f_i(w̃)) / Var_i(∇f_i(w))

With a = 1 the ratio is 0 at a snapshot; 1 where w is so far from w̃ that a corrected step is no
better than a plain one, at twice the cost; and 2 where the two gradients are uncorrelated. In deep
networks it often exceeds 1 early in a segment (Defazio & Bottou, arXiv 1812.04529, fig. 3).
"""

import warnings
from collections.abc import Sequence

import keras
import numpy as np

from tq_halp.algorithms.batches import Batches
from tq_halp.algorithms.full_gradient import FullGradient

#: A training warns if its last epochs, as many as this, have had a ratio of 1 or more. It does not
#: warn earlier, because the ratio is large far from the optimum and falls later.
EPOCHS_WITHOUT_GAIN = 10
# One pair of minibatches for every 100, four pairs at most: about 2 % of the cost of an epoch.
_MOST_PAIRS, _BATCHES_PER_PAIR = 4, 100


def variance_ratio(
    full_gradient: FullGradient,
    batches: Batches,
    here: list[keras.Variable],
    there: list[keras.Variable],
    coefficients: Sequence[float],
) -> float:
    """Estimates the ratio at the current weights from 1 to 4 pairs of minibatches.

    Half the squared difference of two independent gradients has their variance as its mean. A pair
    costs six minibatch gradients, which ``gradient_evaluations`` does not count. Four would do, if
    more than one sum of gradients could be kept in memory.

    Args:
        full_gradient: computes the gradients.
        batches: the training data.
        here, there: w and w̃.
        coefficients: a for each variable.

    Returns:
        The ratio; nan if there is only one minibatch, if the plain gradient has no variance, or if
        every a is 0.
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


def warn_of_no_gain(name: str) -> None:
    """Warns that variance reduction has gained nothing, and says what may help.

    Args:
        name: of the algorithm.
    """
    warnings.warn(
        f"{name}'s gradient had at least the variance of a plain one at the end of each of the "
        f"last {EPOCHS_WITHOUT_GAIN} epochs, at twice the cost: variance reduction gains nothing "
        "here. Take snapshots more often (a smaller snapshot_every), set coefficient='estimated', "
        "lower the learning rate, or use SGD, in low precision LowPrecisionSGD.",
        stacklevel=2,
    )
