"""SGD, SVRG and HALP, in full and in low precision, each as a ``keras.Model`` around yours.

One loop, two places where the algorithms differ (De Sa et al., arXiv 1803.03383, Algorithms 1-3):

====================  ============================  =====================================
class                 gradient of a step            where the iterate lives
====================  ============================  =====================================
SGD                   of the minibatch              floating point
LowPrecisionSGD       of the minibatch              a fixed grid
SWALP                 of the minibatch              a fixed grid; the result is the average
SVRG                  variance-reduced              floating point
LowPrecisionSVRG      variance-reduced              a fixed grid
HALP                  variance-reduced              a grid re-centered at every snapshot
BitCenteredSGD        of the minibatch              the same
====================  ============================  =====================================
"""

from tq_halp.algorithms.bit_centered_sgd import BitCenteredSGD
from tq_halp.algorithms.halp import HALP
from tq_halp.algorithms.low_precision_svrg import LowPrecisionSVRG
from tq_halp.algorithms.sgd import SGD, LowPrecisionSGD
from tq_halp.algorithms.svrg import SVRG
from tq_halp.algorithms.swalp import SWALP

__all__ = [
    "HALP",
    "SGD",
    "SVRG",
    "SWALP",
    "BitCenteredSGD",
    "LowPrecisionSGD",
    "LowPrecisionSVRG",
]
