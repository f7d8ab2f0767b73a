"""Training algorithms: SGD, SVRG and HALP, in full and in low precision.

Each is a ``keras.Model`` around the model that it trains. An algorithm is a pair of an estimator of
the gradient and an iterate, i.e. where the weights live between two steps (De Sa et al., arXiv
1803.03383, Algorithms 1-3). ``Trainer`` takes any pair; the named classes are these:

==================  ==================  ================  ==============  ==================
estimator           full precision      fixed grid        averaged        bit-centered
==================  ==================  ================  ==============  ==================
minibatch           SGD                 LowPrecisionSGD   SWALP           BitCenteredSGD
variance-reduced    SVRG                LowPrecisionSVRG                  HALP
gradient table      SAGA                                                  BitCenteredSAGA
==================  ==================  ================  ==============  ==================
"""

from tq_halp.algorithms.algorithm_part import Batch, Estimator, Iterate, Step, Zeros, like
from tq_halp.algorithms.minibatch_gradient import dense, gradients_at
from tq_halp.algorithms.named_algorithms import (
    HALP,
    SGD,
    SVRG,
    SWALP,
    BitCenteredSGD,
    LowPrecisionSGD,
    LowPrecisionSVRG,
)
from tq_halp.algorithms.snapshot_schedule import SnapshotSchedule
from tq_halp.algorithms.table_algorithms import SAGA, BitCenteredSAGA
from tq_halp.algorithms.trainer import Trainer

__all__ = [
    "HALP",
    "SAGA",
    "SGD",
    "SVRG",
    "SWALP",
    "Batch",
    "BitCenteredSAGA",
    "BitCenteredSGD",
    "Estimator",
    "Iterate",
    "LowPrecisionSGD",
    "LowPrecisionSVRG",
    "Step",
    "Trainer",
    "SnapshotSchedule",
    "Zeros",
    "dense",
    "gradients_at",
    "like",
]
