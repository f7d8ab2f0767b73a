"""HALP at 8, 5 and 4 bits against LP-SGD with as many, on a word LSTM: see README.md."""

import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments import comparison_experiment as comparison

RATES, FEW_BITS_RATES = (5, 10, 20), (10, 20, 40)
BITS = {8: RATES, 5: FEW_BITS_RATES, 4: FEW_BITS_RATES}
EXPERIMENT = comparison.over_bits(
    "lstm_ptb.yaml",
    BITS,
    RATES,
    (1, 2, 4),
    sizes={
        "small": (
            "data.limit=80000",  # 72 steps an epoch
            "data.validation_limit=20000",
            # A softmax over all 10,000 words takes four fifths of the time.
            "data.vocabulary_size=2000",
            "train.epochs=7",
            comparison.cosine(7 * 72),
        ),
        "quick": (
            "data.limit=10000",
            "data.validation_limit=5000",
            "data.vocabulary_size=2000",
            "train.epochs=2",
            comparison.cosine(18),
        ),
        "full": (comparison.cosine(4 * 830),),
    },
)

if __name__ == "__main__":
    comparison.run(__file__, EXPERIMENT)
