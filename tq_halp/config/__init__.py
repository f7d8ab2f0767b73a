"""What a run is: the schema of a config file, strict, its errors naming line, value and remedy."""

from tq_halp.config.load_config import WRITTEN_BY_COMPARISON, WRITTEN_BY_RUN, load
from tq_halp.config.schema import Config
from tq_halp.config.value_types import Rounding, Schedule

__all__ = [
    "WRITTEN_BY_COMPARISON",
    "WRITTEN_BY_RUN",
    "Config",
    "Rounding",
    "Schedule",
    "load",
]
