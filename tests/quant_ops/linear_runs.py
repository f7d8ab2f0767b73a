"""What the solver finds, and a hash of it: to be compared with another process's."""

import functools
import hashlib
import itertools

import numpy as np

from quant_ops.linear import LinearSolver

OUTPUTS = {"squared": 1, "logistic": 1, "softmax": 4}
BITS = [(8, 4), (8, 8), (8, 16), (16, 4), (16, 8), (16, 16)]
COLUMNS = 500  # eight units of 64, so that seven threads have something to do


@functools.cache
def results(n_threads=1, algorithms=("halp", "lp_svrg", "lp_sgd")):
    """Weights and measurements for every loss and width, as bytes by what they belong to."""
    draw = np.random.default_rng(0)
    x = draw.standard_normal((400, COLUMNS)).astype(np.float32)
    scores = x @ draw.standard_normal((COLUMNS, 4)) / np.sqrt(COLUMNS)
    targets = {"squared": scores[:, 0], "logistic": scores[:, 0] > 0, "softmax": scores.argmax(1)}
    found = {}
    for loss, algorithm, (word_bits, data_bits) in itertools.product(OUTPUTS, algorithms, BITS):
        solver = LinearSolver(
            np.abs(x) if data_bits == 8 and loss == "logistic" else x,
            targets[loss], loss=loss, algorithm=algorithm, outputs=OUTPUTS[loss], batch_size=150,
            word_bits=word_bits, data_bits=data_bits, intercept=True, l2=1e-3, seed=3,
            n_threads=n_threads,
        )  # fmt: skip
        for _ in range(2):
            measurement = solver.epoch(0.3 / COLUMNS, 8, n_threads=n_threads)
        numbers = [value for name, value in measurement.items() if "seconds" not in name]
        found[loss, algorithm, word_bits, data_bits] = (
            solver.weights().tobytes() + np.array(numbers).tobytes()
        )
    return found


def digest(found):
    return hashlib.sha256(b"".join(found.values())).hexdigest()
