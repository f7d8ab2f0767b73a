"""New processes: import, a fit of 1,000 samples of 20 features, and their prediction."""

import json
import subprocess
import sys

from tq_halp.commands.bench.results_table import write_csv

REPEATED = 5
FIELDS = ("contender", "processor_seconds")
DATA = """
import json, sys, time
import numpy as np
x = np.random.default_rng(0).standard_normal((1000, 20))
y = (x[:, 0] > 0).astype(int)
"""
FITS = {
    "nothing but NumPy": "",
    "LM-HALP 8/8": "from tq_halp.linear import LMHALPClassifier as C; "
    "C(l2=1e-3).fit(x, y).predict(x)",
    "scikit-learn, lbfgs": "from sklearn.linear_model import LogisticRegression as C; "
    "C(C=1.0).fit(x, y).predict(x)",
    "intelex, lbfgs": "from sklearnex.linear_model import LogisticRegression as C; "
    "C(C=1.0).fit(x, y).predict(x)",
}
END = """
print(json.dumps([time.process_time(), "tensorflow" in sys.modules]))
"""


def measure(path):
    """Writes the least processor seconds of some processes per contender."""
    rows = []
    for contender, fit in FITS.items():
        seconds = [_process(fit) for _ in range(REPEATED)]
        if None in seconds:
            continue  # the library is not installed
        rows.append({"contender": contender, "processor_seconds": f"{min(seconds):.3f}"})
    write_csv(path, FIELDS, rows)


def _process(fit):
    """Processor seconds of a process, or None if it fails."""
    command = [sys.executable, "-W", "ignore", "-c", DATA + fit + END]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return None
    seconds, has_tensorflow = json.loads(done.stdout.splitlines()[-1])
    assert not has_tensorflow
    return seconds
