"""The YAML map from layers to number formats: load it, see its plan, apply it to a model."""

from tq_halp.quantization_map.callback import QuantizationSchedule
from tq_halp.quantization_map.core import QuantizationMap
from tq_halp.quantization_map.plan import Plan, Row

__all__ = ["Plan", "QuantizationMap", "QuantizationSchedule", "Row"]
