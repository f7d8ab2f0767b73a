"""The state of a trainer: created from what its parts declare, saved and loaded by name.

What is created is ``step_count``, ``sample_count`` and the variables that ``Part.state`` declares,
in that order. A file holds each under its name; those of a list are numbered.
"""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from tq_halp.algorithms.part import Part, Zeros
from tq_halp.errors import InputError


class States:
    """The variables and the plain numbers that decide how training goes on.

    Attributes:
        by_name: {name: variable}, in the order of creation; empty before the model is built.
        parts: the trainer's, and those whose state theirs holds.
        weights: ids of the trainable weights of which copies are kept, in order; None if of none.
    """

    def __init__(self, trainer: keras.Model):
        self._trainer = trainer
        self.by_name: dict[str, keras.Variable] = {}
        self.weights: list[int] | None = None
        self.parts: list[Part] = list(trainer.parts)

    def create(self) -> None:
        """Creates what the parts declare, once, and gives each part its own as attributes."""
        if self.by_name:
            return
        trainer = self._trainer
        trainer.step_count = self._new("step_count", Zeros())
        trainer.sample_count = self._new("sample_count", Zeros())
        for part in trainer.parts:
            self._create_for(part)

    def _create_for(self, part):
        if part not in self.parts:
            self.parts.append(part)
        for name, value in part.numbers.items():
            if not hasattr(part, name):
                setattr(part, name, value)
        for name, declared in part.state().items():
            if isinstance(declared, Part):
                self._create_for(declared)
            elif isinstance(declared, list):
                setattr(part, name, self._new_list(name, declared))
            else:
                setattr(part, name, self._new(name, declared))
        part.on_built()

    def _new_list(self, name, declared):
        if declared:
            self.weights = [id(variable) for variable in self._trainer.trainable_variables]
        return [z and self._new(f"{name}_{i}", z) for i, z in enumerate(declared)]

    def _new(self, name, declared):
        shape, dtype = declared.shape, declared.dtype
        variable = self._trainer.add_weight(
            shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
        )
        self.by_name[name] = variable
        # tf.train.Checkpoint looks for attributes, and passes over lists of variables in silence.
        setattr(self._trainer, f"_state_{len(self.by_name)}", variable)
        return variable

    # ---- plain numbers -----------------------------------------------------------------------

    def numbers(self) -> dict[str, Any]:
        """The plain numbers that the parts keep: {attribute: value}."""
        return {name: getattr(part, name) for part in self.parts for name in part.numbers}

    def set_numbers(self, numbers: Mapping[str, Any]) -> None:
        """Puts back what ``numbers`` gave; in version 0.1 names began with an underscore."""
        for part in self.parts:
            for name in part.numbers:
                for known in (f"_{name}", name):
                    if known in numbers:
                        setattr(part, name, numbers[known])

    # ---- files -------------------------------------------------------------------------------

    def assign(self, stored: Mapping[str, Any]) -> None:
        """Gives each variable the value that a file has under its name.

        Raises:
            InputError: the file has other states.
        """
        if "0" in stored:
            stored = self._by_name_of_now(stored)
        missing, unknown = self.by_name.keys() - stored.keys(), stored.keys() - self.by_name.keys()
        if missing or unknown:
            raise InputError(
                f"the file must hold the states of a {type(self._trainer).__name__} that is built "
                f"as this one. Not in the file: {_listed(missing)}; only in it: {_listed(unknown)}"
            )
        for name, variable in self.by_name.items():
            variable.assign(stored[name])

    def _by_name_of_now(self, stored):
        """States as version 0.1 saved them: numbered in the order of their creation."""
        names = list(self.by_name)
        if len(stored) == len(names) + 2 and "offset_0" in names:
            # Its BitCenteredSGD had two counts of SVRG, which it did not use.
            at = names.index("offset_0")
            names[at:at] = ["batch_key", "anchor_samples"]
        if len(stored) != len(names):
            return stored
        named = {name: stored[str(index)] for index, name in enumerate(names)}
        return {name: value for name, value in named.items() if name in self.by_name}


def _listed(names):
    return ", ".join(sorted(names)[:5]) or "none"


def arguments_of(trainer: keras.Model) -> dict[str, Any]:
    """The constructor's arguments of a trainer or of a named pairing, without model and seed."""
    parameters = inspect.signature(type(trainer).__init__).parameters
    if "estimator" in parameters:
        parts = {"estimator": trainer.estimator, "iterate": trainer.iterate}
        return {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
    options = {**trainer.iterate.get_config(), **trainer.estimator.get_config()}
    return {name: options[name] for name in parameters if name in options}
