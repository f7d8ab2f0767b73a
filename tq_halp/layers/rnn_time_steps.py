"""Where the time of an RNN begins, so that the random bits of a time step are those of its number.

A cell counts its calls. Before the first step there may be others, which are to count as none: an
RNN that does not unroll makes one for the shapes of Keras' loop, and one of stacked cells makes
one for the dropout masks of the next cell. A cell in a plain RNN is told that a call begins, but
not by whom.
"""

import keras
from keras.layers import RNN, StackedRNNCells

from tq_halp.errors import InputError


def time_before(rnn: RNN, cell: keras.Layer | None = None) -> int:
    """What the count of steps is before that RNN calls a cell; None: its only one."""
    stacks = [each for each in _layers(rnn, StackedRNNCells) if cell and _holds(each, cell)]
    return -len(stacks) - (not rnn.unroll)


def time_within(outermost: keras.Layer, cell: keras.Layer) -> int:
    """The same for the RNN around the cell in the layer or model that is called.

    Raises:
        InputError: `outermost` holds none, or several that differ in this.
    """
    around = [each for each in _layers(outermost, RNN) if _holds(each, cell)]
    times = {time_before(each, cell) for each in around}
    if len(times) == 1:
        return times.pop()
    names = ", ".join(each.name for each in around) or "none"
    raise InputError(
        f"{cell.name} ({type(cell).__name__}) rounds stochastically, so {outermost.name} must hold "
        "the RNN that it is in, in an attribute say, and if several, all with unroll or all "
        f"without. Received: {names}"
    )


def _layers(layer: keras.Layer, of_class: type) -> list[keras.Layer]:
    return [each for each in layer._flatten_layers() if isinstance(each, of_class)]


def _holds(layer: keras.Layer, cell: keras.Layer) -> bool:
    return any(each is cell for each in layer._flatten_layers())
