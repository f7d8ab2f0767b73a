"""Quantization maps from layers to number formats: read one, print its plan, apply it to a model."""

from tq_halp.quantization_map.quantization_map import QuantizationMap
from tq_halp.quantization_map.rules.layer_plan import Plan, Row
from tq_halp.quantization_map.rules.schedule_callback import QuantizationSchedule

__all__ = ["Plan", "QuantizationMap", "QuantizationSchedule", "Row"]
