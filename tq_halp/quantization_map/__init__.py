"""The YAML map from layers to number formats: load it, see its plan, apply it to a model."""

from tq_halp.quantization_map.quantization_map import QuantizationMap
from tq_halp.quantization_map.rules.layer_plan import Plan, Row
from tq_halp.quantization_map.rules.schedule_callback import QuantizationSchedule

__all__ = ["Plan", "QuantizationMap", "QuantizationSchedule", "Row"]
