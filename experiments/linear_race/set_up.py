"""The stages of our fits, beside one reading of the data, and 8/8 beside float32 SVRG."""

import json
import os
import subprocess
import sys
import time
import warnings

import numpy as np

from tq_halp.commands.bench.linear_data_sets import DATASETS, load
from tq_halp.commands.bench.results_table import write_csv

EPOCHS, FITS = 20, 4
#: Those of lm_halp_speed.
SHAPES = {
    "400000x256": (400_000, 256),
    "100000x1024": (100_000, 1024),
    "25000x4096": (25_000, 4096),
}
STAGES = ("reading", "copying", "first_gradient", "learning_rate", "epochs")
FIELDS = ("data", "threads", "algorithm", "read_seconds", "fit_seconds", "setup_seconds", *STAGES)


def measure(path, scale):
    """Writes one row per data set, number of threads and algorithm."""
    rows = []
    for name in DATASETS:
        for threads in (1, 2):
            command = [sys.executable, "-m", __name__, name, str(threads), str(scale)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows += map(json.loads, done.stdout.splitlines())
    write_csv(path, FIELDS, rows)


def stages(name, threads, scale):
    """The rows of one data set: of each algorithm the fastest of some fits, in turns."""
    from tq_halp.linear import LMHALPClassifier

    data = load(name, scale)
    if data is None:
        return
    x, y = np.ascontiguousarray(data.x, np.float32), data.targets.astype(int)
    best, read = {}, np.inf
    for _ in range(FITS):
        for algorithm in ("halp", "svrg"):
            start = time.perf_counter()
            np.sum(x)
            read = min(read, time.perf_counter() - start)
            model = LMHALPClassifier(
                algorithm=algorithm, epochs=EPOCHS, tol=0.0, l2=1e-4, n_threads=threads
            )
            start = time.perf_counter()
            model.fit(x, y)
            seconds = time.perf_counter() - start
            if algorithm not in best or seconds < best[algorithm][0]:
                best[algorithm] = seconds, model
    for algorithm, (seconds, model) in best.items():
        row = {"data": name, "threads": threads, "algorithm": algorithm, "read_seconds": read}
        row |= {"fit_seconds": seconds, "setup_seconds": model.setup_seconds_, **model.timings_}
        yield {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[2])])
    for line in stages(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])):
        print(json.dumps(line), flush=True)
