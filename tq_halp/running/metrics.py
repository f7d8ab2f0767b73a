"""Numbers derived from losses."""

import math


def perplexity(loss: float) -> float:
    """exp(loss) for a loss in nats per token; inf where that is beyond float64, nan for nan."""
    return math.exp(loss) if not loss > 709.0 else math.inf
