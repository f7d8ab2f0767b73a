"""Numbers as they stand in tables."""

import math

from tq_halp.commands.compare.statistics import Estimate, Mean


def shown(mean: Mean | None, sign: str = "") -> str:
    """ "352.5 ± 8.7": the error with two significant digits, the mean to the same decimal place."""
    if mean is None:
        return "-"
    if not mean.error or not math.isfinite(mean.error):
        return f"{mean.value:{sign}.5g}" + (" ± 0" if mean.error == 0 else "")
    place = max(0, 1 - math.floor(math.log10(mean.error)))
    if place <= 7:
        return f"{mean.value:{sign}.{place}f} ± {mean.error:.{place}f}"
    digits = place + 1 + math.floor(math.log10(abs(mean.value) or mean.error))
    return f"{mean.value:{sign}.{min(max(digits, 2), 15)}g} ± {mean.error:.2g}"


def interval(ends: tuple[float, float] | None) -> str:
    """ "-1.2 to +0.3": an interval, to two significant digits of its half width."""
    if ends is None:
        return "-"
    half = (ends[1] - ends[0]) / 2
    return " to ".join(shown(Mean(end, half, 2), sign="+").partition(" ")[0] for end in ends)


def effect(found: Estimate | None) -> str:
    """ "+1.3 (-0.2 to +2.7)"."""
    if found is None:
        return "-"
    value, low, high = (
        f"{number:+.2g}" if abs(number) < 10 else f"{number:+.0f}" for number in found
    )
    return f"{value} ({low} to {high})"


def p_value(p: float | None) -> str:
    """A p value in a table."""
    if p is None:
        return "-"
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"
