"""Checks of a warm start: the last fit must suit the new data."""

import numpy as np

from tq_halp.errors import InputError


def check_weights(coefficients: np.ndarray, intercepts: np.ndarray, shape: tuple[int, int]) -> None:
    """Checks the weights that a warm start continues from.

    Args:
        coefficients: of the last fit, [outputs, d].
        intercepts: of the last fit, [outputs].
        shape: (outputs, d) of the new data.

    Raises:
        InputError: they are of another shape, or not finite.
    """
    if coefficients.shape != shape:
        raise InputError(
            f"warm_start needs data for coefficients of shape {coefficients.shape}, as in the last "
            f"fit. Received: data for {shape}; set warm_start=False or fit data of the same kind"
        )
    if not (np.isfinite(coefficients).all() and np.isfinite(intercepts).all()):
        raise InputError(
            "warm_start continues from coef_ and intercept_, which must be finite. Received: NaN "
            "or infinity; set warm_start=False"
        )


def check_classes(last: np.ndarray, classes: np.ndarray) -> None:
    """Checks the classes of a warm start, both sorted.

    Raises:
        InputError: `classes` are not those of the last fit.
    """
    if not np.array_equal(last, classes):
        raise InputError(
            f"warm_start needs the classes of the last fit, {last.tolist()}. Received: "
            f"{classes.tolist()}; set warm_start=False or fit the same classes"
        )
