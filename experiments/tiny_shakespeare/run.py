"""HALP at 8, 6, 5 and 4 bits against LP-SGD with as many, on a character LSTM: see README.md."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import compared  # noqa: E402

BITS, RATES = (8, 6, 5, 4), (2, 4)
EXPERIMENT = compared.over_bits(
    "lstm_tiny_shakespeare.yaml",
    dict.fromkeys(BITS, RATES),
    RATES,
    (0.25, 0.5, 1),
    sizes={
        "small": (
            "data.limit=140000",  # 56 steps an epoch
            "data.validation_limit=25000",
            "train.epochs=12",
            compared.cosine(12 * 56),
        ),
        "quick": (
            "data.limit=10000",
            "data.validation_limit=5000",
            "train.epochs=2",
            compared.cosine(8),
        ),
        "full": (compared.cosine(12 * 112),),
    },
)

if __name__ == "__main__":
    compared.run(__file__, EXPERIMENT)
