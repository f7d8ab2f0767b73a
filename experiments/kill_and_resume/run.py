"""Is a run that is killed, stopped or out of disk space, and then resumed, the same run?

    python -m experiments.kill_and_resume.run                 50 kills, 20 stops, 20 full disks
    python -m experiments.kill_and_resume.run --kills 5 --stops 0 --full-disks 0

Small runs (least squares; an LSTM with dropout, Adam and scheduled quantizers) of every algorithm
are ended at random moments, resumed, and compared with the unbroken run: the weights, every
variable of model, algorithm and optimizer, and metrics.csv but for its seconds, bit for bit. A
moment is a phase of the run (all equally likely), one of its occurrences, and a delay up to its
usual length. A run that is killed may be killed again as it goes on. Writes a CSV for each way to
end and what stands between the marks of ``README.md``; ten minutes.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # A process with threads cannot be forked.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from experiments.kill_and_resume.process import PHASES, Process, Watch
from experiments.kill_and_resume.runs import configs, differing, outcome
from experiments.markdown_sections import fill
from tq_halp.commands import train
from tq_halp.commands.bench.results_table import write_csv
from tq_halp.commands.running.checkpoint_folder import files

HERE = pathlib.Path(__file__).resolve().parent

DISK = 4_000_000  # bytes of the small disk


class Reference:
    """The unbroken run of a config: how it ends, and when what happens."""

    def __init__(self, config, folder, watch):
        self.config = config
        status = start(config, folder, watch).wait()
        assert status == train.FINISHED, pathlib.Path(f"{folder}.log").read_text()
        self.outcome = outcome(folder)
        self.records = {phase: watch.record(phase) for phase in PHASES}
        self.size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())

    def moment(self, rng):
        """(phase, occurrence, delay)"""
        phase = rng.choice([p for p in PHASES if self.records[p][0]])
        count, seconds = self.records[phase]
        usual = 3.0 if phase == "start" else seconds / count
        return phase, rng.randint(1, count), rng.uniform(0, usual)


def start(config, folder, watch, *more):
    arguments = ["--config", str(config), "--run-dir", str(folder), *more]
    return Process(arguments, f"{folder}.log", watch)


def is_finished(folder):
    summary = folder / "summary.json"
    return summary.exists() and json.loads(summary.read_text())["status"] == "finished"


def go_on(reference, folder, watch):
    """The same command, wherever the run had got to."""
    return start(reference.config, folder, watch, "--resume")


def ended_by_signal(reference, folder, watch, rng, number):
    """One trial; None if the run was faster than the signal, its last file written."""
    row = {"signal": signal.Signals(number).name, "phase": "", "status": ""}
    process = start(reference.config, folder, watch)
    for again in range(rng.choice((1, 1, 2))):
        if again:
            process = go_on(reference, folder, watch)
        status, phase = process.kill(number, *reference.moment(rng))
        if status == train.FINISHED or is_finished(folder):
            break
        row["phase"] = f"{row['phase']} {phase}".strip()
        row["status"] = f"{row['status']} {status}".strip()
    if not row["phase"]:
        return None
    return row | judged(reference, folder, watch)


def out_of_space(reference, folder, watch, rng, disk):
    """One trial: the disk has room for a part of the run only, then for all of it."""
    filler = disk / "filler"
    free = rng.randrange(4096, reference.size)
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - free)))
    status = start(reference.config, folder, watch).wait()
    phase = watch.failed_phase
    errors = pathlib.Path(f"{folder}.log").read_text().count("error: ")
    filler.unlink()
    if status == train.FINISHED:
        return None
    row = {"signal": "full disk", "phase": phase, "status": status}
    row |= judged(reference, folder, watch)
    if (status, errors) != (train.FAILED, 1):
        row["different"] += f" exit status {status}, {errors} messages"
    return row


def judged(reference, folder, watch):
    """Go on to the end, and compare."""
    found, status = len(files(folder / "checkpoints")), train.FINISHED
    if not is_finished(folder):
        status = go_on(reference, folder, watch).wait()
    different = [f"exit status {status}"]
    if status == train.FINISHED:
        different = differing(outcome(folder), reference.outcome)
    return {"checkpoints": found, "different": " ".join(different)}


@contextlib.contextmanager
def small_disk(folder):
    """A mounted file system of `DISK` bytes."""
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def trials(attempt, count, references, folder):
    """Rows of `count` trials, the runs taking turns; those that ended too early do not count."""
    rows, names = [], list(references)
    while len(rows) < count:
        name = names[len(rows) % len(names)]
        row = attempt(references[name], folder / "run")
        shutil.rmtree(folder / "run", ignore_errors=True)
        if row is not None:
            rows.append({"run": name, **row})
            print(*rows[-1].values(), sep=" | ", flush=True)
    return rows


def table(rows):
    lines = ["| ended in the phase | times | the same run after all |", "|---|---|---|"]
    for phase in PHASES:
        same = [not row["different"] for row in rows if row["phase"].split(" ")[0] == phase]
        if same:
            lines.append(f"| {phase} | {len(same)} | {sum(same)} |")
    return "\n".join([*lines, f"| all | {len(rows)} | {sum(not r['different'] for r in rows)} |"])


def publish(name, rows):
    """The CSV and the table of one way to end; whether all is well."""
    write_csv(HERE / f"{name.replace(' ', '_')}.csv", list(rows[0]), rows)
    fill(HERE / "README.md", name, table(rows))
    print(table(rows), flush=True)
    return not any(row["different"] for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="by SIGKILL; default: %(default)s")
    parser.add_argument("--stops", type=int, default=20, help="by SIGTERM; default: %(default)s")
    parser.add_argument("--full-disks", type=int, default=20, help="0 without the right to mount")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    rng, watch, well = random.Random(options.seed), Watch(), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        references = {
            name: Reference(path, folder / path.stem, watch)
            for name, path in configs(folder).items()
        }
        for number, count in ((signal.SIGKILL, options.kills), (signal.SIGTERM, options.stops)):

            def attempt(reference, run, number=number):
                return ended_by_signal(reference, run, watch, rng, number)

            if count:
                rows = trials(attempt, count, references, folder)
                well.append(publish(number.name, rows))
        if options.full_disks:
            with small_disk(folder) as disk:

                def attempt(reference, run):
                    return out_of_space(reference, run, watch, rng, disk)

                rows = trials(attempt, options.full_disks, references, disk)
                well.append(publish("full disk", rows))
    fill(HERE / "README.md", "machine", f"{platform.machine()}, {os.cpu_count()} processors.")
    return not all(well)


if __name__ == "__main__":
    sys.exit(main())
