"""The JSON schema of a map's file, derived from the formats and the rules."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quant_ops import format_facts
from tq_halp import formats
from tq_halp.quantization_map.rules.bits_schedule import FROM, ROLES_WITH_SCHEDULE
from tq_halp.quantization_map.rules.parse_format import DEFAULTS
from tq_halp.quantization_map.rules.rule import TENSORS
from tq_halp.quantizers import accumulator
from tq_halp.quantizers.format_options import options_of
from tq_halp.quantizers.scheduled_quantizer import UNITS

Schema = dict[str, Any]

_JSON = {int: "integer", float: "number", bool: "boolean", str: "string", types.NoneType: "null"}
_VALUE, _FORMAT = {"$ref": "#/$defs/value"}, {"$ref": "#/$defs/format"}
_COUNT = {"type": "integer", "minimum": 0}


def json_schema() -> dict[str, Any]:
    """The schema, draft 2020-12, of keys, types and valid values."""
    tensors = dict.fromkeys(TENSORS, _VALUE) | {"accumulator": {"$ref": "#/$defs/accumulator"}}
    start = {**_object(dict.fromkeys(FROM, _COUNT)), "minProperties": 1, "maxProperties": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tq_halp quantization map",
        **_object(
            {
                "version": {"const": 1},
                "defaults": _object(_own_keys(DEFAULTS)),
                "formats": {"type": ["object", "null"], "additionalProperties": _FORMAT},
                "rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/rule"}},
            },
            required=["version", "rules"],
        ),
        "$defs": {
            "rule": {
                **_object(
                    {
                        "layers": {"type": "string", "format": "regex"},
                        "class": {"type": ["string", "null"]},
                        "quantize": {"enum": ["none", None]},
                        "optional": {"type": "boolean"},
                        "schedule": {"$ref": "#/$defs/schedule"},
                        **tensors,
                    },
                    required=["layers"],
                ),
                "minProperties": 2,
            },
            "schedule": {
                "oneOf": [
                    start,
                    {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/change"}},
                ]
            },
            "change": {
                **_object(
                    {**dict.fromkeys(UNITS, _COUNT), **dict.fromkeys(ROLES_WITH_SCHEDULE, _VALUE)}
                ),
                "oneOf": [{"required": [unit]} for unit in UNITS],
            },
            # A string may also be the name of one of the map's own formats.
            "value": {"anyOf": [{"type": ["string", "null"]}, _FORMAT]},
            "accumulator": {"anyOf": [{"type": ["string", "null"]}, *_accumulators()]},
            "format": {
                "anyOf": [
                    {"enum": list(formats.NAMED)},
                    *(_family(family) for family in formats.FAMILIES.values()),
                    *(_named(name, format) for name, format in formats.NAMED.items()),
                ]
            },
        },
    }


def _family(family: type[formats.Format]) -> Schema:
    fields = dataclasses.fields(family)
    required = [field.name for field in fields if field.default is dataclasses.MISSING]
    example = formats.get(_example(family))
    own = _own_keys(vars(options_of(example)))
    if isinstance(example, formats.Minifloat):
        own["overflow"] = {"enum": [*format_facts.FLOAT_OVERFLOWS]}
    properties = {"format": {"const": family.name}, **_fields(family, fields), **own}
    return _object(properties, required=["format", *required])


def _named(name: str, format: formats.Format) -> Schema:
    family = type(format)
    fields = [f for f in dataclasses.fields(family) if f.name in family.open_fields]
    own = _own_keys(vars(options_of(format)))
    return _object({"format": {"const": name}, **_fields(family, fields), **own}, ["format"])


def _accumulators() -> list[Schema]:
    """The schemas of accumulators: a format, and `every`."""
    kinds = [_family(family) for family in accumulator.FORMATS]
    kinds += [_named(n, f) for n, f in formats.NAMED.items() if isinstance(f, accumulator.FORMATS)]
    for kind in kinds:
        kind["properties"] |= {"every": {"type": "integer", "minimum": 1}}
        kind["properties"]["gradient"] = {"enum": ["straight_through"]}
    return kinds


def _fields(family: type[formats.Format], fields: Iterable[dataclasses.Field]) -> dict[str, Schema]:
    hints = typing.get_type_hints(family)
    return {field.name: _type(hints[field.name]) for field in fields}


def _type(hint: Any) -> Schema:
    """The schema of a type: int, float, bool, str, or an optional one of these."""
    kinds = typing.get_args(hint) or (hint,)
    names = [_JSON[kind] for kind in kinds]
    return {"type": names[0] if len(names) == 1 else names}


def _own_keys(choices: Mapping[str, Any]) -> dict[str, Schema]:
    """The schemas of a quantizer's keys, other than its format's, with their valid values."""
    properties = {key: {"enum": [*valid]} for key, valid in choices.items() if valid}
    return {**properties, "seed": {"type": "integer"}}


def _example(family: type[formats.Format]) -> dict[str, Any]:
    """A mapping for the family: its name, and 4 for each required field."""
    needed = [f.name for f in dataclasses.fields(family) if f.default is dataclasses.MISSING]
    return {"format": family.name, **dict.fromkeys(needed, 4)}


def _object(properties: Mapping[str, Schema], required: Sequence[str] = ()) -> Schema:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema
