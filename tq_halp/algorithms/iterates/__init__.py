"""Iterates: where the weights live between two steps."""

from tq_halp.algorithms.iterates.averaged import Averaged
from tq_halp.algorithms.iterates.bit_centered import BitCentered
from tq_halp.algorithms.iterates.fixed_grid import FixedGrid
from tq_halp.algorithms.iterates.full_precision import FullPrecision

__all__ = ["Averaged", "BitCentered", "FixedGrid", "FullPrecision"]
