"""Check that the weights in a file are those of a model: the same names and shapes."""

from collections.abc import Mapping
from pathlib import Path

from tq_halp.errors import InputError


def check_same(wanted: Mapping[str, tuple], found: Mapping[str, tuple], path: str | Path) -> None:
    """Checks that a file holds exactly the weights of a model.

    Args:
        wanted: {name: shape} of the model's weights.
        found: {name: shape} of those in the file.
        path: the file, for the message.

    Raises:
        InputError: a weight is missing, is not in the model, or has another shape.
    """
    problems = [f"{name} is missing" for name in wanted if name not in found]
    problems += [f"{name} is not in the model" for name in found if name not in wanted]
    problems += [
        f"{name} is {found[name]}, the model's is {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    if problems:
        more = f"; and {len(problems) - 12} more" if len(problems) > 12 else ""
        raise InputError(f"{path}: does not fit the model: {'; '.join(problems[:12])}{more}")
