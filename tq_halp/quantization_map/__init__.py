"""Quantization maps from layers to number formats: reading, plans, application to models."""

from tq_halp.quantization_map.quantization_map import QuantizationMap
from tq_halp.quantization_map.rules.layer_plan import Plan, Row
from tq_halp.quantization_map.rules.schedule_callback import QuantizationSchedule

__all__ = ["Plan", "QuantizationMap", "QuantizationSchedule", "Row"]
