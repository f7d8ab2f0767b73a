"""Import of QKeras' quantizers, such as "quantized_bits(8,0,1,alpha=1)", as values of a map.

    quantized_bits     fixed point, halves to even or stochastic; of one bit, -1 and 1
    quantized_linear   the same, without a gradient where it saturates; of one bit, -2^integer / 2
                       and 2^integer / 2
    quantized_relu     unsigned fixed point, which maps negative numbers to 0
    binary, ternary    binary and ternary, with a fixed alpha

Scales that QKeras computes from the data have no equivalent: alpha="auto" and "auto_po2". For the
weights of a layer, a missing alpha has none either, because QKeras' layers then set "auto_po2"
(`_set_trainable_parameter`). For a bias or an activation, a missing alpha is 1. Other quantizers
without an equivalent are those that apply a function (quantized_tanh, quantized_sigmoid, ...),
powers of two, and those that draw from the data's distribution (stochastic_binary,
stochastic_ternary, bernoulli).

Known differences. With `symmetric`, QKeras does not use the most negative number of a format. Its
stochastic rounding rounds to nearest in inference. Without alpha, as activations, the gradient of
its binary and ternary is that of tanh.

Source: github.com/google/qkeras, qkeras/quantizers.py, qlayers.py, qrecurrent.py and
qnormalization.py.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tq_halp import formats
from tq_halp.errors import InputError

# Other keys of a configuration of QKeras, with the values that have no effect here. (): any value.
_NEUTRAL = {
    "qnoise_factor": (1,),
    "use_ste": (True, False),
    "relu_upper_bound": (None,),
    "is_quantized_clip": (True,),
    "post_training_scale": (None,),
    # for scales from the data
    **dict.fromkeys(("scale_axis", "elements_per_scale", "number_of_unrolls"), ()),
    **dict.fromkeys(("min_po2_exponent", "max_po2_exponent", "var_name", "use_variables"), ()),
}


def _bits(
    bits: int = 8,
    integer: int = 0,
    symmetric: int = 0,
    keep_negative: bool = True,
    alpha: float | str | None = None,
    use_stochastic_rounding: bool = False,
) -> dict[str, Any]:
    _check_no_scale(alpha)
    if bits == 1 and keep_negative:
        return _sign(1.0, use_stochastic_rounding)
    return {
        "format": "fixed_point",
        "word_bits": bits,
        "frac_bits": bits - integer - bool(keep_negative),
        "signed": bool(keep_negative),
        "rounding": "stochastic" if use_stochastic_rounding else "nearest_even",
    }


def _linear(
    bits: int = 8,
    integer: int = 0,
    symmetric: int = 1,
    keep_negative: bool = True,
    alpha: float | str | None = None,
    use_stochastic_rounding: bool = False,
) -> dict[str, Any]:
    if bits == 1 and keep_negative:
        _check_no_scale(alpha)
        return {**_sign(2.0**integer / 2, use_stochastic_rounding), "gradient": "clipped"}
    made = _bits(bits, integer, symmetric, keep_negative, alpha, use_stochastic_rounding)
    return {**made, "gradient": "clipped"}


def _relu(
    bits: int = 8,
    integer: int = 0,
    use_sigmoid: int = 0,
    negative_slope: float = 0.0,
    use_stochastic_rounding: bool = False,
) -> dict[str, Any]:
    if use_sigmoid or negative_slope:
        raise InputError("use_sigmoid and negative_slope have no equivalent")
    made = _bits(bits, integer, 0, False, None, use_stochastic_rounding)
    return {**made, "gradient": "clipped"}


def _binary(
    use_01: bool = False, alpha: float | str | None = None, use_stochastic_rounding: bool = False
) -> dict[str, Any]:
    if use_01:
        raise InputError("use_01 has no equivalent: binary numbers are -alpha and alpha")
    return _sign(_fixed_scale(alpha), use_stochastic_rounding)


def _sign(level: float, use_stochastic_rounding: bool) -> dict[str, Any]:
    if use_stochastic_rounding:
        raise InputError("use_stochastic_rounding has no equivalent in a quantizer of one bit")
    return {"format": "binary", "level": level}


def _ternary(
    alpha: float | str | None = None,
    threshold: float | None = None,
    use_stochastic_rounding: bool = False,
) -> dict[str, Any]:
    if use_stochastic_rounding:
        raise InputError("use_stochastic_rounding has no equivalent in ternary")
    level = _fixed_scale(alpha)
    # QKeras compares |x| >= t, `Ternary` |x| > t: so t is the float32 below, for x in float32.
    least = np.float32(0.33 if threshold is None else threshold)
    below = float(np.nextafter(least, np.float32(0)))
    return {"format": "ternary", "level": level, "threshold": below}


def _check_no_scale(alpha: float | str | None) -> None:
    if _fixed_scale(alpha) != 1:
        raise InputError("alpha has no equivalent other than 1, see scaled_integer")


def _fixed_scale(alpha: float | str | None) -> float:
    if alpha is None:
        return 1.0
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)):
        raise InputError(
            f"alpha must be a number. Received: {alpha!r}; scales from the data have no "
            "equivalent, see scaled_integer"
        )
    return float(alpha)


_KNOWN: dict[str, Callable[..., dict[str, Any]]] = {
    "quantized_bits": _bits,
    "quantized_linear": _linear,
    "quantized_relu": _relu,
    "binary": _binary,
    "ternary": _ternary,
}


def quantizer(
    given: str | Mapping[str, Any] | None, *, of_weights: bool = False
) -> dict[str, Any] | str:
    """The value of a map for a QKeras quantizer.

    Args:
        given: a text, a configuration or None, as in QKeras.
        of_weights: whether it is for weights, for which QKeras sets a missing alpha to "auto_po2".

    Raises:
        InputError: it has no equivalent, or is not a quantizer of QKeras.
    """
    if given is None:
        return "none"
    name, positional, named = _parse(given)
    if name not in _KNOWN:
        raise InputError(
            f"{name} has no equivalent, those that have one: {', '.join(_KNOWN)}. "
            f"Received: {given!r}"
        )
    make = _KNOWN[name]
    parameters = inspect.signature(make).parameters
    for key, value in list(named.items()):
        if key in parameters:
            continue
        if key not in _NEUTRAL:
            raise InputError(
                f"{given!r}: {formats.unknown(f'argument of {name}', key, parameters)}"
            )
        if _NEUTRAL[key] and not any(_is_plain(value) and value == n for n in _NEUTRAL[key]):
            raise InputError(f"{given!r}: {key} has no equivalent other than {_NEUTRAL[key][0]}")
        del named[key]
    try:
        bound = inspect.signature(make).bind(*positional, **named)
        bound.apply_defaults()
        if of_weights and bound.arguments.get("alpha", 1) is None:
            raise InputError(
                "without alpha a layer of QKeras fits the scale of its weights to the data "
                "(alpha='auto_po2'), which has no equivalent: write alpha=1 for no scale, or see "
                "scaled_integer"
            )
        bound.arguments = {key: _checked(key, each) for key, each in bound.arguments.items()}
        return make(*bound.args, **bound.kwargs)
    except InputError as error:
        raise InputError(f"{given!r}: {error}") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{given!r}: wrong arguments of {name}: {error}") from error


_WHOLE = ("bits", "integer")
_FLAGS = ("symmetric", "keep_negative", "use_stochastic_rounding", "use_sigmoid", "use_01")
_NUMBERS = ("negative_slope", "threshold")


def _checked(name: str, value: Any) -> Any:
    """An argument, checked. Whole numbers may be written as floats."""
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if name in _WHOLE and not (is_number and np.isfinite(value) and int(value) == value):
        raise InputError(f"{name} must be a whole number. Received: {value!r}")
    if name in _FLAGS and not (_is_plain(value) and value in (0, 1)):
        raise InputError(f"{name} must be True or False. Received: {value!r}")
    if name in _NUMBERS and value is not None and not is_number:
        raise InputError(f"{name} must be a number. Received: {value!r}")
    return int(value) if name in _WHOLE else value


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, np.bool_, np.number))


def _parse(given: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The name of a quantizer, and its positional and named arguments."""
    if isinstance(given, Mapping):
        if isinstance(given.get("class_name"), str) and isinstance(given.get("config"), Mapping):
            return given["class_name"], (), dict(given["config"])
    elif isinstance(given, str):
        try:
            call = ast.parse(given.strip(), mode="eval").body
            if isinstance(call, ast.Name):
                return call.id, (), {}
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                named = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
                return call.func.id, tuple(map(ast.literal_eval, call.args)), named
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                f"a quantizer must be one of QKeras. Received: {given!r}: {error}"
            ) from error
    raise InputError(
        f"a quantizer must be a text such as 'quantized_bits(8,0,1)'. Received: {given!r}"
    )
