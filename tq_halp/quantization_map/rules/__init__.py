"""The rules of a quantization map: reading, checks, matching with layers, schedules."""
