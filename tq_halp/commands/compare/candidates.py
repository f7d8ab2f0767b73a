"""The candidates of a comparison: label, algorithm, own settings, and the grid to tune on."""

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tq_halp.config import Config
from tq_halp.config.sections import KEYS
from tq_halp.config.sections.composed_algorithm import is_registered
from tq_halp.config.unused_keys import idle
from tq_halp.errors import InputError
from tq_halp.settings_with_origins import suggestion

Value = bool | int | float | str
#: Keys of a grid with chosen values.
Tuned = tuple[tuple[str, Value], ...]
#: (label, key, value) of "label.key=value"; the label is None for a setting of all candidates.
Setting = tuple[str | None, str, Any]
SECTIONS = tuple(Config.model_fields)
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*")
#: Keys that have an option of their own.
_TAKEN = {"algorithm": "--algorithms", "algorithm.name": "--algorithms", "seed": "--seeds"}


@dataclass(frozen=True)
class Candidate:
    """An algorithm with its settings: one curve of the figure.

    Args:
        label: its name in tables and figures.
        algorithm: the value of `algorithm.name`, or "estimator+iterate" for a pair of parts.
        settings: "key=value" on top of the config, in order.
        grid: keys and the values to try for each; empty: nothing is tuned.
        beside: all algorithms that are compared; the config may hold keys of any of them.
    """

    label: str
    algorithm: str
    settings: tuple[str, ...] = ()
    grid: tuple[tuple[str, tuple[Value, ...]], ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def tries(self) -> int:
        """How many combinations of values are tried; 1 if nothing is tuned."""
        return math.prod(len(values) for _, values in self.grid)

    def choices(self) -> list[Tuned]:
        """The combinations of values of the grid; an empty one if nothing is tuned."""
        keys = [key for key, _ in self.grid]
        every = itertools.product(*(values for _, values in self.grid))
        return [tuple(zip(keys, values, strict=True)) for values in every]

    def overrides(self, tuned: Tuned = ()) -> list[str]:
        """The settings of a run on top of the config, as "key=value".

        Args:
            tuned: keys of the grid with chosen values.
        """
        chosen = [assignment(key, value) for key, value in tuned]
        return [*chosen_by([self.algorithm]), *self.settings, *chosen]


def chosen_by(algorithms: Sequence[str]) -> list[str]:
    """The settings, "key=value", that choose the last algorithm.

    The others are chosen before it, so that the config may hold keys of all of them. A pair of
    parts replaces what the config says of `algorithm`.
    """
    *before, last = algorithms
    named = [f"algorithm.name={name}" for name in before if "+" not in name]
    if "+" not in last:
        return [*named, f"algorithm.name={last}"]
    estimator, _, iterate = last.partition("+")
    parts = {"estimator": {"name": estimator}, "iterate": {"name": iterate}}
    return [*named, assignment("algorithm", parts)]


def assignment(key: str, value: Any) -> str:
    """ "key=value" as --set takes it: the value in JSON, which is YAML."""
    return f"{key}={json.dumps(value)}"


def parse(algorithms: str, sets: Sequence[str], grids: Sequence[str]) -> tuple[Candidate, ...]:
    """The candidates that the command line describes.

    Args:
        algorithms: "halp,lp_sgd" or, with labels, "halp8=halp,halp4=halp,lp_sgd". A pair of parts
            is "minibatch+bit_centered"; a user's own part goes by the name that Keras knows, with a
            label: "mine=package>Class+full_precision".
        sets: "key=value" for all candidates, "label.key=value" for one. A key that begins with no
            section of a config belongs to `algorithm`.
        grids: "key=value,value,..." in the same way; a grid for one label replaces that for all.

    Raises:
        InputError: a label, an algorithm or a key is unknown or repeated, or has an option of its
            own.
    """
    named = _labels(algorithms)
    parsed = [_addressed("--set", text, list(named)) for text in sets]
    tuned = [_addressed("--tune", text, list(named)) for text in grids]
    tuned = [(label, key, _values(key, text)) for label, key, text in tuned]
    beside = tuple(dict.fromkeys(named.values()))
    _check_use(parsed + tuned, beside)
    # A setting of one candidate comes after those of all, and so wins.
    parsed, tuned = (sorted(each, key=lambda item: item[0] is not None) for each in (parsed, tuned))
    found = []
    for label, algorithm in named.items():
        own = [(key, value) for whose, key, value in parsed if whose == label]
        settings, grid = (
            [
                (key, value)
                for whose, key, value in each
                if whose == label or whose is None and not _idle(algorithm, key, value, own)
            ]
            for each in (parsed, tuned)
        )
        texts = tuple(f"{key}={value}" for key, value in settings)
        found.append(Candidate(label, algorithm, texts, tuple(dict(grid).items()), beside))
    return tuple(found)


def check_tries(candidates: Sequence[Candidate]) -> None:
    """Checks that each candidate is tuned with the same number of tries.

    Raises:
        InputError: they have different numbers.
    """
    tries = {candidate.label: candidate.tries for candidate in candidates}
    if len(set(tries.values())) > 1:
        each = ", ".join(f"{label} {number}" for label, number in tries.items())
        raise InputError(
            f"--tune: the labels have different numbers of tries: {each}; give all as many values, "
            "or add --allow-unequal-tries"
        )


def check_no_epochs(candidates: Sequence[Candidate]) -> None:
    """Checks that no setting and no grid has a number of epochs, which a budget decides.

    Raises:
        InputError: one has.
    """
    for candidate in candidates:
        settings = {text.partition("=")[0] for text in candidate.settings}
        for option, keys in (("--set", settings), ("--tune", dict(candidate.grid))):
            for key in ("train", "train.epochs"):
                if key in keys:
                    raise InputError(
                        f"{option} {key}: does nothing for {candidate.label} beside --budget, "
                        "which decides the epochs; leave it out"
                    )


def concerning(algorithm: str, settings: Sequence[str]) -> list[str]:
    """The settings ("key=value") that have an effect for an algorithm."""
    split = (text.partition("=") for text in settings)
    return [f"{key}={value}" for key, _, value in split if not _idle(algorithm, key, value)]


def _check_use(addressed: Sequence[Setting], algorithms: Sequence[str]) -> None:
    """InputError for a setting of all candidates that has no effect for any of the algorithms."""
    for label, key, value in addressed:
        reasons = [_idle(algorithm, key, value) for algorithm in algorithms]
        if label is None and all(reasons):
            raise InputError(f"{key}: set for all labels, {reasons[0]}")


def _idle(algorithm: str, key: str, value: object, own: Sequence[tuple] = ()) -> str | None:
    """Why a setting has no effect for `algorithm` with its `own` settings; None if it has one."""
    section, _, name = key.partition(".")
    if section != "algorithm":
        return None
    given: dict[str, Any] = {}
    for path, text in [*_names_of(algorithm).items(), *_within_algorithm([(key, value), *own])]:
        place = given
        *outer, last = path.split(".")
        for each in outer:
            place = place.setdefault(each, {})
        place[last] = _plain(text)
    paths = idle({section: given})
    return paths.get((section, *name.split("."))) or paths.get((section, name.split(".")[0]))


def _within_algorithm(settings: Sequence[tuple]) -> list[tuple[str, Any]]:
    """Settings of `algorithm`, their keys without that word."""
    split = ((key.partition("."), value) for key, value in settings)
    return [(rest, value) for (section, _, rest), value in split if section == "algorithm"]


def _names_of(algorithm: str) -> dict[str, str]:
    """Key of `algorithm` -> name, for "halp" or for "estimator+iterate"."""
    estimator, plus, iterate = algorithm.partition("+")
    if not plus:
        return {"name": algorithm}
    return {"estimator.name": estimator, "iterate.name": iterate}


def _plain(text: object) -> object:
    """The value of YAML text."""
    try:
        return YAML(typ="safe", pure=True).load(text) if isinstance(text, str) else text
    except YAMLError:  # Loading the run's config reports it.
        return text


def shared(sets: Sequence[str], algorithms: str) -> list[str]:
    """The settings in `sets` that are for all candidates, as "key=value"."""
    parsed = [_addressed("--set", text, list(_labels(algorithms))) for text in sets]
    return [f"{key}={value}" for label, key, value in parsed if label is None]


def _labels(text: str) -> dict[str, str]:
    """Label -> algorithm, from the text of --algorithms."""
    found = {}
    for part in text.split(","):
        label, equals, algorithm = (piece.strip() for piece in part.partition("="))
        algorithm = algorithm if equals else label
        if not _LABEL.fullmatch(label):
            raise InputError(
                f"--algorithms {text}: {label!r} is no label; expected a letter, then letters, "
                "digits, _, + or -"
            )
        if label in SECTIONS:
            raise InputError(f"--algorithms {text}: the label {label!r} is a section of configs")
        for key, name in _names_of(algorithm).items():
            known = tuple(KEYS[".".join(["algorithm", *key.split(".")[:-1]])])
            if name not in known and not ("." in key and is_registered(name)):
                what = key.partition(".")[0] if "." in key else "algorithm"
                raise InputError(
                    f"--algorithms {text}: no {what} {name!r}{suggestion(name, known)}"
                )
        if label in found:
            raise InputError(
                f"--algorithms {text}: {label!r} appears twice; give labels, e.g. "
                f"{algorithm}8={algorithm},{algorithm}4={algorithm}"
            )
        found[label] = algorithm
    return found


def _addressed(option: str, text: str, labels: Sequence[str]) -> Setting:
    """(label or None, key, value) of "label.key=value"."""
    name, equals, value = text.partition("=")
    path = [part.strip() for part in name.split(".")]
    label = path.pop(0) if path[0] in labels else None
    if not equals or not path or not all(path):
        raise InputError(
            f"{option} {text}: expected key=value or label.key=value, e.g. train.epochs=3"
        )
    if path[0] not in SECTIONS:
        if label is None:
            known = [*SECTIONS, *labels]
            raise InputError(
                f"{option} {text}: {path[0]!r} is neither a section of the config nor a label"
                f"{suggestion(path[0], known)}"
            )
        path.insert(0, "algorithm")
    key = ".".join(path)
    if key in _TAKEN:
        raise InputError(f"{option} {text}: {key} is chosen by {_TAKEN[key]}")
    return label, key, value.strip()


def _values(key: str, text: str) -> tuple[Value, ...]:
    """The values of --tune."""
    try:
        values = YAML(typ="safe", pure=True).load(f"[{text}]")
    except YAMLError as error:
        raise InputError(f"--tune {key}={text}: the values are not YAML") from error
    plain = all(isinstance(value, (bool, int, float, str)) for value in values)
    if not plain or len(values) < 2 or len(set(values)) < len(values):
        raise InputError(
            f"--tune {key}={text}: expected two or more different numbers or words, e.g. "
            f"{key}=0.1,0.2"
        )
    return tuple(values)
