"""Schedules that last as long as the training: `decay_steps: all` in a config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tq_halp.commands.running.optimizer_arguments import ALL
from tq_halp.config import Config, Schedule
from tq_halp.config.section import Section
from tq_halp.errors import InputError

#: Where a config may have a schedule.
_PLACES = (
    ("optimizer", "learning_rate"),
    ("algorithm", "coefficient"),
    ("algorithm", "estimator", "coefficient"),
)
#: Arguments that do something only once `decay_steps` are over.
_AFTER_THE_END = ("cycle", "staircase")


def decay_steps(config: Config, steps: int) -> dict[str, int]:
    """Full key -> number of steps, of each `decay_steps: all` of a config.

    It is `steps`. Keras' CosineDecay counts `warmup_steps` apart, so there it is `steps` without
    these, and the whole schedule ends with the training.

    Args:
        steps: of the whole training, epochs times minibatches of an epoch.

    Raises:
        InputError: nothing is left after the warm-up, or another argument does nothing beside it.
    """
    found = _lasting_as_long(config)
    return {
        ".".join((*path, "config", "decay_steps")): _rest(config, path, steps) for path in found
    }


def with_decay_steps(config: Config, steps: int) -> Config:
    """`config` with the number of steps in place of each `decay_steps: all`.

    Args, Raises: as `decay_steps`.
    """
    for path in _lasting_as_long(config):
        schedule = _at(config, path)
        arguments = {**schedule.config, "decay_steps": _rest(config, path, steps)}
        config = _replaced(config, path, schedule.model_copy(update={"config": arguments}))
    return config


def _lasting_as_long(config: Config) -> Iterator[tuple[str, ...]]:
    """The places of the schedules with `decay_steps: all`."""
    for path in _PLACES:
        found = _at(config, path)
        if isinstance(found, Schedule) and found.config.get("decay_steps") == ALL:
            yield path


def _rest(config: Config, path: tuple[str, ...], steps: int) -> int:
    """The steps of the training after the warm-up of the schedule at `path`."""
    schedule = _at(config, path)
    for name in _AFTER_THE_END:
        if schedule.config.get(name):
            raise InputError(
                f"{config.subject(*path, 'config', name)} must be false beside decay_steps: all, "
                f"which end with the training. Received: {schedule.config[name]!r}"
            )
    warmup = _warmup_steps(schedule.class_name, schedule.config)
    if warmup >= steps:
        raise InputError(
            f"{config.subject(*path, 'config', 'warmup_steps')} must be below {steps}, the steps "
            f"of the whole training, beside decay_steps: all. Received: {warmup}"
        )
    return steps - warmup


def _warmup_steps(class_name: str, arguments: Mapping[str, Any]) -> int:
    """Those that a schedule counts apart; whether they are a number is checked with the others."""
    found = arguments.get("warmup_steps") if class_name == "CosineDecay" else None
    return found if isinstance(found, int) else 0


def _at(config: Config, path: Sequence[str]) -> Any:
    found: Any = config
    for key in path:
        found = getattr(found, key, None)
    return found


def _replaced(section: Any, path: Sequence[str], value: Schedule) -> Any:
    """A copy of a section with another value at `path`."""
    head, *rest = path
    inner: Section = _replaced(getattr(section, head), rest, value) if rest else value
    return section.model_copy(update={head: inner})
