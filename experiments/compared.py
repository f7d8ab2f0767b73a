"""An experiment that is one comparison: trains it, keeps its figures and tables beside its script."""

import argparse
import csv
import pathlib
import shutil
import subprocess
import sys

from page import fill

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: Columns of compare.csv that are kept: not the settings, nor what other sets of data have.
DROPPED = ("directory", "train_loss")


def run(script, *, config, algorithms, seeds, settings=(), tune=(), quick=()):
    """``python -m tq_halp.compare`` with these arguments, as the command line of ``script``.

    Without options it takes up what is in ``runs/<name>`` and writes ``results.csv``, ``curves.png``
    and, between the marks "results", "pairs" and "tuning" of ``README.md``, the tables of
    ``summary.md``, all beside the script.

    Args:
        script: its ``__file__``; its folder names the experiment.
        config: name of a file in ``configs/``.
        algorithms, seeds, settings, tune: as for the command; ``settings`` and ``tune`` are lists.
        quick: settings that make it last less than five minutes; they come last, with one seed and
            without tuning.
    """
    folder = pathlib.Path(script).resolve().parent
    options = _parser(folder).parse_args()
    command = [sys.executable, "-m", "tq_halp.compare", "--config", str(ROOT / "configs" / config)]
    command += ["--algorithms", algorithms]
    command += ["--seeds", seeds.split(",")[0] if options.quick else seeds]
    for pair in [*settings, *(quick if options.quick else ())]:
        command += ["--set", pair]
    for grid in () if options.quick else tune:
        command += ["--tune", grid]
    runs = options.runs or pathlib.Path("runs") / (folder.name + "-quick" * options.quick)
    status = subprocess.run([*command, "--run-dir", str(runs), *options.further], check=False)
    if status.returncode:
        sys.exit(status.returncode)
    if not options.quick:
        _keep(runs, folder)


def _parser(folder):
    parser = argparse.ArgumentParser(description=f"The experiment {folder.name}.")
    parser.add_argument("--runs", type=pathlib.Path, help="default: runs/<name of the experiment>")
    text = "the same in less than five minutes: smaller, one seed; changes no file here"
    parser.add_argument("--quick", action="store_true", help=text)
    text = "further arguments for the comparison, e.g. -- --jobs 2"
    parser.add_argument("further", nargs="*", help=text)
    return parser


def _keep(runs, folder):
    with open(runs / "compare.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = [f for f in rows[0] if f not in DROPPED and any(row[f] for row in rows)]
    with open(folder / "results.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    shutil.copy(runs / "curves.png", folder / "curves.png")
    sections = _sections((runs / "summary.md").read_text(encoding="utf-8"))
    page = folder / "README.md"
    for mark in ("results", "pairs", "tuning"):
        text = next((t for title, t in sections.items() if title.lower().startswith(mark)), None)
        if text and f"<!-- {mark} -->" in page.read_text(encoding="utf-8"):
            fill(page, mark, text)


def _sections(summary):
    """{title: text} of a page with headings of the second level."""
    parts = summary.split("\n## ")[1:]
    return {part.partition("\n")[0].strip(): part.partition("\n")[2].strip() for part in parts}
