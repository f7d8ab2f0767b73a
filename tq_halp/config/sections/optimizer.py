"""`optimizer`: how a gradient becomes a step."""

from pydantic import ConfigDict

from tq_halp.config.section import Section
from tq_halp.config.value_types import Rate


class Optimizer(Section):
    """Any Keras optimizer by name; further keys are its own arguments."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=True)

    name: str = "SGD"
    learning_rate: Rate
