"""Import of TensorQuant's quantizer strings and maps as a quantization map.

TensorQuant has three maps: for weights (`weight_q_map`), for layer outputs (`extr_q_map`) and for
the values inside a layer's computation (`intr_q_map`). Each is a string such as "nearest,16,8" for
all layers, a mapping {part of a layer's name: string}, or the path of a JSON file with one. The
first key that is a part of a layer's name decides. The strings mean:

    "zero,w,f" "down,w,f" "nearest,w,f" "stochastic,w,f"   fixed point, w bits, f after the point;
                                                           "nearest" rounds halves away from 0
    "fp16"                                                 float16, infinity beyond its range
    "logarithmic"                                          powers of two, magnitudes rounded down
    "sparse,t"  "binary[,m]"  "ternary[,m[,t]]"            threshold t, level m
    "none" or ""                                           not quantized

Where TensorQuant deviates from its documentation, this import follows the documentation: its Python
fixed point saturates at half the range or less, by an error of operator precedence. Zero stays 0
here, whereas its "logarithmic" maps it to 2^-30.

Source: github.com/cc-hpc-itwm/TensorQuant, Quantize/utils.py, Quantizers.py and Kernels/.
"""

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError

_ROUNDINGS = {
    "zero": "toward_zero",
    "down": "down",
    "nearest": "nearest_away",
    "stochastic": "stochastic",
}
# The least and the largest number of arguments.
_ARGUMENTS = {
    **dict.fromkeys(_ROUNDINGS, (2, 2)),
    **{"sparse": (1, 1), "logarithmic": (0, 0), "fp16": (0, 0), "none": (0, 0)},
    **{"binary": (0, 1), "ternary": (0, 2)},
}


def translate(
    weight_q_map: Any = None, extr_q_map: Any = None, intr_q_map: Any = None
) -> dict[str, Any]:
    """The mapping that `QuantizationMap.from_dict` takes.

    Weights and bias of a layer get the quantizer of weight_q_map, its output that of extr_q_map. A
    layer in neither map is not quantized. Every rule is optional: as in TensorQuant, a key may
    match no layer, and a layer may have no bias.

    Raises:
        InputError: a map or a string is not one of TensorQuant; or intr_q_map is given. It rounds
            after every operation, which has no equivalent (see `accumulator` in a rule).
    """
    if intr_q_map not in (None, "", {}):
        raise InputError(
            "intr_q_map has no equivalent: TensorQuant rounded after each operation inside a "
            f"layer; see the key accumulator of a rule instead. Received: {intr_q_map!r}"
        )
    weights, outputs = _entries("weight_q_map", weight_q_map), _entries("extr_q_map", extr_q_map)
    if not weights and not outputs:
        raise InputError("weight_q_map or extr_q_map must be given. Received: nothing")
    rules = []
    # In each map the first matching key decides. So each pair of keys is a rule, in order.
    for (part, weight), (other, output) in itertools.product(
        [*weights, (None, "none")], [*outputs, (None, "none")]
    ):
        parts = [each for each in (part, other) if each]
        if part is None and other is None:
            continue
        rule: dict[str, Any] = {
            "layers": "".join(f"(?=.*{re.escape(each)})" for each in parts) + ".*"
        }
        if weight != "none":
            rule |= {"weights": weight, "bias": weight}
        if output != "none":
            rule["activations"] = output
        if len(rule) == 1:
            rule["quantize"] = "none"
        rules.append({**rule, "optional": True})
    return {"version": 1, "rules": rules}


def quantizer(text: str) -> dict[str, Any] | str:
    """The value of a map for one of TensorQuant's strings.

    Raises:
        InputError: it is not one of them.
    """
    if not isinstance(text, str):
        raise InputError(f"a quantizer must be a text such as 'nearest,16,8'. Received: {text!r}")
    name, *arguments = (part.strip() for part in text.split(","))
    if not name:
        return "none"
    if name not in _ARGUMENTS:
        raise formats.unknown("quantizer", name, _ARGUMENTS)
    least, most = _ARGUMENTS[name]
    if not least <= len(arguments) <= most:
        takes = str(least) if least == most else f"{least} to {most}"
        raise InputError(f"{name} takes {takes} numbers after it. Received: {text!r}")
    try:
        numbers = [int(a) if name in _ROUNDINGS else float(a) for a in arguments]
    except ValueError as error:
        raise InputError(f"{name} takes numbers after it. Received: {text!r}") from error
    return _mapping(name, numbers)


def _mapping(name: str, numbers: list[int] | list[float]) -> dict[str, Any] | str:
    if name in _ROUNDINGS:
        word, fraction = numbers
        fixed = {"format": "fixed_point", "word_bits": word, "frac_bits": fraction}
        return {**fixed, "rounding": _ROUNDINGS[name]}
    if name == "sparse":
        return {"format": "sparse", "threshold": numbers[0]}
    if name == "fp16":
        return {"format": "float16", "overflow": "infinity"}
    if name == "logarithmic":
        powers = {"format": "power_of_two", "min_exponent": -30, "max_exponent": 30}
        return {**powers, "rounding": "toward_zero"}
    if name == "none":
        return "none"
    keys = ("level", "threshold")[: len(numbers)]
    return {"format": name, **dict(zip(keys, numbers, strict=True))}


def _entries(name: str, given: Any) -> list[tuple[str, dict | str]]:
    """[(part of a layer's name, quantizer)] of one map."""
    where = name
    if isinstance(given, (str, Path)) and given and str(given).split(",")[0] not in _ARGUMENTS:
        where = f"{name} ({given})"
        try:
            given = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{where}: neither a quantizer such as 'nearest,16,8' nor a JSON file: {error}"
            ) from error
    if given is None or given == "":
        return []
    if isinstance(given, str):
        given = {"": given}
    if not isinstance(given, Mapping):
        raise InputError(f"{where} must be a text or a mapping of texts. Received: {given!r}")
    entries = []
    for part, text in given.items():
        try:
            entries.append((str(part), quantizer("" if text is None else text)))
        except InputError as error:
            raise InputError(f"{where}: {part!r}: {error}") from error
    return entries
