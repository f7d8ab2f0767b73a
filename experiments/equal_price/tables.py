"""Writes the page's tables and figures from the committed rows alone.

python -m experiments.equal_price.tables
"""

import pathlib
import runpy
from collections.abc import Iterable, Sequence

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

from experiments.equal_price import figures
from experiments.equal_price.candidates import RATE
from experiments.equal_price.pairs import LP_SGD, SGD, against, memory, parts
from experiments.equal_price.result_rows import of_task
from experiments.equal_price.standing import Standing
from experiments.equal_price.tasks import TASKS, Task
from experiments.markdown_sections import fill
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.statistics import Mean
from tq_halp.commands.compare.table_numbers import effect, interval, p_value, shown

HERE = pathlib.Path(__file__).resolve().parent
Cells = Sequence[str]


def write(page: pathlib.Path = HERE / "README.md") -> None:
    """Fills the marked sections of the page and of the project's README, and draws the figures."""
    standings = all_standings()
    for task in TASKS.values():
        own = [standing for standing in standings if standing.task is task]
        fill(page, task.name, section(task, own, page.parent))
    fill(page, "progress", progress(standings))
    found = verdict(standings)
    fill(page, "verdict", found)
    fill(HERE.parents[1] / "README.md", "equal price", found)
    if figures.overview(standings, page.parent / "overview.png"):
        fill(page, "overview", "![each algorithm at each word length](overview.png)")


def all_standings() -> list[Standing]:
    """Every task in every setting that it has, with its committed rows."""
    return [
        Standing(task, setting, task.tiers(setting), of_task(task.name, setting))
        for task in TASKS.values()
        for setting in task.kinds
    ]


def section(task: Task, standings: Sequence[Standing], folder: pathlib.Path) -> str:
    """All about one task."""
    found = [
        f"{task.title}; {task.budget:g} passes, tuning runs {task.tuning_budget:g}. "
        f"`configs/{task.config}`, {' '.join(f'`{each}`' for each in task.settings) or 'as it is'}."
    ]
    if figures.of_task(standings, folder / f"{task.name}.png"):
        found.append(f"![{task.title}]({task.name}.png)")
    for standing in standings:
        found.append(f"**{standing.setting}**" + ("" if len(standing.rows) else ": not begun."))
        if len(standing.rows):
            found += [results(standing), *pair_tables(standing)]
    return "\n\n".join(found)


def results(standing: Standing) -> str:
    """A row for each candidate, those that were not run included."""
    metric = standing.task.metric
    head = ["label", "bits", "tries", "tuned", "seeds", "training loss", f"validation {metric}"]
    head += ["validation loss", f"test {metric}", "passes", "seconds"]
    columns = ("train_loss", "val_metric", "val_loss", "test_metric")
    lines = []
    for candidate in standing.candidates:
        means = [shown(standing.mean(candidate, column)) for column in columns]
        passes, seconds = (standing.mean(candidate, c) for c in ("passes", "seconds"))
        tries = f"{candidate.tries}"
        cells = [candidate.label, _bits(candidate), tries, _tuned(standing, candidate)]
        cells += [standing.counts(candidate), *means, _value(passes), _value(seconds)]
        lines.append(cells)
    return _table(head, lines, 5)


def pair_tables(standing: Standing) -> list[str]:
    """The pairs against both rivals, by training loss and by the metric."""
    found = []
    metric = f"validation {standing.task.metric}"
    head = ["label", "against", "by", "difference", "95 %", "d_z", "p", "p, Holm"]
    head += ["better / equal / worse", "pairs", "so it"]
    for rival in (LP_SGD, SGD):
        lines = []
        for column, name in (("train_loss", "training loss"), ("val_metric", metric)):
            for pair in against(standing, rival, column):
                s = pair.statistics
                both = s.difference.count if s.difference else 0
                cells = [pair.label, pair.rival, name, shown(s.difference, sign="+")]
                cells += [interval(s.interval), effect(s.effect), p_value(s.p)]
                cells += [p_value(pair.corrected), f"{s.wins} / {s.ties} / {s.losses}"]
                lines.append([*cells, f"{both} of {len(standing.task.seeds)}", pair.verdict])
        if lines:
            text = f"<details><summary>{standing.setting}: each against {rival}</summary>"
            found.append(f"{text}\n\n{_table(head, lines, 3)}\n\n</details>")
    return found


def progress(standings: Iterable[Standing]) -> str:
    """How many runs are over, and how long they took; what is left takes about as long each."""
    lines = []
    for standing in standings:
        seconds = [float(row.seconds) for row in standing.rows]
        done, total = len(seconds), standing.total()
        hours = sum(seconds) / 3600
        left = f"{(total - done) * hours / done:.1f}" if done else "?"
        cells = [standing.task.name, standing.setting, f"{done} of {total}", f"{hours:.1f}", left]
        machines = sorted({row.machine for row in standing.rows})
        lines.append([*cells, ", ".join(machines)])
    head = ["task", "setting", "runs", "hours of training", "left, about", "machines"]
    return _table(head, lines, 2)


def verdict(standings: Iterable[Standing]) -> str:
    """Wins, ties and losses by Holm's p, of what has the pairs for it."""
    lines = []
    for standing in standings:
        for rival in (LP_SGD, SGD):
            for column, name in (("train_loss", "training loss"), ("val_metric", "")):
                pairs = [p for p in against(standing, rival, column) if p.verdict]
                by = {kind: [p.label for p in pairs if p.verdict == kind] for kind in _KINDS}
                if pairs:
                    what = name or f"validation {standing.task.metric}"
                    cells = [f"{standing.task.name}, {standing.setting}", rival, what]
                    lines.append([*cells, *(", ".join(by[kind]) or "-" for kind in _KINDS)])
    if not lines:
        return "Not finished: there are no pairs yet."
    unfinished = [s for s in standings if any(s.missing())]
    more = "\n\nNot finished: see the table of what is missing." if unfinished else ""
    return _table(["task", "against", "by", *_KINDS], lines, 6) + more


_KINDS = ("wins", "ties", "loses")


def _bits(candidate: Candidate) -> str:
    _, bits, _ = parts(candidate.label)
    more = (memory(candidate.label) or 0) - (bits or 0)
    return "32" if bits is None else f"{bits} + {more}" if more else f"{bits}"


def _tuned(standing: Standing, candidate: Candidate) -> str:
    chosen = standing.choice(candidate)
    return ", ".join(f"{_name(key)} {value}" for key, value in chosen or ())


def _name(key: str) -> str:
    return "rate" if key.startswith(RATE) else key.rpartition(".")[2].replace("_", " ")


def _value(mean: Mean | None) -> str:
    return "-" if mean is None else f"{mean.value:.4g}"


def _table(head: Cells, lines: Iterable[Cells], words: int) -> str:
    rule = ["---" if place < words else "---:" for place in range(len(head))]
    rows = [head, rule, *lines]
    return "\n".join("| " + " | ".join(cell.replace("<", "\\<") for cell in r) + " |" for r in rows)


if __name__ == "__main__":
    write()
