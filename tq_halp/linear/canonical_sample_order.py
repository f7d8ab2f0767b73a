"""A canonical form of small problems: samples sorted, equal samples merged.

A sample of weight 2 and two equal samples are the same problem, with the same minimum. But where
there are many minima, or training ends early, the result depends on the order of the samples and on
the batches. In the canonical form it is the same to the last bit.
"""

import numpy as np

LARGEST = 1 << 16  # bytes of X; a sorted copy of a larger one would take noticeable time


def without_repetition(
    x: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The samples of positive weight; those of a small X sorted, with equal samples merged.

    Args:
        x: [n, d].
        targets: float64 [n].
        weights: float64 [n], 0 or above, or None for ones.

    Returns:
        (x, targets, weights) of the remaining samples; the weights are None if all are equal.
    """
    if weights is not None and weights.min() == 0:
        used = weights > 0
        x, targets, weights = x[used], targets[used], weights[used]
    if x.nbytes <= LARGEST:
        x, targets, weights = _merged(x, targets, np.ones(len(x)) if weights is None else weights)
    if weights is not None and weights.min() == weights.max():
        weights = None
    return x, targets, weights


def _merged(
    x: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct samples in the order of their bytes; the weights of equal ones are added."""
    x = np.ascontiguousarray(x)
    # -0.0 + 0.0 is 0.0: the same number has the same bytes.
    rows = np.concatenate(
        [(x + x.dtype.type(0)).view(np.uint8), (targets + 0.0)[:, None].view(np.uint8)], axis=1
    )
    keys = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, first, index = np.unique(keys, return_index=True, return_inverse=True)
    return x[first], targets[first], np.bincount(index.ravel(), weights=weights)
