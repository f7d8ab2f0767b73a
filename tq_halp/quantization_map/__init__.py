"""Quantization maps from layers to number formats: reading, plans, application to models."""

from tq_halp.quantization_map.quantization_map import QuantizationMap
from tq_halp.quantization_map.rules.bits_schedule_callback import QuantizationSchedule
from tq_halp.quantization_map.rules.layer_decisions import Plan, Row

__all__ = ["Plan", "QuantizationMap", "QuantizationSchedule", "Row"]
