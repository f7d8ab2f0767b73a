"""The public ops, one module per family: argument checks, then the backend's arithmetic."""

from quant_ops.ops.grids import fixed_point, scaled_integer

__all__ = ["fixed_point", "scaled_integer"]
