"""experiments/linear_regression: its script in short, and what theory says of who stops where."""

import csv
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "experiments" / "linear_regression" / "run.py"
# ‖∇f‖ after 1 and 5 outer epochs in the published behaviour.
PUBLISHED = {
    "SGD, float64": (0.27, 3.5e-2),
    "LP-SGD 8 b": (1.2, 1.1),
    "SVRG, float64": (4.1, 8e-2),
    "LP-SVRG 8 b": (4.6, 1.3),
    "HALP 8 b, μ = 3": (4.1, 0.10),
}
AUTO = "HALP 8 b, μ = auto"


def test_quick(tmp_path):
    options = ["--quick", "--output", tmp_path, "--only", *PUBLISHED, AUTO]
    command = [sys.executable, SCRIPT, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)  # by its path
    assert done.returncode == 0, done.stderr[-4000:]
    norms = {}
    with open(tmp_path / "gradient_norms.csv", newline="") as file:
        for row in csv.DictReader(file):
            norms.setdefault(row["row"], []).append(float(row["gradient_norm"]))
    assert set(norms) == {*PUBLISHED, AUTO} and {len(run) for run in norms.values()} == {6}
    for name, wanted in PUBLISHED.items():
        assert f"| {name} |" in done.stdout
        for k, want in zip((1, 5), wanted, strict=True):
            assert want / 2 <= norms[name][k] <= want * 2, (name, k, norms[name][k])
    # Told no μ, it is on its way below the floors of a fixed grid all the same.
    assert norms[AUTO][5] < 0.3 * norms["LP-SGD 8 b"][5]
    assert (tmp_path / "gradient_norms.png").read_bytes()[1:4] == b"PNG"
