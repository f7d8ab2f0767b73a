"""The candidates against the baseline: differences, their intervals, and tests over a family."""

from collections.abc import Iterator, Sequence

from tq_halp.commands.compare.candidates import Candidate
from tq_halp.commands.compare.equal_budget import EPOCHS, EVALUATIONS, Metric
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.statistics import Mean, Paired, holm
from tq_halp.commands.compare.table_numbers import effect, interval, p_value, shown
from tq_halp.commands.compare.text_and_tables import Table, Text

_HEAD = (
    *("label", "metric", "difference", "95 % interval", "p", "p, Holm", "d_z (95 % interval)"),
    *("better / equal / worse", "pairs"),
)


def tables(results: Results) -> Iterator[Text | Table]:
    """How to read the tables, then one at equal epochs and one at equal cost.

    With a budget there is none at equal epochs: it would meet the longer runs before the end of
    their schedules.
    """
    base = results.comparison.baseline
    others = [e for e in results.comparison.candidates if e.label != base]
    if not others:
        return
    is_bought = results.comparison.plan is not None
    yield Text(_how_to_read(base, is_bought, bool(results.tries)))
    if not is_bought:
        yield Text(f"At equal epochs, {results.budget(EPOCHS[0]):.6g} {EPOCHS[1]}:")
        yield _table(results, others, base, EPOCHS[0])
    budget = f"{'the budget of ' if is_bought else ''}{results.budget(EVALUATIONS[0]):.6g}"
    yield Text(f"At equal cost, {budget} {EVALUATIONS[1]}:")
    yield _table(results, others, base, EVALUATIONS[0])


def _how_to_read(base: str, is_bought: bool, is_tuned: bool) -> str:
    counted = (
        "At equal cost: the last evaluation of each run, which has spent the budget."
        if is_bought
        else "At equal epochs: the last evaluation up to the epoch that every finished run "
        "reached. At equal cost: the last evaluation up to the gradient evaluations that every "
        "finished run reached."
    )
    tries = (
        " Tries: from how many combinations of values the label and the baseline were chosen."
        if is_tuned
        else ""
    )
    return (
        f"Each candidate against {base}, in pairs of runs with the same seed. {counted} "
        f"Difference: its value minus that of {base}, mean ± standard error over the pairs in "
        "which both runs finished, and the 95 % interval for the true mean by Student's t. p: "
        "two-sided paired t-test. p, Holm: corrected for the number of labels in the table, so "
        "that where no label truly differs, at most 5 of 100 such tables have one below 0.05. "
        "d_z: Cohen's effect size, the mean difference in standard deviations of the differences. "
        "A run that failed while the other of its pair finished lost the pair, and is in no mean."
        f"{tries}"
    )


def _table(results: Results, others: Sequence[Candidate], base: str, column: str) -> Table:
    is_tuned = bool(results.tries)
    (baseline,) = (e for e in results.comparison.candidates if e.label == base)
    rows = []
    for metric in results.metrics:
        pairs = [results.paired(e, metric, column, base) for e in others]
        corrected = holm([pair.p for pair in pairs])
        for candidate, pair, p in zip(others, pairs, corrected, strict=True):
            tries = [f"{candidate.tries} against {baseline.tries}"] if is_tuned else []
            rows.append([candidate.label, *_row(metric, pair, p), *tries])
    return Table((*_HEAD, "tries") if is_tuned else _HEAD, rows, 2)


def _row(metric: Metric, pair: Paired, corrected: float | None) -> list[str]:
    difference: Mean | None = pair.difference
    return [
        metric.name,
        shown(difference, sign="+"),
        interval(pair.interval),
        p_value(pair.p),
        p_value(corrected),
        effect(pair.effect),
        f"{pair.wins} / {pair.ties} / {pair.losses}",
        f"{difference.count if difference else 0} of {pair.count}",
    ]
