"""The sections of a config: a class for each `name`, with the keys that do something there."""

from tq_halp.config.section import Named
from tq_halp.config.sections.algorithm import ALGORITHMS, Algorithm
from tq_halp.config.sections.composed_algorithm import ESTIMATORS, ITERATES
from tq_halp.config.sections.data import DATA, Data
from tq_halp.config.sections.model import MODELS, Model
from tq_halp.config.sections.optimizer import Optimizer
from tq_halp.config.sections.train import Train

#: Where a mapping has a `name` -> the classes by their names.
NAMED: dict[str, dict[str, type[Named]]] = {
    "data": DATA,
    "model": MODELS,
    "algorithm": ALGORITHMS,
    "algorithm.estimator": ESTIMATORS,
    "algorithm.iterate": ITERATES,
}


def _further_keys(kind: type[Named]) -> tuple[str, ...]:
    return tuple(key for key in kind.model_fields if key != "name")


#: The same, with the keys of each class, `name` apart.
KEYS: dict[str, dict[str, tuple[str, ...]]] = {
    place: {name: _further_keys(kind) for name, kind in kinds.items()}
    for place, kinds in NAMED.items()
}

__all__ = ["KEYS", "NAMED", "Algorithm", "Data", "Model", "Optimizer", "Train"]
