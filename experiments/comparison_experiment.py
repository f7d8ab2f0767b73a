"""An experiment that is one comparison of algorithms: its command line, and the files it writes.

    python -m experiments.NAME.run            the figures, tables and results.csv of its folder
    python -m experiments.NAME.run --quick    less than five minutes: smaller, one seed, not tuned
    python -m experiments.NAME.run --full     at the size of the config; days, for some

The same command continues an experiment that was stopped. ``--quick`` and ``--full`` leave the
folder as it is.
"""

import argparse
import csv
import os
import pathlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments import baselines, bits_figure
from experiments.markdown_sections import fill
from tq_halp import processor_info
from tq_halp.commands.compare import command
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.results import Results

ROOT = pathlib.Path(__file__).resolve().parents[1]
#: One thread for each run: then its bits depend neither on the number of cores nor on --jobs.
ONE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
RATE = "optimizer.learning_rate"


@dataclass(frozen=True)
class Experiment:
    """Which candidates are compared, at which sizes.

    Args:
        config: name of a file in ``configs/``.
        candidates: what is compared; without tuning, the first value of each grid is used.
        sizes: settings, "key=value", of "small", "quick" and "full".
        baselines: pairs of labels: a candidate, and the baseline that it is compared with.
        has_figure_of_bits: whether ``bits_figure.draw`` draws one.
        seeds: of the compared runs; tuning has a seed of its own.
    """

    config: str
    candidates: Sequence[Candidate]
    sizes: Mapping[str, Sequence[str]]
    baselines: Sequence[tuple[str, str]] = ()
    has_figure_of_bits: bool = False
    seeds: str = "0,1,2,3,4"

    def arguments(self, size: str, runs) -> list[str]:
        """Of ``python -m tq_halp.compare``."""
        is_tuned = size != "quick"
        found = ["--config", str(ROOT / "configs" / self.config), "--run-dir", str(runs)]
        found += ["--algorithms", ",".join(f"{c.label}={c.algorithm}" for c in self.candidates)]
        found += ["--seeds", self.seeds if is_tuned else self.seeds.split(",")[0], "--jobs", "2"]
        # An LP-SGD has its range to tune, too.
        found += ["--allow-unequal-tries"] if is_tuned else []
        for setting in self.sizes[size]:
            found += ["--set", setting]
        for candidate in self.candidates:
            for setting in candidate.settings:
                found += ["--set", f"{candidate.label}.{setting}"]
            for key, values in candidate.grid:
                key = f"{candidate.label}.{key}"
                words = [f"{value:g}" for value in values]
                found += ["--tune", f"{key}={','.join(words)}"] if is_tuned else []
                found += [] if is_tuned else ["--set", f"{key}={words[0]}"]
        return found


def candidate(label, algorithm, rates, *settings) -> Candidate:
    """A candidate whose learning rate is tuned."""
    return Candidate(label, algorithm, settings, ((RATE, tuple(rates)),))


def halp(word_bits, rates) -> Candidate:
    """HALP with offsets of ``word_bits`` bits and mu=auto, labelled "halp8" and the like."""
    return candidate(f"halp{word_bits}", "halp", rates, f"word_bits={word_bits}")


def fixed_grid(label, algorithm, word_bits, rates) -> Candidate:
    """One of the lp_ algorithms. Its weights span ±2, ±1 or ±0.5, whichever tuning prefers."""
    frac_bits = range(word_bits - 2, word_bits + 1)
    grid = (("frac_bits", tuple(frac_bits)), (RATE, tuple(rates)))
    return Candidate(f"{label}{word_bits}", algorithm, (f"word_bits={word_bits}",), grid)


def lp_sgd(word_bits, rates) -> Candidate:
    """LP-SGD with weights of ``word_bits`` bits, labelled "lp8" and the like."""
    return fixed_grid("lp", "lp_sgd", word_bits, rates)


def momentum(rates) -> Candidate:
    """SGD with Nesterov momentum 0.9. Each size of the experiment must set its ``cosine``."""
    grid = ((f"{RATE}.config.initial_learning_rate", tuple(rates)),)
    return Candidate("momentum", "sgd", ("optimizer.momentum=0.9", "optimizer.nesterov=true"), grid)


def over_bits(config, rates_by_bits, rates, momentum_rates, sizes) -> Experiment:
    """HALP and LP-SGD at each word length; SVRG, SGD and momentum in full precision.

    Args:
        rates_by_bits: word length -> the learning rates that are tried with it.
        rates, momentum_rates: the same for SVRG and SGD, and for momentum.
    """
    candidates = [make(*each) for each in rates_by_bits.items() for make in (halp, lp_sgd)]
    candidates += [candidate("svrg", "svrg", rates), candidate("sgd", "sgd", rates)]
    return Experiment(
        config=config,
        candidates=(*candidates, momentum(momentum_rates)),
        sizes=sizes,
        baselines=[(f"halp{bits}", f"lp{bits}") for bits in rates_by_bits],
        has_figure_of_bits=True,
    )


def cosine(steps, label="momentum") -> str:
    """The setting that lets the learning rate of ``label`` fall to 0 over ``steps`` steps."""
    config = f"{{initial_learning_rate: 1.0, decay_steps: {steps}}}"
    return f"{label}.{RATE}={{class_name: CosineDecay, config: {config}}}"


def run(script, experiment: Experiment) -> tuple[Results, pathlib.Path | None]:
    """The command line of ``script``, a file in the experiment's folder.

    Returns:
        The results, and the experiment's folder if its files were written. The process exits if
        the comparison does not finish.
    """
    folder = pathlib.Path(script).resolve().parent
    options = _parser(folder.name).parse_args()
    suffix = "" if options.size == "small" else f"-{options.size}"
    runs = options.runs or pathlib.Path("runs") / (folder.name + suffix)
    arguments = [*experiment.arguments(options.size, runs), *options.further]
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    status = command.main(arguments)
    if status:
        sys.exit(status)
    results = Results(command.comparison_of(command.parser().parse_args(arguments)))
    found = baselines.compare(results, experiment.baselines)
    print(baselines.table(found))
    if options.size != "small":
        return results, None
    keep(results, experiment, found, folder)
    baselines.fill_readme()
    return results, folder


def _parser(name):
    parser = argparse.ArgumentParser(description=f"The experiment {name}.")
    parser.add_argument("--runs", type=pathlib.Path, help="default: runs/<name of the experiment>")
    size = parser.add_mutually_exclusive_group()
    add = {"action": "store_const", "dest": "size", "default": "small"}
    text = "the same in less than five minutes: smaller, one seed, not tuned"
    size.add_argument("--quick", const="quick", help=text, **add)
    size.add_argument("--full", const="full", help="at the size of the config", **add)
    text = "further arguments for the comparison, e.g. -- --jobs 8, which changes no bit"
    parser.add_argument("further", nargs="*", help=text)
    return parser


def keep(results: Results, experiment: Experiment, found, folder: pathlib.Path) -> None:
    """results.csv, rivals.csv, the figures, and in README.md the tables between the marks.

    Args:
        found: the experiment's ``baselines.compare``.
    """
    _keep_rows(results.comparison.folder / "compare.csv", folder / "results.csv")
    shutil.copy(results.comparison.folder / "curves.png", folder / "curves.png")
    summary = (results.comparison.folder / "summary.md").read_text(encoding="utf-8")
    curves = "![validation and training curves](curves.png)"
    sections = _sections(summary) | {"time": _time(results), "curves": curves}
    failures = sections.get("runs that did not finish")
    if failures:
        sections["results"] += f"\n\nRuns that did not finish:\n\n{failures}"
    if found:
        baselines.write(found, folder)
        sections["baselines"] = baselines.table(found)
    if experiment.has_figure_of_bits:
        bits_figure.draw(results, folder / "bits.png")
        sections["bits"] = "![the metric after the last epoch against bits](bits.png)"
    for mark in ("results", "baselines", "pairs", "tuning", "time", "curves", "bits"):
        if mark in sections:
            fill(folder / "README.md", mark, sections[mark])


def _keep_rows(source, target):
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    fields = [name for name in rows[0] if any(row[name] for row in rows)]
    with open(target, "w", newline="") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _sections(summary):
    """{title in small letters: text} of a page's headings of the second level."""
    parts = (part.partition("\n") for part in summary.split("\n## ")[1:])
    return {title.strip().lower(): text.strip() for title, _, text in parts}


def _time(results):
    last = (outcome.rows[-1] for outcome in results.outcomes.values() if outcome.rows)
    minutes = sum(float(row["seconds"]) for row in last) / 60
    return (
        f"{minutes:.0f} minutes of training in all, a thread for each run, two at a time, on "
        f"{processor_info.usable_cores()} cores of "
        f"{processor_info.model_name() or 'an unknown processor'}."
    )
