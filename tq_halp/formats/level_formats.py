"""Formats of one magnitude, `Binary` and `Ternary`, and of a threshold, `Sparse`."""

import dataclasses
from typing import ClassVar

from tq_halp.formats.base import Format
from tq_halp.formats.check_arguments import finite


@dataclasses.dataclass(frozen=True)
class Binary(Format):
    """The two numbers -level and level.

    Raises:
        InputError: level is not a finite number greater than 0.

    References: Courbariaux et al., BinaryConnect, arXiv 1511.00363, section 2.2.
    """

    level: float = 1.0

    name: ClassVar[str] = "binary"
    example: ClassVar[str] = "{format: binary, level: 1.0}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", finite("level", self.level, or_zero=False))

    @property
    def min(self) -> float:
        """Smallest number, -level."""
        return -self.level

    @property
    def max(self) -> float:
        """Largest number, level."""
        return self.level


@dataclasses.dataclass(frozen=True)
class Ternary(Format):
    """The three numbers -level, 0 and level. Magnitudes up to the threshold become 0.

    If threshold is None, it is 0.7 times the mean magnitude of the tensor, at run time.

    Raises:
        InputError: level is not a finite number greater than 0, or threshold not one of at least 0.

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
        """Whether the threshold does not depend on the tensor."""
        return self.threshold is not None

    @property
    def min(self) -> float:
        """Smallest number, -level."""
        return -self.level

    @property
    def max(self) -> float:
        """Largest number, level."""
        return self.level


@dataclasses.dataclass(frozen=True)
class Sparse(Format):
    """0, and every number whose magnitude is at least the threshold. Smaller ones become 0.

    Raises:
        InputError: threshold is not a finite number of at least 0.
    """

    threshold: float

    name: ClassVar[str] = "sparse"
    example: ClassVar[str] = "{format: sparse, threshold: 0.01}"

    def __post_init__(self) -> None:
        object.__setattr__(self, "threshold", finite("threshold", self.threshold, or_zero=True))
