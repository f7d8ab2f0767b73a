"""Linear models trained by HALP in integers, on an engine that needs no TensorFlow.

LinearSolver(x, targets, loss=...)   one outer epoch per call
survey(x)                            the smallest and largest number of each column, and squares
"""

from quant_ops.linear.columns import Columns, survey
from quant_ops.linear.solver import ALGORITHMS, LOSSES, LinearSolver

__all__ = ["ALGORITHMS", "LOSSES", "Columns", "LinearSolver", "survey"]
