"""Weights in files: export as integers, import of an export, and loading of float weights.

Whole models are saved and loaded by Keras.
"""

from tq_halp.persistence.export_weights import ExportedTensor, export, import_weights, load_export
from tq_halp.persistence.float_weight_import import load_float_weights

__all__ = ["ExportedTensor", "export", "import_weights", "load_export", "load_float_weights"]
