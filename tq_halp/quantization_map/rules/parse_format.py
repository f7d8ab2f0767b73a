"""The values of a map that stand for formats: names, mappings and none; and the defaults."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from quant_ops import format_facts
from tq_halp import formats, quantizers
from tq_halp.errors import InputError
from tq_halp.quantizers import Accumulator, Quantizer
from tq_halp.quantizers.format_options import options_of

#: Key of `defaults` -> its valid values; None: those of `Quantizer`.
DEFAULTS: dict[str, tuple[str, ...] | None] = {
    "rounding": format_facts.ROUNDINGS,
    "overflow": format_facts.OVERFLOWS,
    "gradient": format_facts.GRADIENTS,
    "seed": None,
}


@dataclasses.dataclass(frozen=True)
class ValueParser:
    """Parses values of a map, with its own named formats and its defaults.

    A default applies to every format that can have the key and does not set it. So `rounding:
    stochastic` does not apply to `ternary`, nor to a format with its own `rounding`.
    """

    named: Mapping[str, Quantizer]
    defaults: Mapping[str, Any]

    def parse(self, value: Any, key: str, where: str) -> Quantizer | Accumulator | str:
        """The quantizer of a name or a mapping; "none" for none and null.

        For the key `accumulator`, an `Accumulator`.

        Raises:
            InputError: the value is wrong. The message is "where: key: ...".
        """
        if value is None or value == "none":
            return "none"
        if isinstance(value, str) and value in self.named and key != "accumulator":
            return self.named[value]
        if isinstance(value, str) and value not in (*self.named, *formats.NAMES):
            valid = [*self.named, "none", *formats.NAMES]
            raise InputError(f"{where}: {key}: {formats.unknown('format', value, valid)}")
        if not isinstance(value, (str, Mapping)):
            raise InputError(
                f"{where}: {key} must be the name of a format, a mapping or none. Received: "
                f"{value!r}"
            )
        try:
            return self.accumulator(value) if key == "accumulator" else self.quantizer(value)
        except InputError as error:
            raise InputError(f"{where}: {key}: {error}") from error

    def accumulator(self, value: str | Mapping[str, Any]) -> Accumulator:
        """The accumulator of a name or a mapping, with the defaults except for `gradient`.

        Raises:
            InputError: the value is wrong.
        """
        if isinstance(value, str) and value in self.named:
            return Accumulator(self.named[value])
        said = {"format": value} if isinstance(value, str) else dict(value)
        every: Any = said.pop("every", 1)
        return Accumulator(self.quantizer({"gradient": "straight_through", **said}), every)

    def quantizer(self, value: str | Mapping[str, Any]) -> Quantizer:
        """The quantizer of a name or a mapping, with the defaults that apply.

        Raises:
            InputError: the value is wrong.
        """
        quantizer = quantizers.get(value)
        if not isinstance(quantizer, Quantizer):
            raise InputError(f"a format must be a name or a mapping of one. Received: {value!r}")
        said = value if isinstance(value, Mapping) else ()
        valid = vars(options_of(quantizer.format))
        changes = {
            key: default
            for key, default in self.defaults.items()
            if key not in said and (key not in valid or default in valid[key])
        }
        if quantizer.rounding is None:
            changes.pop("seed", None)  # nothing random
        return dataclasses.replace(quantizer, **changes)


def parse_defaults(raw: Any, place: Callable[..., str]) -> dict[str, Any]:
    """The map's `defaults`, checked. `place` returns the prefix of an error for a path of keys.

    Raises:
        InputError: not a mapping, an unknown key, or a value that no format can have.
    """
    if not isinstance(raw, Mapping):
        raise InputError(f"{place('defaults')}: defaults must be a mapping. Received: {raw!r}")
    for key, value in raw.items():
        where = place("defaults", key)
        if key not in DEFAULTS:
            raise InputError(f"{where}: defaults: {formats.unknown('key', key, DEFAULTS)}")
        valid = DEFAULTS[key]
        if valid and value not in valid:
            raise InputError(f"{where}: defaults: {formats.unknown(key, value, valid)}")
        try:
            Quantizer("float32", **({key: value} if key == "seed" else {}))
        except InputError as error:
            raise InputError(f"{where}: defaults: {error}") from error
    return dict(raw)
