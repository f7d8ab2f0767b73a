"""Training of any Keras model in emulated low precision, and the cost of each bit.

Public names are imported on first use (PEP 562), so ``import tq_halp.formats`` and an error in a
config file need not wait for TensorFlow.
"""

import importlib
from typing import Any

from tq_halp.keras_registration import register_addresses

__version__ = "0.1.0"

_HOME = {
    "SGD": "tq_halp.algorithms",
    "LowPrecisionSGD": "tq_halp.algorithms",
    "SVRG": "tq_halp.algorithms",
    "LowPrecisionSVRG": "tq_halp.algorithms",
    "HALP": "tq_halp.algorithms",
    "SWALP": "tq_halp.algorithms",
    "BitCenteredSGD": "tq_halp.algorithms",
    "SAGA": "tq_halp.algorithms",
    "BitCenteredSAGA": "tq_halp.algorithms",
    "Trainer": "tq_halp.algorithms",
    "Quantizer": "tq_halp.quantizers",
    "QuantizationMap": "tq_halp.quantization_map",
    "QuantizationSchedule": "tq_halp.quantization_map",
    "QuantizedOptimizer": "tq_halp.optimizers",
    "quantize_momentum": "tq_halp.optimizers",
    "export": "tq_halp.persistence",
    "load_export": "tq_halp.persistence",
    "import_weights": "tq_halp.persistence",
    "load_float_weights": "tq_halp.persistence",
    "InputError": "tq_halp.errors",
    "report": "tq_halp.analysis",
    "estimators": "tq_halp.algorithms",
    "iterates": "tq_halp.algorithms",
    "algorithms": None,
    "analysis": None,
    "data": None,
    "formats": None,
    "layers": None,
    "linear": None,
    "models": None,
    "optimizers": None,
    "persistence": None,
    "quantization_map": None,
    "quantizers": None,
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tq_halp' has no attribute {name!r}")
    home = _HOME[name]
    if home is None:
        return importlib.import_module(f"tq_halp.{name}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return __all__


register_addresses()
