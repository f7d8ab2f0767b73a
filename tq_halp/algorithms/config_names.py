"""The names of the algorithms, the estimators and the iterates in a config."""

from tq_halp.algorithms import estimators, iterates, named_algorithms, table_algorithms
from tq_halp.algorithms.algorithm_part import Estimator, Iterate
from tq_halp.algorithms.trainer import Trainer

ALGORITHMS: dict[str, type[Trainer]] = {
    "sgd": named_algorithms.SGD,
    "lp_sgd": named_algorithms.LowPrecisionSGD,
    "swalp": named_algorithms.SWALP,
    "bc_sgd": named_algorithms.BitCenteredSGD,
    "svrg": named_algorithms.SVRG,
    "lp_svrg": named_algorithms.LowPrecisionSVRG,
    "halp": named_algorithms.HALP,
    "saga": table_algorithms.SAGA,
    "bc_saga": table_algorithms.BitCenteredSAGA,
}

ESTIMATORS: dict[str, type[Estimator]] = {
    "minibatch": estimators.Minibatch,
    "variance_reduced": estimators.VarianceReduced,
    "gradient_table": estimators.GradientTable,
}

ITERATES: dict[str, type[Iterate]] = {
    "full_precision": iterates.FullPrecision,
    "fixed_grid": iterates.FixedGrid,
    "averaged": iterates.Averaged,
    "bit_centered": iterates.BitCentered,
}
