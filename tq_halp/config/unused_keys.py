"""Which keys do nothing beside the others, and why.

The objects that are built, the resolved config and the messages all ask here, so that a key is
either passed on or refused. Which keys a `name` has, the classes of the sections say.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tq_halp import formats
from tq_halp.config.sections import KEYS
from tq_halp.config.sections.algorithm import PARTS, parts_in
from tq_halp.config.sections.algorithm_keys import Snapshots
from tq_halp.config.sections.composed_algorithm import is_registered
from tq_halp.errors import InputError

KeyPath = tuple[str, ...]
Reasons = Iterator[tuple[KeyPath, str]]
_SNAPSHOTS = tuple(key for key in Snapshots.model_fields if key != "name")
_PARTS = tuple(f"algorithm.{part}" for part in PARTS)
# What is kept at full precision, and so has no use for a center where nothing is corrected.
_WITHOUT_CENTER = ("svrg", "lp_svrg")


def idle(values: Mapping[str, Any]) -> dict[KeyPath, str]:
    """The keys of a config that do nothing beside the others, as paths, each with the reason.

    Args:
        values: the sections, from a file, as they were written, or from the schema, complete; what
            else may be wrong with them is no matter here.
    """
    sections = {k: v for k, v in values.items() if isinstance(v, Mapping)}
    found: dict[KeyPath, str] = {}
    for key, why in _of_the_other_form(sections.get("algorithm", {})):
        found["algorithm", key] = why
    for place in KEYS:
        path = tuple(place.split("."))
        for key, why in _of_another_name(place, _mapping_at(sections, path)):
            found.setdefault((*path, key), why)
    for section, rules in _RULES.items():
        for path, why in rules(sections.get(section, {}), sections):
            found.setdefault((section, *path), why)
    return {path: why for path, why in found.items() if _is_there(values, path)}


def _of_another_name(place: str, given: Mapping) -> Iterator[tuple[str, str]]:
    names, name = KEYS[place], given.get("name")
    if not isinstance(name, str) or name not in names:
        return
    for key in given:
        users = [other for other, keys in names.items() if key in keys]
        if not users and place in _PARTS and key not in ("name", *names[name]):
            users = _homes(key)
        if users and name not in users:
            further = ", ".join(names[name]) or "none"
            yield (
                key,
                f"which does nothing under {place}.name={name}; it is for {_listed(users)}; "
                f"further keys of {name}: {further}",
            )


def _homes(key: str) -> list[str]:
    """What in a pairing has a key: "algorithm.iterate.name=averaged"."""
    return [
        f"{place}.name={n}" for place in _PARTS for n, keys in KEYS[place].items() if key in keys
    ]


def _of_the_other_form(given: Mapping) -> Iterator[tuple[str, str]]:
    """An algorithm is a name, or an estimator and an iterate."""
    parts = parts_in(given)
    if given.get("name") is not None:
        for key in (*parts, "imports"):
            yield (
                key,
                "which does nothing beside algorithm.name; give either a name, or an estimator "
                "and an iterate",
            )
    elif parts:
        for key in [key for key in given if key not in PARTS and _homes(key)]:
            yield (
                key,
                f"which does nothing beside algorithm.{parts[0]}; it is for {_listed(_homes(key))}",
            )


def _of_algorithm(given: Mapping, _sections: Mapping) -> Reasons:
    name = given.get("name")
    if name is not None:
        yield from _of_format(given, "algorithm", name in ("halp", "bc_sgd", "bc_saga"))
        if name == "bc_sgd" and given.get("mu") == "displacement":
            yield (
                ("snapshot_fraction",),
                "which does nothing with algorithm.mu=displacement; leave it out",
            )
        yield from _of_coefficient(given, "algorithm", name in _WITHOUT_CENTER)
    elif parts_in(given):
        yield from _of_parts(*(_mapping_at(given, (part,)) for part in PARTS))


def _of_parts(estimator: Mapping, iterate: Mapping) -> Reasons:
    is_centered = iterate.get("name") == "bit_centered"
    for path, why in _of_format(iterate, "algorithm.iterate", is_centered):
        yield ("iterate", *path), why
    for path, why in _of_coefficient(estimator, "algorithm.estimator", not is_centered):
        yield ("estimator", *path), why
    if is_centered and estimator.get("name") == "variance_reduced":
        for key in _SNAPSHOTS:
            yield (
                ("iterate", key),
                "which does nothing beside algorithm.estimator.name=variance_reduced, whose "
                f"snapshots are the centers; set algorithm.estimator.{key}",
            )
    if not any(is_registered(part.get("name")) for part in (estimator, iterate)):
        yield (
            ("imports",),
            "which does nothing without a class of one's own, whose name is package>Class",
        )


def _of_format(given: Mapping, where: str, is_centered: bool) -> Reasons:
    if given.get("format") is None:
        return
    for key in ("word_bits", "frac_bits"):
        yield (key,), f"which does nothing beside {where}.format; leave one of them out"
    if is_centered and _fits_itself(given["format"]):
        for key in ("mu", "scale"):
            yield (
                (key,),
                f"which does nothing with an {where}.format that fits itself to its data; "
                "leave it out",
            )


def _of_coefficient(given: Mapping, where: str, is_useless_without: bool) -> Reasons:
    if _is_zero(given.get("coefficient")):
        more = (*_SNAPSHOTS, "start_after") if is_useless_without else ()
        for key in ("draws", "variance_ratio", *more):
            yield (key,), f"which does nothing with {where}.coefficient 0; leave it out"
    yield from _of_schedule(given, "coefficient", where)


def _of_optimizer(given: Mapping, _sections: Mapping) -> Reasons:
    if given.get("nesterov") is True and not given.get("momentum"):
        yield ("nesterov",), "which does nothing without optimizer.momentum; set one above 0"
    if given.get("use_ema") is not True:
        for key in ("ema_momentum", "ema_overwrite_frequency"):
            yield (key,), "which does nothing without optimizer.use_ema: true"
    yield from _of_schedule(given, "learning_rate", "optimizer")


def _of_schedule(given: Mapping, key: str, where: str) -> Reasons:
    schedule = given.get(key)
    if not isinstance(schedule, Mapping) or schedule.get("class_name") != "CosineDecay":
        return
    config = schedule.get("config")
    if not isinstance(config, Mapping):
        return
    where = f"{where}.{key}.config"
    if config.get("warmup_target") is None:
        yield (key, "config", "warmup_steps"), f"which does nothing without {where}.warmup_target"
    elif not config.get("warmup_steps"):
        yield (key, "config", "warmup_target"), f"which needs {where}.warmup_steps above 0"


def _of_train(given: Mapping, sections: Mapping) -> Reasons:
    name = sections.get("model", {}).get("name")
    if name in KEYS["model"] and name != "file" and given.get("loss") is not None:
        yield ("loss",), f"but {name} has a loss of its own; leave it out"


_RULES = {"algorithm": _of_algorithm, "optimizer": _of_optimizer, "train": _of_train}


def _fits_itself(value: Any) -> bool:
    """Whether a format has no largest number: it scales each block of a tensor by itself."""
    try:
        format = formats.get(value)
    except InputError:
        return False
    return not (format.elementwise and hasattr(format, "max"))


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0


def _mapping_at(values: Any, path: KeyPath) -> Mapping:
    for part in path:
        values = values.get(part)
        if not isinstance(values, Mapping):
            return {}
    return values


def _is_there(values: Mapping, path: KeyPath) -> bool:
    return path[-1] in _mapping_at(values, path[:-1])


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def without(values: Mapping[str, Any], paths: Iterable[KeyPath]) -> dict[str, Any]:
    """`values`, nested mappings, without what is at the paths; a copy as far as these go."""
    left = dict(values)
    for head, *rest in paths:
        if not rest:
            left.pop(head, None)
        elif isinstance(left.get(head), Mapping):
            left[head] = without(left[head], [tuple(rest)])
    return left
