"""Import of QKeras' dictionaries for `model_quantize` as a quantization map.

    {"dense_1": {"kernel_quantizer": "quantized_bits(8,0,1,alpha=1)", ...},             by name
     "QDense": {"kernel_quantizer": ...},                                                by class
     "QActivation": {"relu": "quantized_relu(4)"}, "act_1": "quantized_relu(4)"}

As in QKeras, the entry of a layer's name takes precedence over that of its class. Entries of
classes become optional rules.
"""

import re
from collections.abc import Mapping
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.quantization_map.importers.qkeras_quantizers import quantizer

_TENSORS = {
    "kernel_quantizer": "weights",
    "depthwise_quantizer": "weights",
    "gamma_quantizer": "weights",
    "recurrent_quantizer": "recurrent_weights",
    "bias_quantizer": "bias",
    "beta_quantizer": "bias",
    "activation_quantizer": "activations",
    "recurrent_activation_quantizer": "gates",
    "state_quantizer": "state",
}
# Here the layers of QKeras set a missing alpha to "auto_po2".
_SCALED = ("kernel_quantizer", "depthwise_quantizer", "gamma_quantizer", "recurrent_quantizer")
# Classes whose entry is one quantizer, that of the activation.
_ACTIVATIONS = {"QActivation": ("Activation", "ReLU", "LeakyReLU")}


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that `QuantizationMap.from_dict` takes.

    Raises:
        InputError: an entry is not one of QKeras, or has no equivalent.
    """
    if not isinstance(config, Mapping) or not config:
        raise InputError(f"config must be a mapping of layers to quantizers. Received: {config!r}")
    names, classes = [], []
    for key, entry in config.items():
        if not isinstance(key, str) or not key:
            raise InputError(f"a key must be the name of a layer or a class. Received: {key!r}")
        if key in _ACTIVATIONS:
            classes += _activations(key, entry)
        elif re.match("Q[A-Z]", key):
            rule = {"layers": ".*", "class": key[1:], **_tensors(key, entry), "optional": True}
            classes.append(rule)
        else:
            names.append({"layers": f"(.*/)?{re.escape(key)}", **_tensors(key, entry)})
    return {"version": 1, "rules": [*names, *classes]}


def _tensors(key: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, Mapping) or "class_name" in entry:
        return {"activations": _quantizer(key, "activation", entry)}
    tensors = {}
    for name, value in entry.items():
        if name not in _TENSORS:
            raise InputError(f"{key}: {formats.unknown('quantizer', name, _TENSORS)}")
        tensors[_TENSORS[name]] = _quantizer(key, name, value)
    if all(value == "none" for value in tensors.values()):
        return {"quantize": "none"}
    if "weights" in tensors:
        tensors.setdefault("recurrent_weights", "none")
    return tensors


def _activations(key: str, entry: Any) -> list[dict[str, Any]]:
    if isinstance(entry, Mapping) and "class_name" not in entry:
        for name in entry:
            if name != "relu":
                raise InputError(f"{key}: only relu can be told from others. Received: {name!r}")
        chosen = {"ReLU": entry["relu"]} if entry else {}
    else:
        chosen = dict.fromkeys(_ACTIVATIONS[key], entry)
    return [
        {"layers": ".*", "class": name, "optional": True,
         "activations": _quantizer(key, name, value)}
        for name, value in chosen.items()
    ]  # fmt: skip


def _quantizer(key: str, name: str, value: Any) -> dict[str, Any] | str:
    try:
        return quantizer(value, of_weights=name in _SCALED)
    except InputError as error:
        raise InputError(f"{key}: {name}: {error}") from error
