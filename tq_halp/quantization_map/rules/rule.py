"""`Rule`, one rule of a quantization map: which layers it matches, and their quantizers."""

import dataclasses
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.layers.quantized_layer_mixin import ROLES
from tq_halp.quantization_map.layer_tree import Leaf
from tq_halp.quantization_map.rules.bits_schedule import schedule
from tq_halp.quantization_map.rules.parse_format import ValueParser
from tq_halp.quantizers import AnyQuantizer

# The roles of layers, and the slots of the optimizer.
TENSORS = (*ROLES, "momentum")
KEYS = ("layers", "class", "quantize", "optional", "schedule", *TENSORS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule: it matches layers by `layers` and `class_name`, and gives them `quantizers`."""

    # Both must match.
    layers: re.Pattern  # must match the whole path of a layer, "outer/inner/lstm_1"
    class_name: str | None = None  # the layer's class; None: any

    # A quantizer or "none", by tensor. Empty: the layer is not quantized ("quantize: none").
    quantizers: Mapping[str, AnyQuantizer | str]

    optional: bool = False  # it may match no layer, and have nothing to do
    number: int  # position in the map, from 1
    where: str  # prefix of an error about the rule: "map.yaml:7: rule 2"

    def matches(self, leaf: Leaf) -> bool:
        """Whether the rule matches a layer, by any of its paths."""
        if self.class_name not in (None, leaf.class_name):
            return False
        return any(self.layers.fullmatch(path) for path in leaf.paths)

    def error(self, message: str) -> InputError:
        """An error about the rule, with its place in the file."""
        return InputError(f"{self.where}: {message}")


def parse_rule(raw: Any, number: int, values: ValueParser, where: Callable[..., str]) -> Rule:
    """A rule from its mapping.

    Args:
        raw: the mapping, unchecked.
        number: its position in the map, from 1.
        values: parses formats.
        where: returns the prefix of an error for a key of the rule, or for the whole rule.

    Raises:
        InputError: the rule is wrong. The message has the place, the value received and the valid
            ones.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"{where()}: a rule must be a mapping. Received: {raw!r}")
    for key in raw:
        if key not in KEYS:
            raise InputError(f"{where(key)}: {formats.unknown('key', key, KEYS)}")
    tensors = [key for key in raw if key in TENSORS]
    _check_purpose(raw, tensors, where)
    quantizers: dict[str, AnyQuantizer | str] = {
        key: values.parse(raw[key], key, where(key)) for key in tensors
    }
    if "schedule" in raw:
        quantizers = schedule(raw["schedule"], quantizers, values, where)
    optional = raw.get("optional", False)
    if not isinstance(optional, bool):
        raise InputError(
            f"{where('optional')}: optional must be true or false. Received: {optional!r}"
        )
    return Rule(
        layers=_pattern(raw, where),
        class_name=_class_name(raw, where),
        quantizers=quantizers,
        optional=optional,
        number=number,
        where=where(),
    )


def _check_purpose(raw: Any, tensors: Sequence[str], where: Callable[..., str]) -> None:
    if "quantize" in raw:
        if raw["quantize"] not in (None, "none"):
            raise InputError(
                f"{where('quantize')}: quantize takes only none. Received: {raw['quantize']!r}; "
                f"to quantize, name the tensors: {', '.join(TENSORS)}"
            )
        clash = tensors or [key for key in ("schedule",) if key in raw]
        if clash:
            raise InputError(
                f"{where(clash[0])}: 'quantize: none' leaves no room for {', '.join(clash)}; "
                "remove one or the other"
            )
    elif not tensors and not isinstance(raw.get("schedule"), (list, tuple)):
        raise InputError(
            f"{where()}: says nothing to do; write 'quantize: none' or one of {', '.join(TENSORS)}"
        )


def _pattern(raw: Any, where: Callable[..., str]) -> re.Pattern:
    example = 'a regular expression such as "block/.*"'
    if "layers" not in raw:
        raise InputError(f"{where()}: layers is missing: {example}")
    if not isinstance(raw["layers"], str):
        raise InputError(
            f"{where('layers')}: layers must be {example}. Received: {raw['layers']!r}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Python warns of syntax whose meaning will change
            return re.compile(raw["layers"])
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise InputError(
            f"{where('layers')}: layers is not a regular expression: {error}. "
            f"Received: {raw['layers']!r}"
        ) from error


def _class_name(raw: Any, where: Callable[..., str]) -> str | None:
    name = raw.get("class")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{where('class')}: class must be a name such as LSTM. Received: {name!r}")
    return name
