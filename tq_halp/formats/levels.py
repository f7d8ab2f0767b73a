"""One or two levels, or none at all: `Binary`, `Ternary` and `Sparse`."""

import dataclasses
from typing import ClassVar

from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import finite


@dataclasses.dataclass(frozen=True)
class Binary(Format):
    """The two numbers -level and level.

    Raises:
        InputError: level is no finite number greater than 0.

    References: Courbariaux et al., BinaryConnect, arXiv 1511.00363, section 2.2.
    """

    level: float = 1.0

    name: ClassVar[str] = "binary"
    example: ClassVar[str] = "{format: binary, level: 1.0}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", finite("level", self.level, or_zero=False))

    @property
    def min(self) -> float:
        return -self.level

    @property
    def max(self) -> float:
        return self.level


@dataclasses.dataclass(frozen=True)
class Ternary(Format):
    """The three numbers -level, 0 and level; 0 stands for magnitudes up to the threshold.

    Without a threshold it is 0.7 times the mean magnitude of the tensor, known at run time only.

    Raises:
        InputError: level is no finite number greater than 0, or threshold none of 0 or greater.

    References: Li et al., Ternary Weight Networks, arXiv 1605.04711, equation 6.
    """

    level: float = 1.0
    threshold: float | None = None

    name: ClassVar[str] = "ternary"
    example: ClassVar[str] = "{format: ternary, level: 1.0, threshold: 0.5}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", finite("level", self.level, or_zero=False))
        if self.threshold is not None:
            threshold = finite("threshold", self.threshold, or_zero=True)
            object.__setattr__(self, "threshold", threshold)

    @property
    def elementwise(self) -> bool:
        return self.threshold is not None

    @property
    def min(self) -> float:
        return -self.level

    @property
    def max(self) -> float:
        return self.level


@dataclasses.dataclass(frozen=True)
class Sparse(Format):
    """0, and every number whose magnitude is at least the threshold: nothing else is rounded.

    Raises:
        InputError: threshold is no finite number, 0 or greater.
    """

    threshold: float

    name: ClassVar[str] = "sparse"
    example: ClassVar[str] = "{format: sparse, threshold: 0.01}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", finite("threshold", self.threshold, or_zero=True))
