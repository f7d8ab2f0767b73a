"""Units in which no square and no step of the solver overflows or vanishes: powers of two.

With x = feature · X and z = (y − shift) / target the solver fits v to z = v·x:

    w = target · feature · v        loss = target² · its loss       ∂f/∂w = target / feature · ∂f/∂v

Powers of two change nothing but exponents: what is found is the same to the last bit.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Units:
    """What X is multiplied by and targets are divided by.

    `feature` is 1 where X has ordinary magnitudes: the multiplication would be another pass.
    """

    feature: float = 1.0
    target: float = 1.0

    def rate(self, learning_rate: float) -> float:
        """The solver's, of the user's: w moves by rate · ∂f/∂w."""
        return learning_rate / self.feature**2

    def mu(self, mu: float) -> float:
        """The solver's, of the user's: offsets of w reach ‖∂f/∂w‖ / mu."""
        return mu * self.feature**2

    def told(self, record: dict) -> dict:
        """A record of the solver's in the user's units."""
        return record | {
            "loss": record["loss"] * self.target**2,
            "gradient_norm": record["gradient_norm"] * self.target / self.feature,
            "learning_rate": record["learning_rate"] * self.feature**2,
            "scale": record["scale"] * self.target * self.feature,
            "mu": None if record["mu"] is None else record["mu"] / self.feature**2,
        }


def power_above(number: float) -> float:
    """The smallest power of two above a number; 1 for 0."""
    return float(np.ldexp(1.0, np.frexp(number)[1])) if number else 1.0
