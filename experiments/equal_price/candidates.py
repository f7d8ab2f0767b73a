"""The candidates of a task: every algorithm with its settings, and a grid of four tries."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tq_halp.commands.compare.candidates import Candidate, Value

PLAIN, MOMENTUM = "plain", "momentum"
SETTINGS = (PLAIN, MOMENTUM)
RATE = "optimizer.learning_rate"
#: Nesterov momentum, and a rate that falls to 0 over each run's own length.
WITH_MOMENTUM = (
    "optimizer.momentum=0.9",
    "optimizer.nesterov=true",
    f"{RATE}={{class_name: CosineDecay, config: {{initial_learning_rate: 1.0, decay_steps: all}}}}",
)
#: Bits of a residual, and so how many more LP-SGD gets beside it.
RESIDUAL_BITS = 4


@dataclass(frozen=True)
class Rates:
    """The learning rates that are tried.

    Args:
        four: for an algorithm whose rate alone is tried.
        two: for one of which something else is tried too, with two values.
    """

    four: tuple[float, float, float, float]
    two: tuple[float, float]


@dataclass(frozen=True)
class Family:
    """Makes the candidates of one setting.

    Args:
        setting: PLAIN or MOMENTUM.
        rates: of that setting.
        shared: settings of all candidates, "key=value".
        ranges: r of LP-SGD's grids from −r to r.
        table: settings of gradient tables.
    """

    setting: str
    rates: Rates
    shared: tuple[str, ...]
    ranges: tuple[float, float] = (1.0, 0.5)
    table: tuple[str, ...] = ()

    def full_precision(self) -> list[Candidate]:
        """SGD and SAGA."""
        return [
            self._make("sgd", "sgd", rates=self.rates.four),
            self._make("saga", "saga", *self.table, coefficient=(1.0, 0.5)),
        ]

    def first(self, bits: int) -> list[Candidate]:
        """LP-SGD, HALP and bit-centered SAGA, of which the question is."""
        own = f"algorithm.word_bits={bits}"
        moved = "algorithm.mu=displacement"
        return [
            self._on_grid(f"lp{bits}", "lp_sgd", bits),
            self._make(f"halp{bits}", "halp", own, mu=("auto", "displacement")),
            self._make(f"bcsaga{bits}", "bc_saga", own, moved, *self.table, coefficient=(1.0, 0.5)),
        ]

    def rest(self, bits: int) -> list[Candidate]:
        """Bit-centered SGD, error feedback, LP-SGD with as much memory as that, SWALP."""
        own, more = f"algorithm.word_bits={bits}", bits + RESIDUAL_BITS
        kept = {"exact": "exact", "momentum": "momentum", f"{RESIDUAL_BITS}bits": RESIDUAL_BITS}
        if self.setting == PLAIN:
            del kept["momentum"]  # There is no momentum to put it into.
        return [
            self._make(f"bcsgd{bits}", "bc_sgd", own, rates=self.rates.four),
            *(
                self._on_grid(f"lp{bits}+{name}", "lp_sgd", bits, f"algorithm.error_feedback={how}")
                for name, how in kept.items()
            ),
            self._on_grid(f"lp{more}", "lp_sgd", more),
            self._on_grid(f"swalp{bits}", "swalp", bits),
        ]

    def _on_grid(self, label: str, algorithm: str, bits: int, *settings: str) -> Candidate:
        own = f"algorithm.word_bits={bits}"
        tried = tuple(frac_bits(bits, reach) for reach in self.ranges)
        return self._make(label, algorithm, own, *settings, frac_bits=tried)

    def _make(
        self,
        label: str,
        algorithm: str,
        *settings: str,
        rates: Sequence[float] | None = None,
        **tried: tuple[Value, ...],
    ) -> Candidate:
        key = RATE if self.setting == PLAIN else f"{RATE}.config.initial_learning_rate"
        own = WITH_MOMENTUM if self.setting == MOMENTUM else ()
        grid = [(f"algorithm.{name}", values) for name, values in tried.items()]
        grid.append((key, tuple(rates or self.rates.two)))
        return Candidate(label, algorithm, (*self.shared, *own, *settings), tuple(grid))


def frac_bits(bits: int, reach: float) -> int:
    """Those of the grid of so many bits from −reach to reach, a power of two."""
    return bits - 1 - round(math.log2(reach))


def in_order(family: Family, bits: Sequence[int]) -> list[tuple[int, list[Candidate]]]:
    """(bits, candidates) in the order of importance; no label appears twice.

    At each word length LP-SGD, HALP and bit-centered SAGA come first, then the others. SGD goes
    with the very first ones.
    """
    sgd, saga = family.full_precision()
    found, known = [], set()
    for place, each in enumerate(bits):
        first, rest = family.first(each), family.rest(each)
        if place == 0:
            first, rest = [sgd, *first], [*rest, saga]
        for made in (first, rest):
            new = [candidate for candidate in made if candidate.label not in known]
            known |= {candidate.label for candidate in new}
            found.append((each, new))
    return found
