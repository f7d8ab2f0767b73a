"""Any Keras optimizer with quantized slots: momenta, and all else that it stores per weight."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp import formats, quantizers
from tq_halp.errors import InputError
from tq_halp.keras_internals.optimizers import moved_variables, state_lists
from tq_halp.quantizers import Quantizer

#: One quantizer for all slots, or one for each variable: by position or by path.
SlotQuantizers = Quantizer | list[Quantizer | None] | dict[str, Quantizer | None]


def quantize_momentum(optimizer: Any, quantizer: Any) -> keras.optimizers.Optimizer:
    """An optimizer that steps as `optimizer` does, with slots that are rounded to a format.

    Args:
        optimizer: any Keras optimizer, its name or configuration. It is used, not copied. A
            `LossScaleOptimizer` is made anew around the result, because it must be the outermost. A
            `QuantizedOptimizer` gets `quantizer` in place of its own.
        quantizer: as for `QuantizedOptimizer`.

    Raises:
        InputError: as `QuantizedOptimizer`, or `optimizer` is not an optimizer.
    """
    optimizer = get_optimizer(optimizer)
    if isinstance(optimizer, QuantizedOptimizer):
        optimizer = optimizer.inner_optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        own = {key: getattr(optimizer, key) for key in ("initial_scale", "dynamic_growth_steps")}
        inner = quantize_momentum(optimizer.inner_optimizer, quantizer)
        return keras.optimizers.LossScaleOptimizer(inner, name=optimizer.name, **own)
    return QuantizedOptimizer(optimizer, quantizer)


def get_optimizer(identifier: Any) -> keras.optimizers.Optimizer:
    """A Keras optimizer from itself, its name or its configuration.

    Raises:
        InputError: `identifier` is something else.
    """
    try:
        optimizer = keras.optimizers.get(identifier)
    except (TypeError, ValueError):
        optimizer = None
    if optimizer is None:
        raise InputError(
            "optimizer must be a Keras optimizer, its name such as 'adam' or its configuration. "
            f"Received: {identifier!r}"
        )
    return optimizer


@keras.saving.register_keras_serializable(package="tq_halp")
class QuantizedOptimizer(keras.optimizers.Optimizer):
    """A wrapper that rounds every slot of an optimizer after each step: s <- Q(s).

    Slots are the floating-point variables that an optimizer stores per trainable variable: SGD's
    momentum, Adam's two moments, the averages of `use_ema`, accumulated gradients. The step itself
    is computed in the slots' dtype, from rounded slots.

    Stochastic rounding: the bits are a function of the quantizer's seed, the name "<index>/<slot>",
    the element's index and the number of steps so far. <index> is the position of the trainable
    variable, <slot> the optimizer's attribute that holds the slot, as in "0/_momentums".

    Dynamic loss scaling goes outside: `LossScaleOptimizer(QuantizedOptimizer(Adam(), ...))`.
    `compile` does the same under a float16 policy.

    Args:
        inner_optimizer: a Keras optimizer that has slots.
        quantizer: as for `quantizers.get`, one for all slots; or a mapping from the `path` of
            trainable variables; or a sequence, one for each trainable variable in the model's
            order. In these, None leaves the slots of a variable unchanged.
        name: the optimizer's name; None: "quantized_<name of the inner optimizer>".

    Raises:
        InputError: a quantizer is wrong. When the optimizer is built: a path belongs to no
            variable, a sequence has another length, the blocks of a format do not divide a slot, or
            the optimizer has no slots.
    """

    def __init__(
        self, inner_optimizer: keras.optimizers.Optimizer, quantizer: Any, name: str | None = None
    ) -> None:
        if not isinstance(inner_optimizer, keras.optimizers.Optimizer):
            raise InputError(f"optimizer must be a Keras optimizer. Received: {inner_optimizer!r}")
        if isinstance(inner_optimizer, keras.optimizers.LossScaleOptimizer):
            raise InputError(
                "optimizer must not be a LossScaleOptimizer, which goes outside: "
                "LossScaleOptimizer(QuantizedOptimizer(Adam(), ...))"
            )
        super().__init__(
            learning_rate=0.0,  # never used: `learning_rate` is the inner optimizer's
            loss_scale_factor=inner_optimizer.loss_scale_factor,
            name=name or f"quantized_{inner_optimizer.name}",
        )
        self.inner_optimizer = inner_optimizer
        self._quantizer = _parse(quantizer)
        self._by_position: list[Quantizer | None] = []  # once the optimizer is built

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Creates the slots, and checks that each quantizer fits its slot."""
        if self.built:
            return
        chosen = self.chosen_for(variables)
        if not self.inner_optimizer.built:
            self.inner_optimizer.build(variables)
        super().build(variables)
        self._quantizer = self._by_position = chosen
        self._check_slots(variables)

    def apply(
        self,
        grads: Sequence[tf.Tensor],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        """Takes a step of the inner optimizer, then rounds its slots."""
        if len(grads) == 0:
            return
        if not self.built:
            self.build(list(trainable_variables or ()))
        # A LossScaleOptimizer sets the factor here; the inner optimizer divides by it.
        self.inner_optimizer.loss_scale_factor = self.loss_scale_factor
        self.inner_optimizer.apply(grads, trainable_variables)
        steps = super().iterations
        steps.assign_add(1)
        counter = tf.cast(steps.value, tf.int64)
        for index, name, slot in self._slots():
            quantizer = self._by_position[index]
            if quantizer is not None:
                derived = quantizer.derive(f"{index}/{name}")
                slot.assign(derived(slot.value, counter))

    def chosen_for(self, variables: Sequence[keras.Variable]) -> list[Quantizer | None]:
        """The quantizer for the slots of each trainable variable; None: not quantized."""
        return _one_for_each(self._quantizer, variables)

    def _slots(self) -> Iterator[tuple[int, str, keras.Variable]]:
        """(position of the trainable variable, attribute of the optimizer, slot), for each slot."""
        positions = {id(variable): i for i, variable in enumerate(moved_variables(self))}
        for optimizer in self._steppers():
            stepped = [positions[id(variable)] for variable in moved_variables(optimizer)]
            known = {id(variable) for variable in optimizer.variables}
            for name, entries in state_lists(optimizer).items():
                if len(entries) != len(stepped):
                    continue
                for index, slot in zip(stepped, entries, strict=True):
                    if id(slot) in known and keras.backend.is_float_dtype(slot.dtype):
                        yield index, name, slot

    def _steppers(self) -> list[keras.optimizers.Optimizer]:
        """The inner optimizer, or those among which it divides the variables."""
        shared = getattr(self.inner_optimizer, "optimizers", None)
        if shared is None:
            return [self.inner_optimizer]
        return [optimizer for optimizer in shared if optimizer.built]

    def _check_slots(self, variables: Sequence[keras.Variable]) -> None:
        slots = list(self._slots())
        if not slots:
            raise InputError(
                f"optimizer must keep momenta or other slots. Received: a "
                f"{type(self.inner_optimizer).__name__} without any (SGD needs momentum > 0)"
            )
        for index, name, slot in slots:
            quantizer = self._by_position[index]
            try:
                if quantizer is not None:
                    quantizer.format.check_shape(slot.shape)
            except InputError as error:
                raise InputError(f"momentum: {name} of {variables[index].path}: {error}") from error

    # ---- the rest of the interface of a Keras optimizer --------------------------------------

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables of this optimizer and of the inner one."""
        return [*super().variables, *self.inner_optimizer.variables]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets `variables` to arrays of their shapes."""
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight)

    # Keras saves the inner optimizer by itself, because it is an attribute.
    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Stores the number of steps."""
        store["iterations"] = np.asarray(super().iterations)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Sets the number of steps."""
        super().iterations.assign(store["iterations"])

    @property
    def iterations(self) -> keras.Variable:
        """The number of steps of the inner optimizer."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """As the inner optimizer: with `use_ema`, sets the weights to their averages."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            # By position once the optimizer is built, for loading a model can change paths.
            "quantizer": _map(self._quantizer, lambda q: q and q.get_config()),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "QuantizedOptimizer":
        inner = keras.saving.deserialize_keras_object(config["inner_optimizer"])
        return cls(inner, config["quantizer"], config["name"])


def _parse(given: Any) -> SlotQuantizers:
    """The quantizers, in the structure of `given`."""
    try:
        if isinstance(given, Mapping) and "format" not in given:
            return {path: _quantizer(each) for path, each in given.items()}
        if isinstance(given, Sequence) and not isinstance(given, str):
            return [_quantizer(each) for each in given]
        chosen = _quantizer(given)
    except InputError as error:
        raise InputError(f"momentum: {error}") from error
    if chosen is None:
        raise InputError("momentum must be a quantizer, or one for each variable. Received: None")
    return chosen


def _quantizer(given: Any) -> Quantizer | None:
    quantizer = quantizers.get(given)
    if not isinstance(quantizer, (Quantizer, type(None))):
        raise InputError(
            f"a quantizer of an optimizer must not have a schedule. Received: {quantizer}"
        )
    return quantizer


def _map(chosen: SlotQuantizers, function: Callable[[Quantizer | None], Any]) -> Any:
    if isinstance(chosen, Mapping):
        return {path: function(each) for path, each in chosen.items()}
    return function(chosen) if isinstance(chosen, Quantizer) else [function(q) for q in chosen]


def _one_for_each(
    chosen: SlotQuantizers, variables: Sequence[keras.Variable]
) -> list[Quantizer | None]:
    """The quantizer of each trainable variable."""
    if isinstance(chosen, Quantizer):
        return [chosen] * len(variables)
    if isinstance(chosen, Mapping):
        paths = [variable.path for variable in variables]
        for path in chosen:
            if path not in paths:
                raise InputError(f"momentum: {formats.unknown('trainable variable', path, paths)}")
        return [chosen.get(path) for path in paths]
    if len(chosen) != len(variables):
        raise InputError(
            f"momentum must have one quantizer for each of the {len(variables)} trainable "
            f"variables. Received: {len(chosen)}"
        )
    return list(chosen)
