"""QKeras' quantizers, "quantized_bits(8,0,1)", as what stands in a quantization map.

    quantized_bits, quantized_linear   fixed point, halves to even or stochastic
    quantized_relu                     unsigned fixed point, which is 0 for what is negative
    binary, ternary                    the same here, with a fixed alpha

`symmetric` leaves out the most negative number of a format; here it stays in. Scales that QKeras
computes from the data (alpha="auto", "auto_po2") and quantizers that are another function too
(quantized_tanh, quantized_sigmoid, ...) have no equivalent.

Source: github.com/google/qkeras, qkeras/quantizers.py.
"""

import ast
import inspect
from collections.abc import Mapping
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError


def _bits(bits=8, integer=0, symmetric=0, keep_negative=True, alpha=None,
          use_stochastic_rounding=False):  # fmt: skip
    if _fixed_scale(alpha) != 1:
        raise InputError("alpha has no equivalent other than 1, see scaled_integer")
    return {
        "format": "fixed_point",
        "word_bits": int(bits),
        "frac_bits": int(bits) - int(integer) - bool(keep_negative),
        "signed": bool(keep_negative),
        "rounding": "stochastic" if use_stochastic_rounding else "nearest_even",
    }


def _linear(bits=8, integer=0, symmetric=1, keep_negative=True, alpha=None,
            use_stochastic_rounding=False):  # fmt: skip
    return _bits(bits, integer, symmetric, keep_negative, alpha, use_stochastic_rounding)


def _relu(bits=8, integer=0, use_sigmoid=0, negative_slope=0.0, use_stochastic_rounding=False):
    if use_sigmoid or negative_slope:
        raise InputError("use_sigmoid and negative_slope have no equivalent")
    return _bits(bits, integer, 0, False, None, use_stochastic_rounding)


def _binary(use_01=False, alpha=None, use_stochastic_rounding=False):
    if use_01:
        raise InputError("use_01 has no equivalent: binary numbers are -alpha and alpha")
    rounding = {"rounding": "stochastic"} if use_stochastic_rounding else {}
    return {"format": "binary", "level": _fixed_scale(alpha), **rounding}


def _ternary(alpha=None, threshold=None, use_stochastic_rounding=False):
    if use_stochastic_rounding:
        raise InputError("use_stochastic_rounding has no equivalent in ternary")
    level = _fixed_scale(alpha)
    return {
        "format": "ternary",
        "level": level,
        "threshold": 0.33 if threshold is None else threshold,
    }


def _fixed_scale(alpha):
    if alpha is None:
        return 1.0
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise InputError(
            f"alpha must be a number, received {alpha!r}: scales from the data have no equivalent, "
            "see scaled_integer"
        )
    return float(alpha)


_KNOWN = {
    "quantized_bits": _bits,
    "quantized_linear": _linear,
    "quantized_relu": _relu,
    "binary": _binary,
    "ternary": _ternary,
}


def quantizer(given: str | Mapping[str, Any] | None) -> dict[str, Any] | str:
    """What stands in a map for a QKeras quantizer: its text, its configuration or None.

    Raises:
        InputError: it has no equivalent, or is no quantizer of QKeras'.
    """
    if given is None:
        return "none"
    name, positional, named = _parse(given)
    if name not in _KNOWN:
        raise InputError(
            f"{name} has no equivalent, those that have one: {', '.join(_KNOWN)}; "
            f"received {given!r}"
        )
    make = _KNOWN[name]
    parameters = inspect.signature(make).parameters
    for key in named:
        if key not in parameters:
            raise InputError(
                f"{given!r}: {formats.unknown(f'argument of {name}', key, parameters)}"
            )
    try:
        mapping = make(*positional, **named)
    except InputError as error:
        raise InputError(f"{given!r}: {error}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{given!r}: wrong arguments of {name}: {error}") from error
    return mapping


def _parse(given):
    """Its name, and its positional and named arguments."""
    if isinstance(given, Mapping):
        if isinstance(given.get("class_name"), str) and isinstance(given.get("config"), Mapping):
            return given["class_name"], (), dict(given["config"])
    elif isinstance(given, str):
        try:
            call = ast.parse(given.strip(), mode="eval").body
            if isinstance(call, ast.Name):
                return call.id, (), {}
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                named = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
                return call.func.id, tuple(map(ast.literal_eval, call.args)), named
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(f"no quantizer of QKeras', received {given!r}: {error}") from error
    raise InputError(
        f"a quantizer must be a text such as 'quantized_bits(8,0,1)', received {given!r}"
    )
