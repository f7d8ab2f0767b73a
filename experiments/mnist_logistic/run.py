"""Softmax regression on MNIST: convergence of nine algorithms: see README.md."""

import pathlib
import runpy

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import numpy as np

from experiments import comparison_experiment as comparison
from experiments.markdown_sections import fill

RATES = (0.1, 0.5)
EXPERIMENT = comparison.Experiment(
    config="mnist_logistic.yaml",
    candidates=(
        comparison.candidate("sgd", "sgd", RATES),
        comparison.momentum((0.01, 0.05)),
        *(comparison.lp_sgd(bits, RATES) for bits in (8, 16)),
        comparison.candidate("svrg", "svrg", RATES),
        *(comparison.fixed_grid("lpsvrg", "lp_svrg", bits, RATES) for bits in (8, 16)),
        *(comparison.halp(bits, RATES) for bits in (8, 16)),
    ),
    sizes={
        "small": ("data.limit=10000", "train.epochs=30", comparison.cosine(3000)),
        "quick": (
            "data.limit=1000",
            "data.validation_limit=1000",
            "train.epochs=2",
            comparison.cosine(20),
        ),
        "full": (comparison.cosine(20 * 550),),
    },
    baselines=[("halp8", "lp8"), ("halp8", "lpsvrg8"), ("halp8", "svrg")],
)


def objective_and_gradient(x, y, weights, decay):
    """f and ‖∇f‖₂ of softmax regression on all of x in float64.

        f = −1/N Σ_i log p_i[y_i] + λ/2 ‖W‖²,  p_i = softmax(x_i W + b),  λ = ``decay``

    Args:
        x: (N, features). y: (N,), whole numbers.
        weights: W (features, classes) and b (classes,).
    """
    kernel, bias = (np.asarray(part, np.float64) for part in weights)
    logits = x @ kernel + bias
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    loss = -np.mean(np.log(p[rows, y])) + decay / 2 * np.sum(kernel**2)
    p[rows, y] -= 1.0
    gradients = x.T @ p / len(x) + decay * kernel, p.mean(axis=0)
    return loss, np.sqrt(sum(np.sum(g**2) for g in gradients))


def convergence(results) -> str:
    """A table: f and ‖∇f‖ over the training examples at the end, mean over seeds."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    import keras

    import tq_halp.keras_registration  # noqa: F401  the model's penalty is a class of ours
    from tq_halp import data
    from tq_halp.commands.compare.statistics import mean_of
    from tq_halp.commands.compare.table_numbers import shown

    sets = {}
    lines = ["| | training objective | gradient norm | seeds |", "|---|---|---|---|"]
    for candidate, runs in results.compared.items():
        found = []
        for run in runs:
            if results.outcomes[run].status != "finished":
                continue
            config = run.config()
            key = repr(config.data)
            if key not in sets:
                sets[key] = data.load(config.data).train
            x, y = sets[key]
            x = x.reshape(len(x), -1) / (255.0 if x.dtype == np.uint8 else 1.0)
            weights = keras.saving.load_model(run.path / "model.keras").get_weights()
            found.append(objective_and_gradient(x, y, weights, config.model.weight_decay))
        columns = [shown(mean_of(list(column))) for column in zip(*found, strict=True)] or ["-"] * 2
        lines.append(f"| {candidate.label} | {' | '.join(columns)} | {results.seeds(candidate)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    results, folder = comparison.run(__file__, EXPERIMENT)
    table = convergence(results)
    print(table)
    if folder:
        fill(folder / "README.md", "convergence", table)
