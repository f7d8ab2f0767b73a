"""The argument ``mu`` of bit centering: how the range of the offsets is found."""

import numbers

from tq_halp.algorithms.iterates.offset_format import OffsetFormat
from tq_halp.errors import InputError

DISPLACEMENT = "displacement"
#: The values by which the range is found in training.
RULES = ("auto", DISPLACEMENT)


def checked(mu: str | float, format: OffsetFormat) -> str | float:
    """One of RULES, or a positive float.

    Raises:
        InputError: ``mu`` is neither, or is not "auto" for a format that has no range.
    """
    is_number = isinstance(mu, numbers.Real) and not isinstance(mu, bool)
    if mu not in RULES and not (is_number and 0 < float(mu) < float("inf")):
        raise InputError(
            f"mu must be 'displacement', 'auto' or a positive number. Received: {mu!r}"
        )
    if format.largest is None and mu != "auto":
        raise InputError(f"mu must be 'auto' for {format.format}, which has no range to scale")
    return mu if mu in RULES else float(mu)
