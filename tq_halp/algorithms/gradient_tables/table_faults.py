"""What may be wrong with the minibatches of a gradient table, and the errors that say so."""

import keras

from tq_halp.errors import InputError

#: What a step has found; 0 for nothing.
UNKNOWN, CROWDED = 1, 2


def read_once(name: str) -> InputError:
    """The error for data that can be read only once; ``name`` is the algorithm's."""
    return InputError(
        f"x must be data with the same minibatches in every epoch for {name}: arrays, a finite "
        "batched tf.data.Dataset or a PyDataset. Received data that can be read only once"
    )


def check_executions(count: int, steps_per_execution: int) -> None:
    """Raises InputError unless an execution of Keras ends with a pass over ``count`` of them."""
    if count % steps_per_execution:
        raise InputError(
            f"steps_per_execution must divide {count}, the number of minibatches, since the mean "
            f"of a gradient table is added up after each pass. Received: {steps_per_execution}"
        )


def check_compiled(trainer: keras.Model, folder: str | None) -> None:
    """Raises InputError if compiled code would use, or not wait for, files in a folder."""
    if folder is None:
        return
    if trainer.jit_compile is True:
        raise InputError("jit_compile must be False with a table in files (folder). Received: True")
    if trainer.steps_per_execution > 1:
        raise InputError(
            "steps_per_execution must be 1 with a table in files (folder). Received: "
            f"{trainer.steps_per_execution}"
        )


def error_of(fault: int) -> InputError:
    """The error for UNKNOWN or CROWDED."""
    if fault == CROWDED:
        return InputError(
            "The minibatches must be of one size for a gradient table: this one touches more rows "
            "of an embedding than the first one has inputs. Pad the sequences to one length"
        )
    return InputError(
        "A gradient table needs the same minibatches in every epoch, and this one was not among "
        "those of the first. Batch the data before shuffling it (ds.batch(32).shuffle(n)), and "
        "keep random transformations in the model and out of the data set"
    )
