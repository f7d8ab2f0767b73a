"""Each candidate against its baseline, over seeds: rivals.csv, a table, and the README's table.

``python -m experiments.baselines`` fills the README's table from the committed files.
"""

import csv
import pathlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from experiments.markdown_sections import fill
from tq_halp.commands.compare.equal_budget import EPOCHS, EVALUATIONS, Metric
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.table_numbers import p_value, shown

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILE = "rivals.csv"
#: Experiments that the README's first screen counts, and what it calls them.
TASKS = {
    "mnist_logistic": "softmax regression on MNIST",
    "tiny_shakespeare": "character LSTM on Tiny Shakespeare",
    "quantized_halp": "that LSTM, its weights, activations, gradients, errors in 8 bits too",
    "ptb": "word LSTM on Penn Treebank",
    "cifar10": "residual network on CIFAR-10",
}
SIGNIFICANT = 0.05
#: Mean over the steps of an epoch.
TRAINING_LOSS = Metric("train_loss", "train_loss", "loss", of="training")


@dataclass(frozen=True)
class BaselineComparison:
    """A candidate ("ours") against a baseline ("theirs") in one metric at one budget, as text.

    Args:
        at: "epochs" or "cost".
        difference: ours minus theirs, mean ± standard error.
        p: of the paired t-test, two-sided.
        better, equal, worse: numbers of seeds.
        verdict: "wins" or "loses" where p < 0.05 or only one of them came to its end; "ties".
    """

    ours: str
    theirs: str
    metric: str
    at: str
    budget: str
    difference: str
    p: str
    better: str
    equal: str
    worse: str
    verdict: str

    @property
    def seeds(self) -> str:
        return f"{self.better} / {self.equal} / {self.worse}"


def compare(results: Results, pairs: Sequence[tuple[str, str]]) -> list[BaselineComparison]:
    """The first of each pair against the second, at equal epochs and at equal cost."""
    found = []
    candidates = {c.label: c for c in results.comparison.candidates}
    for ours, theirs in pairs:
        for metric in (TRAINING_LOSS, *results.metrics):
            for at, (column, _) in (("epochs", EPOCHS), ("cost", EVALUATIONS)):
                pair = results.paired(candidates[ours], metric, column, theirs)
                numbers = pair.wins, pair.ties, pair.losses
                found.append(
                    BaselineComparison(
                        *(ours, theirs, metric.name, at, f"{results.budget(column):.4g}"),
                        *(shown(pair.difference, sign="+"), p_value(pair.p)),
                        *map(str, numbers),
                        verdict(pair),
                    )
                )
    return found


def verdict(pair) -> str:
    """ "wins", "ties" or "loses" of a `Paired`."""
    one_failed = pair.difference is None and (pair.wins or pair.losses)
    if not one_failed and (pair.p is None or pair.p >= SIGNIFICANT):
        return "ties"
    return "wins" if pair.wins > pair.losses else "loses"


def table(found: Sequence[BaselineComparison]) -> str:
    """For an experiment's page."""
    head = ("", "metric", "at equal", "difference", "p", "better / equal / worse", "so it")
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for r in found:
        row = (f"{r.ours} against {r.theirs}", r.metric, f"{r.at}, {r.budget}", r.difference)
        lines.append("| " + " | ".join((*row, r.p, r.seeds, r.verdict)) + " |")
    return "\n".join(lines)


def write(found: Sequence[BaselineComparison], folder: pathlib.Path) -> None:
    """rivals.csv in the experiment's folder."""
    with open(folder / FILE, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, [f.name for f in fields(BaselineComparison)], lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(map(asdict, found))


def read(folder: pathlib.Path) -> list[BaselineComparison]:
    """What ``write`` left; nothing where the experiment was not run."""
    if not (folder / FILE).exists():
        return []
    with open(folder / FILE, encoding="utf-8", newline="") as file:
        return [BaselineComparison(**row) for row in csv.DictReader(file)]


def fill_readme(page: pathlib.Path = ROOT / "README.md") -> None:
    """HALP against LP-SGD with as many bits in every task, between the README's marks."""
    fill(page, "wins", front_table({task: read(ROOT / "experiments" / task) for task in TASKS}))


def front_table(by_task) -> str:
    """{task: comparisons} in one row for each number of bits, by the task's last metric."""
    lines, columns = [], []
    for task, found in by_task.items():
        name = f"[{TASKS[task]}](experiments/{task}/README.md)"
        for ours, theirs in dict.fromkeys((r.ours, r.theirs) for r in found if _is_halp_and_lp(r)):
            rows = {(r.metric, r.at): r for r in found if (r.ours, r.theirs) == (ours, theirs)}
            of = found[-1].metric
            kinds = (of, "epochs"), (of, "cost"), (TRAINING_LOSS.name, "epochs")
            columns.append([rows[kind].verdict for kind in kinds])
            bits = ours.removesuffix("-quantized").removeprefix("halp")
            cells = name, bits, of.removeprefix("validation "), *(_cell(rows[k]) for k in kinds)
            lines.append("| " + " | ".join(cells) + " |")
            name = ""
    head = "| task | bits | validation | at equal epochs | at equal gradient evaluations |"
    total = "| | | | " + " | ".join(map(_total, zip(*columns, strict=True))) + " |"
    return "\n".join([f"{head} training loss, equal epochs |", "|---" * 6 + "|", *lines, total])


def _total(verdicts):
    wins, ties, losses = (verdicts.count(word) for word in ("wins", "ties", "loses"))
    return f"**{wins} wins, {ties} ties, {losses} losses**"


def _is_halp_and_lp(r):
    return r.ours.startswith("halp") and r.ours.replace("halp", "lp", 1) == r.theirs


def _cell(r):
    emphasis = "**" if r.verdict == "wins" else ""
    return f"{emphasis}{r.verdict}{emphasis} {r.seeds}: {r.difference}"


if __name__ == "__main__":
    fill_readme()
