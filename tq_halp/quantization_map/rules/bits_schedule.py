"""The key `schedule` of a rule: when it starts to quantize, and how it changes during training.

    schedule: {from_epoch: 2}                   # the rule applies from epoch 2 on
    schedule: [{epoch: 5, weights: w8}, {epoch: 9, weights: w4, activations: a8}]

Epochs and steps count from 0. Before `from_epoch` the tensors are in floating point. Each entry of
a list changes the tensors that it names from its start on. Before that, the rule itself applies.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError
from tq_halp.layers.quantized_layer_mixin import ROLES
from tq_halp.quantization_map.rules.parse_format import ValueParser
from tq_halp.quantizers import AnyQuantizer, ScheduledQuantizer
from tq_halp.quantizers.scheduled_quantizer import UNITS

FROM = tuple(f"from_{unit}" for unit in UNITS)
# An accumulator is part of a compiled kernel, and an optimizer has no training clock.
FIXED = ("accumulator", "momentum")
ROLES_WITH_SCHEDULE = tuple(role for role in ROLES if role not in FIXED)


def schedule(
    raw: Any, base: Mapping[str, AnyQuantizer | str], values: ValueParser, where: Callable[..., str]
) -> dict[str, AnyQuantizer | str]:
    """The quantizers of a rule with a schedule, by role: also scheduled ones, and "none".

    Args:
        raw: the value of `schedule`, unchecked.
        base: the quantizers of the rule itself, by role.
        values: parses formats.
        where: returns the prefix of an error for a path of keys in the rule.

    Raises:
        InputError: the schedule is wrong. The message has the place, the value received and the
            valid ones.
    """
    if isinstance(raw, Mapping):
        unit, start = _from(raw, where)
        for role in base:
            if role in FIXED:
                raise InputError(
                    f"{where(role)}: {role} cannot have a schedule, give it a rule of its own"
                )
        return {role: _staged(unit, [(start, value)]) for role, value in base.items()}
    if not isinstance(raw, (list, tuple)) or not raw:
        raise InputError(
            f"{where('schedule')}: schedule must be {{from_epoch: 2}}, {{from_step: 1000}} or a "
            f"list such as [{{epoch: 5, weights: w8}}]. Received: {raw!r}"
        )
    unit, entries = _entries(raw, values, where)
    roles = dict.fromkeys([*base, *(role for _, changes in entries for role in changes)])
    timelines = {
        role: [
            (0, base.get(role, "none")),
            *((start, changes[role]) for start, changes in entries if role in changes),
        ]
        for role in roles
    }
    return {
        role: base[role] if len(timeline) == 1 else _staged(unit, timeline)
        for role, timeline in timelines.items()
    }


def _from(raw: Any, where: Callable[..., str]) -> tuple[str, int]:
    if len(raw) != 1 or next(iter(raw)) not in FROM:
        raise InputError(
            f"{where('schedule')}: schedule must have one of {', '.join(FROM)}. Received: "
            f"{dict(raw)!r}"
        )
    ((key, start),) = raw.items()
    return key.removeprefix("from_"), _start(key, start, where("schedule", key))


def _start(key: str, start: Any, where: str) -> int:
    if isinstance(start, bool) or not isinstance(start, int) or not 0 <= start < 2**63:
        raise InputError(
            f"{where}: {key} must be a whole number, 0 or greater. Received: {start!r}"
        )
    return start


def _entries(
    raw: Any, values: ValueParser, where: Callable[..., str]
) -> tuple[str, list[tuple[int, dict[str, Any]]]]:
    units: list[str] = []
    entries: list[tuple[int, dict[str, Any]]] = []
    for index, entry in enumerate(raw):
        place = where("schedule", index)
        if not isinstance(entry, Mapping):
            raise InputError(f"{place}: an entry must be a mapping. Received: {entry!r}")
        valid = (*UNITS, *ROLES_WITH_SCHEDULE)
        for key in entry:
            if key not in valid:
                raise InputError(
                    f"{where('schedule', index, key)}: {formats.unknown('key', key, valid)}"
                )
        found = [unit for unit in UNITS if unit in entry]
        if len(found) != 1 or len(entry) < 2 or (units and units[-1] != found[0]):
            raise InputError(
                f"{place}: an entry must have epoch or step, the same in each, and a tensor that "
                f"changes then. Received: {dict(entry)!r}"
            )
        units += found
        start = _start(found[0], entry[found[0]], place)
        if entries and entries[-1][0] >= start:
            raise InputError(
                f"{place}: {found[0]} must be greater than the entry's before, {entries[-1][0]}. "
                f"Received: {start}"
            )
        changes = {
            role: values.parse(value, role, where("schedule", index, role))
            for role, value in entry.items()
            if role not in UNITS
        }
        entries.append((start, changes))
    return units[0], entries


def _staged(unit: str, timeline: Sequence[tuple[int, Any]]) -> AnyQuantizer | str:
    """One quantizer from [(start, quantizer or "none"), ...]; of equal starts the last counts."""
    stages = {0: None, **{start: None if q == "none" else q for start, q in timeline}}
    if len(stages) == 1:
        return stages[0] or "none"
    return ScheduledQuantizer(unit, tuple(stages.items()))
