"""The ops that are timed, with their arguments. No TensorFlow: the command line reads the names."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from quant_ops.format_facts import BINARY_ROUNDINGS, ROUNDINGS

DTYPES = ("float32", "float64", "bfloat16", "float16")
BLOCK = 32
# The roundings of ops that do not have all.
ROUNDINGS_OF = {"binary": BINARY_ROUNDINGS, "ternary": (), "sparse": ()}


@dataclasses.dataclass(frozen=True)
class Case:
    """A function of `quant_ops` and its arguments apart from x, rounding and counter."""

    op: str
    variant: str  # tells the cases of an op apart
    arguments: Mapping[str, Any]

    @property
    def label(self) -> str:
        """The case in a table, such as "minifloat 4, 3"."""
        return f"{self.op} {self.variant}".strip()

    def roundings(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """The roundings of `wanted` that the op has.

        One that it lacks is replaced by the op's first rounding, or by "" if it has none.
        """
        known = ROUNDINGS_OF.get(self.op, ROUNDINGS) or ("",)
        return tuple(dict.fromkeys(r if r in known else known[0] for r in wanted))


def _minifloat(exponent_bits: int, mantissa_bits: int) -> Case:
    arguments = {"exponent_bits": exponent_bits, "mantissa_bits": mantissa_bits}
    return Case("minifloat", f"{exponent_bits}, {mantissa_bits}", arguments)


def _mx(element: str, axis: int) -> Case:
    arguments = {"element": element, "axis": axis, "block_size": BLOCK}
    return Case("mx", f"{element}, axis {axis}", arguments)


def _block_float(axis: int) -> Case:
    arguments = {"word_bits": 8, "block_size": BLOCK, "axis": axis}
    return Case("block_float", f"8, axis {axis}", arguments)


# scaled_integer's `scale` depends on the shape of x: see ops.py.
CASES = (
    Case("fixed_point", "8, 4", {"word_bits": 8, "frac_bits": 4}),
    Case("scaled_integer", "8", {"word_bits": 8}),
    Case("scaled_integer", "8, axis -1", {"word_bits": 8, "axis": -1}),
    Case("scaled_integer", "8, axis 0", {"word_bits": 8, "axis": 0}),
    *(_minifloat(*bits) for bits in ((4, 3), (5, 2), (8, 7))),
    Case("power_of_two", "-8, 7", {"min_exponent": -8, "max_exponent": 7}),
    *(_block_float(axis) for axis in (-1, 0)),
    *(_mx(e, a) for e in ("float8_e4m3fn", "float4_e2m1fn", "int8") for a in (-1, 0)),
    Case("binary", "", {}),
    Case("ternary", "given threshold", {"threshold": 0.7}),
    Case("ternary", "own threshold", {}),
    Case("sparse", "", {"threshold": 0.7}),
)
OPS = tuple(dict.fromkeys(case.op for case in CASES))


def shape(size: int) -> tuple[int, int]:
    """The most nearly square shape of `size` elements both of whose sides are multiples of BLOCK.

    The number of columns is a power of two, so `size` must be a multiple of BLOCK^2.
    """
    columns = BLOCK
    while size % (2 * columns * BLOCK) == 0 and 4 * columns * columns <= size:
        columns *= 2
    return size // columns, columns
