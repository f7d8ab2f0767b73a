"""The names of `tq_halp`, for editors and type checkers: at run time they are imported lazily."""

from tq_halp import (
    algorithms as algorithms,
    analysis as analysis,
    data as data,
    formats as formats,
    layers as layers,
    linear as linear,
    models as models,
    optimizers as optimizers,
    persistence as persistence,
    quantization_map as quantization_map,
    quantizers as quantizers,
)
from tq_halp.algorithms import (
    HALP as HALP,
    SAGA as SAGA,
    SGD as SGD,
    SVRG as SVRG,
    SWALP as SWALP,
    BitCenteredSAGA as BitCenteredSAGA,
    BitCenteredSGD as BitCenteredSGD,
    LowPrecisionSGD as LowPrecisionSGD,
    LowPrecisionSVRG as LowPrecisionSVRG,
    Trainer as Trainer,
    estimators as estimators,
    iterates as iterates,
)
from tq_halp.analysis import report as report
from tq_halp.errors import InputError as InputError
from tq_halp.optimizers import (
    QuantizedOptimizer as QuantizedOptimizer,
    quantize_momentum as quantize_momentum,
)
from tq_halp.persistence import (
    export as export,
    import_weights as import_weights,
    load_export as load_export,
    load_float_weights as load_float_weights,
)
from tq_halp.quantization_map import (
    QuantizationMap as QuantizationMap,
    QuantizationSchedule as QuantizationSchedule,
)
from tq_halp.quantizers import Quantizer as Quantizer

__version__: str

__all__ = [
    "__version__",
    "SGD",
    "LowPrecisionSGD",
    "SVRG",
    "LowPrecisionSVRG",
    "HALP",
    "SWALP",
    "BitCenteredSGD",
    "SAGA",
    "BitCenteredSAGA",
    "Trainer",
    "Quantizer",
    "QuantizationMap",
    "QuantizationSchedule",
    "QuantizedOptimizer",
    "quantize_momentum",
    "export",
    "load_export",
    "import_weights",
    "load_float_weights",
    "InputError",
    "report",
    "estimators",
    "iterates",
    "algorithms",
    "analysis",
    "data",
    "formats",
    "layers",
    "linear",
    "models",
    "optimizers",
    "persistence",
    "quantization_map",
    "quantizers",
]
