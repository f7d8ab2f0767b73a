"""Each candidate against LP-SGD with as much memory, and against SGD in full precision."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from experiments.equal_price.candidates import RESIDUAL_BITS
from experiments.equal_price.standing import Standing
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.statistics import Paired, holm

LP_SGD, SGD = "LP-SGD with as many bits", "SGD in full precision"
SIGNIFICANT = 0.05
_LABEL = re.compile(r"([a-z]+)(\d*)(.*)")
_RESIDUAL = f"+{RESIDUAL_BITS}bits"


@dataclass(frozen=True)
class Pair:
    """The differences of a label to a rival in one column of the rows.

    corrected: p after Holm's correction.
    """

    label: str
    rival: str
    statistics: Paired
    corrected: float | None

    @property
    def verdict(self) -> str:
        """ "wins" or "loses" where the corrected p is below 0.05, else "ties"; "" without a p."""
        if self.corrected is None:
            return ""
        if self.corrected >= SIGNIFICANT:
            return "ties"
        return "wins" if self.statistics.wins > self.statistics.losses else "loses"


def parts(label: str) -> tuple[str, int | None, str]:
    """ "lp8+exact" -> ("lp", 8, "+exact"); ("sgd", None, "")."""
    family, bits, rest = _LABEL.fullmatch(label).groups()
    return family, int(bits) if bits else None, rest


def memory(label: str) -> int | None:
    """Bits for each weight: of the weight, and of a residual with bits of its own."""
    _, bits, rest = parts(label)
    return bits + RESIDUAL_BITS if bits and rest == _RESIDUAL else bits


def is_plain_lp(label: str) -> bool:
    """Whether a label is LP-SGD without error feedback."""
    family, _, rest = parts(label)
    return family == "lp" and not rest.startswith("+")


def lp_rival(standing: Standing, candidate: Candidate) -> Candidate | None:
    """LP-SGD with as many bits; of several the one with the lowest mean validation loss.

    None for LP-SGD itself, without bits, and where there is none.
    """
    bits = memory(candidate.label)
    if bits is None or is_plain_lp(candidate.label):
        return None
    found = [c for c in standing.candidates if is_plain_lp(c.label) and memory(c.label) == bits]
    means = {c: standing.mean(c, "val_loss") for c in found}
    losses = {c: mean.value for c, mean in means.items() if mean is not None}
    return min(losses, key=losses.__getitem__, default=found[0] if found else None)


def against(standing: Standing, rival: str, column: str) -> list[Pair]:
    """The pairs against LP_SGD or SGD in one column; those without a row are left out.

    Holm's correction is for the labels with as many bits of weights.
    """
    higher = column == "val_metric" and standing.task.higher_is_better
    found = []
    for candidate, other in _rivals(standing, rival):
        paired = standing.paired(candidate, other, column, higher)
        if paired.count:
            found.append((candidate.label, other.label, paired))
    families: dict[int | None, list[int]] = {}
    for place, (label, *_) in enumerate(found):
        families.setdefault(parts(label)[1], []).append(place)
    corrected: dict[int, float | None] = {}
    for places in families.values():
        p_values = holm([found[place][2].p for place in places])
        corrected |= dict(zip(places, p_values, strict=True))
    return [Pair(*each, corrected[place]) for place, each in enumerate(found)]


def _rivals(standing: Standing, rival: str) -> Iterator[tuple[Candidate, Candidate]]:
    candidates = standing.candidates
    sgd = next((candidate for candidate in candidates if candidate.label == "sgd"), None)
    for candidate in sorted(candidates, key=lambda c: (-(memory(c.label) or 99), c.label)):
        other = sgd if rival == SGD else lp_rival(standing, candidate)
        if other is not None and candidate != other:
            yield candidate, other
