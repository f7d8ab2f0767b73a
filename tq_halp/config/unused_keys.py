"""Which keys do nothing beside the others, and why: what a section's `name` takes, in one table.

The schema, the objects that are built, the resolved config and the messages all ask here, so that a
key is either passed on or refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tq_halp import formats
from tq_halp.errors import InputError

_SNAPSHOTS = ("snapshot_every", "snapshot_fraction", "iterate")
_CORRECTION = ("coefficient", "start_after", "draws", "variance_ratio")
_GRID = ("word_bits", "frac_bits", "format", "rounding")
_OFFSETS = ("word_bits", "format", "mu", "scale", "rounding")
_SEARCHED = ("dir", "limit", "validation_limit")
_LANGUAGE = (*_SEARCHED, "sequence_length", "vocabulary_size")

#: Section -> name -> the further keys that do something there.
KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    "data": {
        "ptb": _LANGUAGE,
        "tiny_shakespeare": _LANGUAGE,
        "python_docs": tuple(key for key in _LANGUAGE if key != "dir"),
        "linear_regression": ("limit", "samples", "features", "noise", "seed"),
        "mnist": _SEARCHED,
        "cifar10": _SEARCHED,
        "libsvm": (*_SEARCHED, "file", "test_file", "task"),
        "arrays": ("limit", "validation_limit", "file", "sha256"),
    },
    "model": {
        "lstm_language_model": (
            *("embedding", "units", "layers", "dropout", "initial_range", "dtype"),
        ),
        "linear": ("dtype",),
        "linear_classifier": ("weight_decay", "dtype"),
        "resnet": ("blocks", "weight_decay", "augment", "dtype"),
        "file": ("file", "sha256", "imports", "weights"),
    },
    "algorithm": {
        "halp": (*_OFFSETS, *_SNAPSHOTS, *_CORRECTION),
        "svrg": (*_SNAPSHOTS, *_CORRECTION),
        "lp_svrg": (*_GRID, *_SNAPSHOTS, *_CORRECTION),
        "lp_sgd": _GRID,
        "sgd": (),
        "swalp": (*_GRID, "average_after", "average_every"),
        "bc_sgd": (*_OFFSETS, *_SNAPSHOTS),
    },
}


def idle(values: Mapping[str, Any]) -> dict[tuple[str, ...], str]:
    """The keys of a config that do nothing beside the others, as paths, each with the reason.

    Args:
        values: the sections, from a file, as they were written, or from the schema, complete; what
            else may be wrong with them is no matter here.
    """
    sections = {k: v for k, v in values.items() if isinstance(v, Mapping)}
    found = {}
    for section in sections:
        found |= {(section, key): why for key, why in _of_another_name(section, sections[section])}
    for section, rules in _RULES.items():
        for path, why in rules(sections.get(section, {}), sections):
            found.setdefault((section, *path), why)
    return {path: why for path, why in found.items() if _is_there(values, path)}


def _of_another_name(section: str, given: Mapping) -> Iterator[tuple[str, str]]:
    names, name = KEYS.get(section, {}), given.get("name")
    if not isinstance(name, str) or name not in names:
        return
    for key in given:
        users = [other for other, keys in names.items() if key in keys]
        if users and name not in users:
            further = ", ".join(names[name]) or "none"
            yield (
                key,
                f"which does nothing under {section}.name={name}; it is for {_listed(users)}; "
                f"further keys of {name}: {further}",
            )


def _of_algorithm(given, _sections):
    if given.get("format") is not None:
        for key in ("word_bits", "frac_bits"):
            yield (key,), "which does nothing beside algorithm.format; leave one of them out"
        if given.get("name") in ("halp", "bc_sgd") and _fits_itself(given["format"]):
            for key in ("mu", "scale"):
                yield (
                    (key,),
                    "which does nothing with an algorithm.format that fits itself to its data; "
                    "leave it out",
                )
    if _is_zero(given.get("coefficient")):
        plain = given.get("name") in ("svrg", "lp_svrg")
        for key in ("draws", "variance_ratio", *((*_SNAPSHOTS, "start_after") if plain else ())):
            yield (key,), "which does nothing with algorithm.coefficient 0; leave it out"
    yield from _of_schedule(given, "coefficient", "algorithm")


def _of_optimizer(given, _sections):
    if given.get("nesterov") is True and not given.get("momentum"):
        yield ("nesterov",), "which does nothing without optimizer.momentum; set one above 0"
    if given.get("use_ema") is not True:
        for key in ("ema_momentum", "ema_overwrite_frequency"):
            yield (key,), "which does nothing without optimizer.use_ema: true"
    yield from _of_schedule(given, "learning_rate", "optimizer")


def _of_schedule(given, key, section):
    schedule = given.get(key)
    if not isinstance(schedule, Mapping) or schedule.get("class_name") != "CosineDecay":
        return
    config = schedule.get("config")
    if not isinstance(config, Mapping):
        return
    where = f"{section}.{key}.config"
    if config.get("warmup_target") is None:
        yield (key, "config", "warmup_steps"), f"which does nothing without {where}.warmup_target"
    elif not config.get("warmup_steps"):
        yield (key, "config", "warmup_target"), f"which needs {where}.warmup_steps above 0"


def _of_train(given, sections):
    name = sections.get("model", {}).get("name")
    if name in KEYS["model"] and name != "file" and given.get("loss") is not None:
        yield ("loss",), f"but {name} has a loss of its own; leave it out"


_RULES = {"algorithm": _of_algorithm, "optimizer": _of_optimizer, "train": _of_train}


def _fits_itself(value) -> bool:
    """Whether a format has no largest number: it scales each block of a tensor by itself."""
    try:
        format = formats.get(value)
    except InputError:
        return False
    return not (format.elementwise and hasattr(format, "max"))


def _is_zero(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0


def _is_there(values, path) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _listed(names) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def without(values: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """`values`, nested mappings, without what is at the paths; a copy as far as these go."""
    left = dict(values)
    for head, *rest in paths:
        if not rest:
            left.pop(head, None)
        elif isinstance(left.get(head), Mapping):
            left[head] = without(left[head], [tuple(rest)])
    return left
