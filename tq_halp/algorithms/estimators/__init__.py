"""Estimators: how a step computes v ≈ ∇f(w) from a minibatch."""

from tq_halp.algorithms.estimators.gradient_table import GradientTable
from tq_halp.algorithms.estimators.minibatch import Minibatch
from tq_halp.algorithms.estimators.variance_reduced import VarianceReduced

__all__ = ["GradientTable", "Minibatch", "VarianceReduced"]
