"""Quantization maps from the configurations of other projects: QKeras and TensorQuant."""
