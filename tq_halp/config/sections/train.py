"""`train`: how long, and in which portions."""

from tq_halp.config.section import Section
from tq_halp.config.value_types import Loss, Positive


class Train(Section):
    """How long, and in which portions."""

    epochs: Positive
    batch_size: Positive
    validation_batch_size: Positive | None = None
    shuffle: bool = True
    # Of a model from a file; None: the one that it was compiled with.
    loss: Loss = None
    checkpoint_every_steps: Positive | None = None
