"""HALP with weights, activations, gradients and errors in 8 bits as well: see README.md."""

import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import compared  # noqa: E402

RATES = (2, 4)
FLOAT = (
    compared.halp(8, RATES),
    compared.lp_sgd(8, RATES),
    compared.candidate("sgd", "sgd", RATES),
    compared.momentum((0.5, 1)),
)


def quantized(candidate):
    """The same with the map of 8 bits everywhere."""
    settings = (*candidate.settings, "quantization=maps/lstm_w8a8g8e8.yaml")
    return dataclasses.replace(candidate, label=f"{candidate.label}-quantized", settings=settings)


def schedules(steps):
    """Momentum's, with and without the map."""
    return [compared.cosine(steps, label) for label in ("momentum", "momentum-quantized")]


EXPERIMENT = compared.Experiment(
    config="lstm_tiny_shakespeare.yaml",
    candidates=(*map(quantized, FLOAT), *FLOAT),
    sizes={
        "small": (
            "data.limit=140000",  # 56 steps an epoch
            "data.validation_limit=25000",
            "train.epochs=6",
            *schedules(6 * 56),
        ),
        "quick": (
            "data.limit=10000",
            "data.validation_limit=5000",
            "train.epochs=2",
            *schedules(8),
        ),
        "full": (*schedules(12 * 112),),
    },
    rivals=[
        ("halp8-quantized", "lp8-quantized"),
        *((f"{candidate.label}-quantized", candidate.label) for candidate in FLOAT),
    ],
)

if __name__ == "__main__":
    compared.run(__file__, EXPERIMENT)
