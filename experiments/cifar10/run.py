"""HALP at 8 and 4 bits against LP-SGD with as many, on a residual network: see README.md."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import compared  # noqa: E402

BITS, RATES = (8, 4), (0.05, 0.2)
EXPERIMENT = compared.over_bits(
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
            compared.cosine(9 * 47),
        ),
        "quick": (
            "data.limit=500",
            "data.validation_limit=500",
            "train.epochs=1",
            compared.cosine(4),
        ),
        "full": (compared.cosine(150 * 352),),
    },
)

if __name__ == "__main__":
    compared.run(__file__, EXPERIMENT)
