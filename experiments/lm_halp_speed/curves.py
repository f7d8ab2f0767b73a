"""Gradient norms after every outer epoch: the reference problem, and two large data sets."""

import os

import numpy as np

EPOCHS, LARGE_EPOCHS, SEEDS = 40, 20, (0, 1, 2)


SVRG, LM_HALP = "SVRG, float64", "HALP 8/8, μ = 3"
# Row -> arguments of the solver, and of its epochs.
LEAST_SQUARES = {
    "SGD, float64": ({"algorithm": "sgd"}, {}),
    "LP-SGD 8/8": ({"algorithm": "lp_sgd"}, {}),
    "LP-SGD 16/16": ({"algorithm": "lp_sgd", "word_bits": 16, "data_bits": 16}, {}),
    SVRG: ({"algorithm": "svrg"}, {}),
    "LP-SVRG 8/8": ({"algorithm": "lp_svrg"}, {}),
    "LP-SVRG 16/16": ({"algorithm": "lp_svrg", "word_bits": 16, "data_bits": 16}, {}),
    LM_HALP: ({"algorithm": "halp"}, {"mu": 3.0}),
    "HALP 8/8, μ = auto": ({"algorithm": "halp"}, {}),
    "HALP 16/16, μ = 0.5": ({"algorithm": "halp", "word_bits": 16, "data_bits": 16}, {"mu": 0.5}),
    "HALP 16/16, μ = auto": ({"algorithm": "halp", "word_bits": 16, "data_bits": 16}, {}),
}
LARGE = {
    "SGD, float32": {"algorithm": "sgd"},
    "LP-SGD 8/8": {"algorithm": "lp_sgd"},
    "SVRG, float32": {"algorithm": "svrg"},
    "LP-SVRG 8/8": {"algorithm": "lp_svrg"},
    "HALP 8/4, μ = auto": {"algorithm": "halp", "data_bits": 4},
    "HALP 8/8, μ = auto": {"algorithm": "halp"},
    "HALP 16/16, μ = auto": {"algorithm": "halp", "word_bits": 16, "data_bits": 16},
}


def measure(quick):
    """The lines of ``curves.csv``."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    seeds, epochs = ((0,), 10) if quick else (SEEDS, EPOCHS)
    rows = [row for seed in seeds for row in least_squares(seed, epochs)]
    for name in ("100000x1024", "mnist"):
        rows += large(name, scale=0.02 if quick else 1.0, epochs=5 if quick else LARGE_EPOCHS)
    return rows


def least_squares(seed, epochs):
    """N = 1000, d = 100, α = 2.5e-3, T = 2N, batch size 1: the problem of the reference table."""
    from quant_ops import LinearSolver
    from tq_halp.data import linear_regression

    x, y = linear_regression(samples=1000, features=100, noise=0.1).train
    for name, (arguments, of_epoch) in LEAST_SQUARES.items():
        solver = LinearSolver(
            x, y[:, 0], loss="squared", batch_size=1, weight_range=4, seed=seed, **arguments
        )
        yield from _trained({name: solver}, "least squares", seed, epochs, 2.5e-3, 2000, of_epoch)


def large(name, scale, epochs):
    """All of LARGE in turns, on all processors, at the same learning rate."""
    from quant_ops import LinearSolver
    from tq_halp.commands.bench.linear_data_sets import load
    from tq_halp.commands.bench.linear_race import L2, learning_rate

    data = load(name, scale)
    if data is None:
        print(f"{name} is not there and cannot be fetched: left out")
        return
    threads, steps = os.cpu_count(), -(-len(data.x) // 64)
    rate = learning_rate(data, 64)
    same = {"loss": data.loss, "outputs": data.outputs, "l2": L2, "n_threads": threads}
    svrg = LinearSolver(data.x, data.targets, algorithm="svrg", **same)
    for _ in range(epochs):
        svrg.epoch(rate, steps, n_threads=threads)
    # The finest fixed grid that holds the optimum.
    holds = float(2 ** np.ceil(np.log2(np.abs(svrg.weights()).max())))
    solvers = {
        row: LinearSolver(data.x, data.targets, weight_range=holds, **same, **arguments)
        for row, arguments in LARGE.items()
    }
    problem = f"{'softmax' if data.outputs > 1 else 'logistic'}, {name}"
    yield from _trained(solvers, problem, 0, epochs, rate, steps, {"n_threads": threads})


def _trained(solvers, problem, seed, epochs, rate, steps, of_epoch):
    """The records of an epoch of each solver in turn; seconds of inner steps and snapshots."""
    seconds = dict.fromkeys(solvers, 0.0)
    for epoch in range(epochs + 1):
        for name, solver in solvers.items():
            measured = solver.epoch(rate, steps, **of_epoch) if epoch else solver.measurement
            if epoch:
                seconds[name] += measured["inner_seconds"]
                if not name.startswith(("SGD", "LP-SGD")):
                    seconds[name] += measured["gradient_seconds"]
            yield {
                "problem": problem,
                "algorithm": name,
                "seed": seed,
                "epoch": epoch,
                "seconds": f"{seconds[name]:.6f}",
                "gradient_norm": f"{measured['gradient_norm']:.6e}",
                "loss": f"{measured['loss']:.9e}",
            }
