"""The names of the algorithms, the estimators and the iterates in a config."""

from tq_halp.algorithms import estimators, iterates, named
from tq_halp.algorithms.part import Estimator, Iterate
from tq_halp.algorithms.trainer import Trainer

ALGORITHMS: dict[str, type[Trainer]] = {
    "sgd": named.SGD,
    "lp_sgd": named.LowPrecisionSGD,
    "swalp": named.SWALP,
    "bc_sgd": named.BitCenteredSGD,
    "svrg": named.SVRG,
    "lp_svrg": named.LowPrecisionSVRG,
    "halp": named.HALP,
}

ESTIMATORS: dict[str, type[Estimator]] = {
    "minibatch": estimators.Minibatch,
    "variance_reduced": estimators.VarianceReduced,
}

ITERATES: dict[str, type[Iterate]] = {
    "full_precision": iterates.FullPrecision,
    "fixed_grid": iterates.FixedGrid,
    "averaged": iterates.Averaged,
    "bit_centered": iterates.BitCentered,
}
