"""HALP with weights, activations, gradients and errors in 8 bits as well: see README.md."""

import dataclasses
import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments import comparison_experiment as comparison

RATES = (2, 4)
FLOAT = (
    comparison.halp(8, RATES),
    comparison.lp_sgd(8, RATES),
    comparison.candidate("sgd", "sgd", RATES),
    comparison.momentum((0.5, 1)),
)


def quantized(candidate):
    """The same with the map of 8 bits everywhere."""
    settings = (*candidate.settings, "quantization=maps/lstm_w8a8g8e8.yaml")
    return dataclasses.replace(candidate, label=f"{candidate.label}-quantized", settings=settings)


def schedules(steps):
    """Momentum's, with and without the map."""
    return [comparison.cosine(steps, label) for label in ("momentum", "momentum-quantized")]


EXPERIMENT = comparison.Experiment(
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
    baselines=[
        ("halp8-quantized", "lp8-quantized"),
        *((f"{candidate.label}-quantized", candidate.label) for candidate in FLOAT),
    ],
)

if __name__ == "__main__":
    comparison.run(__file__, EXPERIMENT)
