"""The state of a trainer: created from what its parts declare, saved and loaded by name.

The variables are ``step_count``, ``sample_count``, and those that ``Part.state`` declares, in this
order. A file holds each variable under its name; for a list the names are ``name_0``, ``name_1``...
"""

import inspect
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import keras

from tq_halp.algorithms.algorithm_part import Part, Zeros
from tq_halp.errors import InputError
from tq_halp.states_keras_omits import restore, saved_by_keras, states_left_out


class States:
    """All that decides how the training of a trainer goes on, its model's own variables apart.

    Attributes:
        by_name: {name: variable}, in the order of creation; empty before the model is built.
        parts: the parts of the trainer, and the parts inside them that declare state.
        weights: ids of the trainable weights, in order, if a part has a variable for each; the
            weights must not change afterwards. None if no part has.
    """

    def __init__(self, trainer: keras.Model):
        self._trainer = trainer
        self.by_name: dict[str, keras.Variable] = {}
        self.weights: list[int] | None = None
        self.parts: list[Part] = list(trainer.parts)

    def create(self) -> None:
        """Creates the variables that the parts declare, and sets the parts' attributes; once."""
        if self.by_name:
            return
        trainer = self._trainer
        trainer.step_count = self._new("step_count", Zeros())
        trainer.sample_count = self._new("sample_count", Zeros())
        for part in trainer.parts:
            self._create_for(part)

    def _create_for(self, part: Part) -> None:
        if part not in self.parts:
            self.parts.append(part)
        for name, declared in part.state().items():
            if isinstance(declared, Part):
                self._create_for(declared)
            elif isinstance(declared, Zeros):
                setattr(part, name, self._new(name, declared))
            else:
                setattr(part, name, self._new_list(name, declared))
        part.on_built()

    def _new_list(self, name: str, declared: Sequence[Zeros | None]) -> list[keras.Variable | None]:
        if declared:
            self.weights = [id(variable) for variable in self._trainer.trainable_variables]
        return [z and self._new(f"{name}_{i}", z) for i, z in enumerate(declared)]

    def _new(self, name: str, declared: Zeros) -> keras.Variable:
        shape, dtype = declared.shape, declared.dtype
        variable = self._trainer.add_weight(
            shape=shape, initializer="zeros", dtype=dtype, trainable=False, name=name
        )
        self.by_name[name] = variable
        # tf.train.Checkpoint saves attributes that are variables, and no lists of variables.
        setattr(self._trainer, f"_state_{len(self.by_name)}", variable)
        return variable

    # ---- plain numbers -----------------------------------------------------------------------

    def numbers(self) -> dict[str, Any]:
        """The plain numbers that the parts declare: {attribute: value}."""
        return {name: getattr(part, name) for part in self.parts for name in part.numbers}

    def set_numbers(self, numbers: Mapping[str, Any]) -> None:
        """Puts back what ``numbers()`` returned; version 0.1 put an underscore before the names."""
        for part in self.parts:
            for name in part.numbers:
                for known in (f"_{name}", name):
                    if known in numbers:
                        setattr(part, name, numbers[known])

    # ---- files -------------------------------------------------------------------------------

    def save(self, store: MutableMapping[str, Any]) -> None:
        """Writes the variables, and the states of the model that Keras leaves out, to a file."""
        for name, variable in {**self.by_name, **states_left_out(self._trainer)}.items():
            store[name] = variable
        for name, array in self.of_data().items():
            store[name] = array.numpy()

    def load(self, store: Mapping[str, Any]) -> None:
        """Reads what ``save`` has written.

        Raises:
            InputError: the file has other states.
        """
        stored = saved_by_keras(store)
        for part in self.parts:
            part.load_data_state(stored)
        of_data = self.of_data()
        self.assign({name: value for name, value in stored.items() if name not in of_data})
        restore(states_left_out(self._trainer), store)

    def of_data(self) -> dict[str, Any]:
        """{name in a file: array}: the state whose size the training data decide."""
        return {name: array for part in self.parts for name, array in part.data_state().items()}

    def assign(self, stored: Mapping[str, Any]) -> None:
        """Gives each variable of ``by_name`` the value that a file has under its name.

        Raises:
            InputError: the file has other states.
        """
        if "0" in stored:
            stored = self._named(stored)
        missing, unknown = self.by_name.keys() - stored.keys(), stored.keys() - self.by_name.keys()
        if missing or unknown:
            raise InputError(
                f"the file must hold the states of a {type(self._trainer).__name__} that is built "
                f"as this one. Not in the file: {_listed(missing)}; only in it: {_listed(unknown)}"
            )
        for name, variable in self.by_name.items():
            variable.assign(stored[name])

    def _named(self, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """The states of a file of version 0.1, which numbered them in the order of creation."""
        names = list(self.by_name)
        if len(stored) == len(names) + 2 and "offset_0" in names:
            # Its BitCenteredSGD also saved two variables of SVRG, which it did not use.
            at = names.index("offset_0")
            names[at:at] = ["batch_key", "anchor_samples"]
        if len(stored) != len(names):
            return stored
        named = {name: stored[str(index)] for index, name in enumerate(names)}
        return {name: value for name, value in named.items() if name in self.by_name}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)[:5]) or "none"


def arguments_of(trainer: keras.Model) -> dict[str, Any]:
    """What a ``Trainer``'s config holds besides model and seed: the other constructor arguments.

    The arguments of a named class, such as ``HALP``, are arguments of its two parts.
    """
    parameters = inspect.signature(type(trainer).__init__).parameters
    if "estimator" in parameters:
        parts = {"estimator": trainer.estimator, "iterate": trainer.iterate}
        return {name: keras.saving.serialize_keras_object(part) for name, part in parts.items()}
    options = {
        part.named_as.get(name, name): value
        for part in (trainer.iterate, trainer.estimator)
        for name, value in part.get_config().items()
    }
    return {name: options[name] for name in parameters if name in options}
