"""What the argument ``error_feedback`` of an iterate on a grid stands for."""

import numbers

from quant_ops import format_facts
from tq_halp.algorithms.iterates.error_feedback import ErrorFeedback, Residual
from tq_halp.algorithms.iterates.residual_in_momentum import ResidualInMomentum
from tq_halp.errors import InputError
from tq_halp.quantizers import Quantizer


def feedback_of(given: int | str | None, quantizer: Quantizer) -> ErrorFeedback:
    """The error feedback that ``given`` names, for weights that ``quantizer`` rounds.

    Args:
        given: None, "exact", "momentum", or the bits of a residual.

    Raises:
        InputError: ``given`` is none of these, or the format does not go with bits.
    """
    if given is None:
        return ErrorFeedback(quantizer)
    if given == "exact":
        return Residual(quantizer)
    if given == "momentum":
        return ResidualInMomentum(quantizer)
    low, high = format_facts.RANGES["residual"]["word_bits"]
    is_integer = isinstance(given, numbers.Integral) and not isinstance(given, bool)
    if not is_integer or not low <= int(given) <= high:
        raise InputError(
            "error_feedback must be None, 'exact', 'momentum' or the bits of a residual, an "
            f"integer from {low} to {high}. Received: {given!r}"
        )
    return Residual(quantizer, int(given))
