"""The names of `tq_halp`, for editors and type checkers: at run time they are imported lazily."""

from tq_halp import (
    algorithms as algorithms,
)
from tq_halp import (
    analysis as analysis,
)
from tq_halp import (
    data as data,
)
from tq_halp import (
    formats as formats,
)
from tq_halp import (
    layers as layers,
)
from tq_halp import (
    linear as linear,
)
from tq_halp import (
    models as models,
)
from tq_halp import (
    optimizers as optimizers,
)
from tq_halp import (
    persistence as persistence,
)
from tq_halp import (
    quantization_map as quantization_map,
)
from tq_halp import (
    quantizers as quantizers,
)
from tq_halp.algorithms import (
    HALP as HALP,
)
from tq_halp.algorithms import (
    SGD as SGD,
)
from tq_halp.algorithms import (
    SVRG as SVRG,
)
from tq_halp.algorithms import (
    SWALP as SWALP,
)
from tq_halp.algorithms import (
    BitCenteredSGD as BitCenteredSGD,
)
from tq_halp.algorithms import (
    LowPrecisionSGD as LowPrecisionSGD,
)
from tq_halp.algorithms import (
    LowPrecisionSVRG as LowPrecisionSVRG,
)
from tq_halp.analysis import report as report
from tq_halp.errors import InputError as InputError
from tq_halp.optimizers import (
    QuantizedOptimizer as QuantizedOptimizer,
)
from tq_halp.optimizers import (
    quantize_momentum as quantize_momentum,
)
from tq_halp.persistence import (
    export as export,
)
from tq_halp.persistence import (
    import_weights as import_weights,
)
from tq_halp.persistence import (
    load_export as load_export,
)
from tq_halp.persistence import (
    load_float_weights as load_float_weights,
)
from tq_halp.quantization_map import (
    QuantizationMap as QuantizationMap,
)
from tq_halp.quantization_map import (
    QuantizationSchedule as QuantizationSchedule,
)

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
