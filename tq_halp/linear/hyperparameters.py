"""The constructor arguments of an estimator: read and set by name, and checked by `fit`."""

import inspect
import math
import numbers
from typing import Any, TypeAlias

import numpy as np

from tq_halp.errors import InputError
from tq_halp.formats.check_arguments import unknown

ALGORITHMS = ("halp", "svrg", "sgd", "lp_svrg", "lp_sgd")
#: What `random_state` may be; None draws a seed that differs each time.
RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
FEATURE_SCALES = ("per_tensor", "per_feature")


class Parameters:
    """`get_params`, `set_params` and `repr` from the signature of `__init__`."""

    @classmethod
    def _signature(cls) -> dict[str, Any]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return {p.name: p.default for p in parameters if p.name != "self"}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments by name; `deep` has no effect: none is an estimator."""
        return {name: getattr(self, name) for name in self._signature()}

    def set_params(self, **params: Any) -> "Parameters":
        """Sets constructor arguments, which the next `fit` checks.

        Returns:
            The estimator itself.

        Raises:
            InputError: there is no argument of that name.
        """
        names = self._signature()
        for name in params:
            if name not in names:
                raise unknown(f"parameter of {type(self).__name__}", name, names)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        changed = [
            f"{name}={getattr(self, name)!r}"
            for name, default in self._signature().items()
            if repr(getattr(self, name)) != repr(default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


def check_parameters(p: Any) -> None:
    """Checks the constructor arguments of an estimator `p`.

    Raises:
        InputError: one is not valid; the message names it, what was received and what is valid.
    """
    _one_of("word_bits", p.word_bits, (8, 16))
    _one_of("data_bits", p.data_bits, (4, 8, 16))
    _one_of("algorithm", p.algorithm, ALGORITHMS)
    _one_of("feature_scale", p.feature_scale, FEATURE_SCALES)
    _positive("mu", p.mu, instead="auto")
    _positive("learning_rate", p.learning_rate, instead="auto")
    _positive("weight_range", p.weight_range)
    _number("l2", p.l2)
    _number("tol", p.tol)
    _count("batch_size", p.batch_size, most=1 << 15)
    _count("epochs", p.epochs)
    _count("patience", p.patience)
    _count("inner_steps", p.inner_steps, or_none=True)
    _count("n_threads", p.n_threads, or_none=True)
    _boolean("fit_intercept", p.fit_intercept)
    _boolean("warm_start", p.warm_start)
    if p.callback is not None and not callable(p.callback):
        raise InputError(f"callback must be None or a function. Received: {p.callback!r}")


def seed_of(random_state: RandomState) -> int:
    """A seed below 2^63 from an estimator's `random_state`.

    Raises:
        InputError: it is no integer from 0 to 2^63 − 1, NumPy generator or None.
    """
    if random_state is None:
        random_state = np.random.default_rng()
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(0, 2**31))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(0, 2**63))
    if _is_integer(random_state) and 0 <= random_state < 2**63:
        return int(random_state)
    raise InputError(
        "random_state must be an integer from 0 to 2^63 - 1, a numpy.random.Generator or "
        f"RandomState, or None. Received: {random_state!r}"
    )


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _one_of(name: str, value: object, choices: tuple[str | int, ...]) -> None:
    if not any(type(value) is not bool and _same(value, choice) for choice in choices):
        raise InputError(
            f"{name} must be one of {', '.join(map(str, choices))}. Received: {value!r}"
        )


def _same(value: object, choice: str | int) -> bool:
    if isinstance(choice, str):
        return isinstance(value, str) and value == choice
    return _is_integer(value) and value == choice


def _positive(name: str, value: Any, instead: str | None = None) -> None:
    if instead is not None and isinstance(value, str) and value == instead:
        return
    if not _is_number(value) or value <= 0:
        valid = f"{instead!r} or " if instead else ""
        raise InputError(f"{name} must be {valid}a finite number above 0. Received: {value!r}")


def _number(name: str, value: Any) -> None:
    if not _is_number(value) or value < 0:
        raise InputError(f"{name} must be a finite number, 0 or above. Received: {value!r}")


def _count(name: str, value: Any, or_none: bool = False, most: int = 2**31 - 1) -> None:
    if not (value is None and or_none) and not (_is_integer(value) and 1 <= value <= most):
        valid = "None or " if or_none else ""
        raise InputError(f"{name} must be {valid}an integer from 1 to {most}. Received: {value!r}")


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} must be True or False. Received: {value!r}")
