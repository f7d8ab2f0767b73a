"""The tables of docs/formats.md, computed by the ops themselves.

    python tests/quant_ops/formats_document.py            tells whether the page is current
    python tests/quant_ops/formats_document.py --write    rewrites its tables

Each table stands between <!-- name --> and <!-- /name -->; everything else is written by hand.
"""

import argparse
import math
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf
from carrier_values import OVERFLOWS, ROUNDINGS
from named_minifloats import NAMED

import quant_ops

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "formats.md"
sys.path.insert(0, str(ROOT))

from experiments.markdown_sections import fill  # noqa: E402

DRAWS = 1 << 16  # of which the share of each result is shown in whole percent


def table(head: list[str], rows: list[list[str]]) -> str:
    """In Markdown; the first column to the left, the others to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """As a reader would write it: an integer, a decimal of few digits, else a power of two."""
    value = float(value)
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "−∞"}.get(value, "NaN")
    size = abs(value)
    text = f"{size:.15g}" if 1e-3 <= size < 1e6 or size == 0 else f"{size:.4g}"
    if math.frexp(size)[0] == 0.5 and (len(text) > 6 or size < 1e-3):
        text = power(size)
    return ("−" if math.copysign(1, value) < 0 else "") + text.replace("-", "−")


def power(value: float) -> str:
    significand, exponent = math.frexp(value)
    assert significand == 0.5, value
    return "1" if exponent == 1 else f"2^{exponent - 1}".replace("-", "−")


def shares(results: np.ndarray) -> str:
    """Each number that occurs, in order, with the share of the draws that became it."""
    found, counts = np.unique(results, return_counts=True)
    if len(found) == 1:
        return number(found[0])
    return ", ".join(
        f"{number(value)} ({count / len(results):.0%})"
        for value, count in zip(found, counts, strict=True)
    )


def rounded(quantize, values: list[float]) -> str:
    """What each value becomes under each rounding."""
    head = ["x", *(f"`{rounding}`" for rounding in ROUNDINGS)]
    rows = []
    for value in values:
        cells = [
            number(quantize(tf.constant([value]), rounding=rounding)[0])
            for rounding in ROUNDINGS[:-1]
        ]
        draws = quantize(tf.fill([DRAWS], value), rounding="stochastic").numpy()
        rows.append([number(value), *cells, shares(draws)])
    return table(head, rows)


def roundings_of_fixed_point() -> str:
    return rounded(
        lambda x, **how: quant_ops.fixed_point(x, 8, 0, **how),
        [2.5, 1.75, 1.5, 0.75, 0.5, 0.25, 0.0, -0.25, -0.5, -0.75, -1.5, -1.75, -2.5],
    )


def roundings_of_minifloat() -> str:
    return rounded(
        lambda x, **how: NAMED["float4_e2m1fn"].quantize(x, **how),
        [0.25, 0.75, 1.1, 1.25, 1.75, 2.5, 3.5, 5.0, 7.0, -0.25, -0.75, -2.5, -5.0],
    )


def roundings_of_power_of_two() -> str:
    return rounded(
        lambda x, **how: quant_ops.power_of_two(x, -1, 3, **how),
        [0.2, 0.25, 0.3, 0.75, 1.2, 1.5, 3.0, 6.0, 10.0, -0.25, -0.75, -1.5],
    )


def words_of_fixed_point() -> str:
    rows = []
    for word_bits, frac_bits, signed, dtype in (
        (8, 4, True, "float32"), (8, 4, False, "float32"), (1, 0, True, "float32"),
        (1, 0, False, "float32"), (8, -3, True, "float32"), (8, 12, True, "float32"),
        (16, 15, True, "float32"), (32, 0, True, "float64"), (32, 0, True, "float32"),
        (16, 0, True, "bfloat16"), (24, 0, False, "float16"),
    ):  # fmt: skip
        ends = tf.constant([-np.inf, np.inf], dtype)
        low, high = quant_ops.fixed_point(ends, word_bits, frac_bits, signed=signed).numpy()
        step = quant_ops.fixed_point(tf.constant(2.0**-16, dtype), 8, frac_bits, rounding="up")
        sign = "signed" if signed else "unsigned"
        facts = [f"{word_bits}, {frac_bits}, {sign}", dtype]
        rows.append([*facts, number(step), exact(low), exact(high)])
    return table(["word_bits, frac_bits", "x's dtype", "step", "smallest", "largest"], rows)


def exact(value: float) -> str:
    """An integer in full, as the point of a rounded limit is in its last digits."""
    value = float(value)
    return f"{int(value):,}".replace("-", "−") if value.is_integer() else number(value)


def overflows_of_fixed_point() -> str:
    x = tf.constant([7.0, 7.5, 8.0, 9.25, -8.0, -8.5, 100.0, np.inf, -np.inf, np.nan])
    head = ["x", "signed, saturate", "signed, wrap", "unsigned, saturate", "unsigned, wrap"]
    columns = [
        quant_ops.fixed_point(x, 4, 0, signed=signed, overflow=overflow).numpy()
        for signed in (True, False)
        for overflow in OVERFLOWS
    ]
    rows = zip(x.numpy(), *columns, strict=True)
    return table(head, [[number(value) for value in row] for row in rows])


def named_minifloats() -> str:
    head = ["name", "exponent, mantissa bits", "`specials`", "bias", "largest"]
    head += ["smallest normal", "smallest", "eps", "∞", "NaN", "−0"]
    tiny = tf.constant(2.0**-1000, tf.float64)
    rows = []
    for name, format in NAMED.items():
        up = {"rounding": "up"}
        largest = format.quantize(tf.constant(np.inf, tf.float64))
        beyond = ""
        if format.specials != "none":
            beyond = number(format.quantize(tf.constant(np.inf), overflow="infinity"))
        minus = np.signbit(format.quantize([-0.0])[0].numpy())
        facts = [
            f"`{name}`", f"{format.exponent_bits}, {format.mantissa_bits}", format.specials,
            str(format.grid().bias), number(largest),
            power(format.quantize(tiny, subnormals=False, **up)),
            power(format.quantize(tiny, **up)),
            power(format.quantize(1 + tf.constant(2.0**-50, tf.float64), **up) - 1),
        ]  # fmt: skip
        marks = [beyond == "∞", beyond in ("∞", "NaN"), bool(minus)]
        rows.append(facts + ["yes" if mark else "no" for mark in marks])
    return table(head, rows)


def overflows_of_minifloat() -> str:
    """Under nearest_even, and toward_zero where that differs."""
    head = ["x", "`float8_e4m3fn`, saturate", "infinity", "infinity, `toward_zero`"]
    head += ["`float8_e5m2`, saturate", "infinity", "infinity, `toward_zero`"]
    ways = [{}, {"overflow": "infinity"}, {"overflow": "infinity", "rounding": "toward_zero"}]
    rows = []
    for value in (448.0, 464.0, 465.0, 57344.0, 61439.0, 61440.0, -1e30, np.inf, -np.inf, np.nan):
        formats = NAMED["float8_e4m3fn"], NAMED["float8_e5m2"]
        x = tf.constant(value)
        cells = [number(format.quantize(x, **how)) for format in formats for how in ways]
        rows.append([number(value), *cells])
    return table(head, rows)


def scales_of_mx() -> str:
    """The scale, found with an element too small to be anything but the smallest one."""
    rules = ("floor", "ceil", "rceil", "even")
    head = ["element", "amax", *(f"`{rule}`" for rule in rules)]
    rows = []
    for element, smallest, largest in (
        ("float4_e2m1fn", 0.5, (4.0, 5.0, 6.0, 6.5, 7.0, 7.5)),
        ("float8_e4m3fn", 2.0**-9, (256.0, 257.0, 448.0, 470.0, 495.0, 496.0)),
        ("int8", 2.0**-6, (1.0, 1.5, 1.984375, 1.99, 1.9921875)),
    ):
        for amax in largest:
            cells = []
            for rule in rules:
                how = {"scale_rounding": rule, "block_size": 2}
                up = quant_ops.mx([amax, 1e-30], element, rounding="up", **how)
                result = quant_ops.mx([amax, 0], element, **how)
                cells.append(f"{number(up[1] / smallest)}: {number(result[0])}")
            rows.append([f"`{element}`", number(amax), *cells])
    return table(head, rows)


def special_values() -> str:
    x = tf.constant([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, -1e-30])
    head = ["op", *(number(value) for value in x.numpy())]
    ops = {
        "`fixed_point(x, 8, 4)`": quant_ops.fixed_point(x, 8, 4),
        "… `overflow=\"wrap\"`": quant_ops.fixed_point(x, 8, 4, overflow="wrap"),
        "`scaled_integer(x, 0.5, 8)`": quant_ops.scaled_integer(x, 0.5, 8),
        "`minifloat(x, 5, 2)`": quant_ops.minifloat(x, 5, 2),
        "… `overflow=\"infinity\"`": quant_ops.minifloat(x, 5, 2, overflow="infinity"),
        "… `specials=\"fnuz\"`": quant_ops.minifloat(x, 5, 2, specials="fnuz"),
        "`power_of_two(x, -4, 3)`": quant_ops.power_of_two(x, -4, 3),
        "`block_float(x, 4, ...)`, amax 1": in_one_block(quant_ops.block_float, x, 4),
        "`mx(x, ...)`, amax 1": in_one_block(quant_ops.mx, x),
        "`mx(x, \"int8\", ...)`, amax 1": in_one_block(quant_ops.mx, x, "int8"),
        "`binary(x)`": quant_ops.binary(x),
        "`ternary(x, 1.0, 0.5)`": quant_ops.ternary(x, 1.0, 0.5),
        "`sparse(x, 0.5)`": quant_ops.sparse(x, 0.5),
    }  # fmt: skip
    return table(head, [[name, *map(number, result.numpy())] for name, result in ops.items()])


def in_one_block(quantize, x: tf.Tensor, *arguments) -> tf.Tensor:
    block = tf.concat([x, [1.0]], 0)
    return quantize(block, *arguments, block_size=block.shape[0])[:-1]


TABLES = {
    "roundings_of_fixed_point": roundings_of_fixed_point,
    "special_values": special_values,
    "words_of_fixed_point": words_of_fixed_point,
    "overflows_of_fixed_point": overflows_of_fixed_point,
    "named_minifloats": named_minifloats,
    "roundings_of_minifloat": roundings_of_minifloat,
    "overflows_of_minifloat": overflows_of_minifloat,
    "roundings_of_power_of_two": roundings_of_power_of_two,
    "scales_of_mx": scales_of_mx,
}


def write(page: Path) -> None:
    for name, compute in TABLES.items():
        fill(page, name, compute())


def current() -> str:
    """The page as it should be."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(PAGE, folder))
        write(copy)
        return copy.read_text(encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the tables of the page")
    if parser.parse_args().write:
        write(PAGE)
    elif current() != PAGE.read_text(encoding="utf-8"):
        sys.exit(f"{PAGE} is not what the ops give: run this with --write")
