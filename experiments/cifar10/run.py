"""HALP at 8 and 4 bits against LP-SGD with as many, on a residual network: see README.md."""

import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments import comparison_experiment as comparison

BITS, RATES = (8, 4), (0.05, 0.2)
EXPERIMENT = comparison.over_bits(
    "cifar10_resnet.yaml",
    dict.fromkeys(BITS, RATES),
    RATES,
    (0.02, 0.08),
    sizes={
        "small": (
            "data.limit=3000",  # 47 steps an epoch
            "data.validation_limit=2000",
            "train.batch_size=64",
            "train.epochs=9",
            comparison.cosine(9 * 47),
        ),
        "quick": (
            "data.limit=500",
            "data.validation_limit=500",
            "train.epochs=1",
            comparison.cosine(4),
        ),
        "full": (comparison.cosine(150 * 352),),
    },
)

if __name__ == "__main__":
    comparison.run(__file__, EXPERIMENT)
