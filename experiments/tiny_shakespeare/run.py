"""HALP at 8, 6, 5 and 4 bits against LP-SGD with as many, on a character LSTM: see README.md."""

import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments import comparison_experiment as comparison

BITS, RATES = (8, 6, 5, 4), (2, 4)
EXPERIMENT = comparison.over_bits(
    "lstm_tiny_shakespeare.yaml",
    dict.fromkeys(BITS, RATES),
    RATES,
    (0.25, 0.5, 1),
    sizes={
        "small": (
            "data.limit=140000",  # 56 steps an epoch
            "data.validation_limit=25000",
            "train.epochs=12",
            comparison.cosine(12 * 56),
        ),
        "quick": (
            "data.limit=10000",
            "data.validation_limit=5000",
            "train.epochs=2",
            comparison.cosine(8),
        ),
        "full": (comparison.cosine(12 * 112),),
    },
)

if __name__ == "__main__":
    comparison.run(__file__, EXPERIMENT)
