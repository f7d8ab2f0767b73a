"""Power-of-two units for X and y, in which no square and no step over- or underflows.

With x = feature · X and z = (y − shift) / target the solver fits v to z = v·x:

    w = target · feature · v        loss = target² · its loss       ∂f/∂w = target / feature · ∂f/∂v

A power of two changes exponents only, so the result is the same to the last bit.
"""

from dataclasses import dataclass

import numpy as np

from tq_halp.errors import InputError


@dataclass(frozen=True)
class Units:
    """The factor of X, and the divisor of the targets.

    `feature` is 1 where X has ordinary magnitudes, which saves a pass over X.
    """

    feature: float = 1.0
    target: float = 1.0

    def rate(self, learning_rate: float) -> float:
        """The solver's learning rate for the user's: w moves by rate · ∂f/∂w."""
        return learning_rate / self.feature**2

    def mu(self, mu: float) -> float:
        """The solver's mu for the user's: offsets of w reach ‖∂f/∂w‖ / mu."""
        return mu * self.feature**2

    def told(self, record: dict) -> dict:
        """A record of the solver in the user's units."""
        return record | {
            "loss": record["loss"] * self.target**2,
            "gradient_norm": record["gradient_norm"] * self.target / self.feature,
            "learning_rate": record["learning_rate"] * self.feature**2,
            "scale": record["scale"] * self.target * self.feature,
            "mu": None if record["mu"] is None else record["mu"] / self.feature**2,
        }


def power_above(number: float) -> float:
    """The smallest power of two above `number`; 1 for 0."""
    return float(np.ldexp(1.0, np.frexp(number)[1])) if number else 1.0


def representable(name: str, value: float) -> float:
    """`value`, the parameter `name` in the solver's units.

    Raises:
        InputError: it is 0 or infinite there.
    """
    if not 0 < value < np.inf:
        raise InputError(
            f"{name} must suit the magnitudes of X and y: for these float64 cannot hold what it "
            "means; bring X and y near 1"
        )
    return value
