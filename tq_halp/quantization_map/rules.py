"""One rule of a quantization map: which layers it is about and what becomes of their tensors."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from tq_halp import formats, quantizers
from tq_halp.errors import InputError
from tq_halp.layers.base import ROLES
from tq_halp.quantizers import Quantizer

KEYS = ("layers", "class", "quantize", *ROLES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """`layers` and `class_name` say which layers, `quantizers` what becomes of their tensors."""

    # Keys: both must hold.
    layers: re.Pattern  # must match the whole path of a layer, "outer/inner/lstm_1"
    class_name: str | None = None  # the layer's class; None: any

    # What: a Quantizer or "none" by role. Empty: the layer stays as it is ("quantize: none").
    quantizers: Mapping[str, Quantizer | str]

    number: int  # position in the map, from 1
    where: str  # how an error about the rule starts: "map.yaml:7: rule 2"

    def matches(self, leaf) -> bool:
        """Whether a `matching.Leaf` is one of the layers meant."""
        if self.class_name not in (None, leaf.class_name):
            return False
        return any(self.layers.fullmatch(path) for path in leaf.paths)

    def error(self, message: str) -> InputError:
        return InputError(f"{self.where}: {message}")


def parse_rule(
    raw: Any, number: int, named: Mapping[str, Quantizer], where: Callable[..., str]
) -> Rule:
    """A rule from its mapping.

    Args:
        raw: the mapping, unchecked.
        number: its position in the map, from 1.
        named: the map's own formats.
        where: gives the prefix of an error message for a key of the rule, or for the whole rule.

    Raises:
        InputError: saying where, what was received and what would be valid.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"{where()}: a rule must be a mapping, received {raw!r}")
    for key in raw:
        if key == "momentum":
            raise InputError(f"{where(key)}: momentum is not supported yet, leave it out")
        if key not in KEYS:
            raise InputError(f"{where(key)}: {formats.unknown('key', key, KEYS)}")
    roles = [key for key in raw if key in ROLES]
    _check_purpose(raw, roles, where)
    return Rule(
        layers=_pattern(raw, where),
        class_name=_class_name(raw, where),
        quantizers={role: parse_value(raw[role], role, named, where(role)) for role in roles},
        number=number,
        where=where(),
    )


def parse_value(value: Any, key: str, named: Mapping[str, Quantizer], where: str):
    """The quantizer that a name or a mapping stands for; "none" for none and null."""
    if value is None or value == "none":
        return "none"
    if isinstance(value, str) and value in named:
        return named[value]
    if isinstance(value, str) and value not in formats.NAMES:
        valid = [*named, "none", *formats.NAMES]
        raise InputError(f"{where}: {key}: {formats.unknown('format', value, valid)}")
    if not isinstance(value, (str, Mapping)):
        raise InputError(
            f"{where}: {key} must be the name of a format, a mapping or none, received {value!r}"
        )
    try:
        return quantizers.get(value)
    except InputError as error:
        raise InputError(f"{where}: {key}: {error}") from error


def _check_purpose(raw, roles, where):
    if "quantize" in raw:
        if raw["quantize"] not in (None, "none"):
            raise InputError(
                f"{where('quantize')}: quantize takes only none, received {raw['quantize']!r}; "
                f"to quantize, name the tensors: {', '.join(ROLES)}"
            )
        if roles:
            raise InputError(
                f"{where(roles[0])}: 'quantize: none' leaves no room for {', '.join(roles)}; "
                "remove one or the other"
            )
    elif not roles:
        raise InputError(
            f"{where()}: says nothing to do; write 'quantize: none' or one of {', '.join(ROLES)}"
        )


def _pattern(raw, where):
    example = 'a regular expression such as "block/.*"'
    if "layers" not in raw:
        raise InputError(f"{where()}: layers is missing: {example}")
    if not isinstance(raw["layers"], str):
        raise InputError(f"{where('layers')}: layers must be {example}, received {raw['layers']!r}")
    try:
        return re.compile(raw["layers"])
    except re.error as error:
        raise InputError(
            f"{where('layers')}: layers is not a regular expression: {error}, "
            f"received {raw['layers']!r}"
        ) from error


def _class_name(raw, where):
    name = raw.get("class")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{where('class')}: class must be a name such as LSTM, received {name!r}")
    return name
