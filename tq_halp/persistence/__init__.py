"""Weights in files: exported as integers, imported again, and loaded from before quantization.

Models themselves are saved and loaded by Keras, with everything that is in them.
"""

from tq_halp.persistence.export_weights import ExportedTensor, export, import_weights, load_export
from tq_halp.persistence.float_weights import load_float_weights

__all__ = ["ExportedTensor", "export", "import_weights", "load_export", "load_float_weights"]
