"""The start value of a cell's count of time steps, so that the first time step has number 0.

A cell counts its calls. Some calls come before the first time step: an RNN that is not unrolled
calls the cell once for the shapes of Keras' loop, and stacked cells once for the dropout masks of
the next cell. So the count starts below 0. A cell in a plain RNN is told that a call begins, but
not which RNN makes it.
"""

import keras
from keras.layers import RNN, StackedRNNCells

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import flatten_layers


def time_before(rnn: RNN, cell: keras.Layer | None = None) -> int:
    """The start value in that RNN, for one of its stacked cells; None: its only cell."""
    stacks = [each for each in _layers(rnn, StackedRNNCells) if cell and _holds(each, cell)]
    return -len(stacks) - (not rnn.unroll)


def time_within(outermost: keras.Layer, cell: keras.Layer) -> int:
    """The start value in the RNN around the cell, which `outermost`, the called layer, holds.

    Raises:
        InputError: `outermost` holds no such RNN, or several with different start values.
    """
    around = [each for each in _layers(outermost, RNN) if _holds(each, cell)]
    times = {time_before(each, cell) for each in around}
    if len(times) == 1:
        return times.pop()
    names = ", ".join(each.name for each in around) or "none"
    raise InputError(
        f"{cell.name} ({type(cell).__name__}) rounds stochastically, so {outermost.name} must hold "
        "the RNN that it is in, such as in an attribute, and if several, all with unroll or all "
        f"without. Received: {names}"
    )


def _layers(layer: keras.Layer, of_class: type) -> list[keras.Layer]:
    return [each for each in flatten_layers(layer) if isinstance(each, of_class)]


def _holds(layer: keras.Layer, cell: keras.Layer) -> bool:
    return any(each is cell for each in flatten_layers(layer))
