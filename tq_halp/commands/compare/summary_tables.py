"""The tables of a comparison and the text around them."""

import math
from collections.abc import Iterator

from tq_halp.commands.compare.candidates import Candidate, Tuned
from tq_halp.commands.compare.compared_run import FINISHED
from tq_halp.commands.compare.equal_budget import EPOCHS, EVALUATIONS, SECONDS, Metric
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.statistics import Mean, Paired
from tq_halp.commands.compare.text_and_tables import Code, Document, Section, Table, Text


def document(results: Results, command: str) -> Document:
    """The whole summary; empty sections are left out.

    Args:
        command: the command line that was given.
    """
    sections = [
        Section("Results", [_results(results), *map(Text, _notes(results))]),
        Section("Pairs", list(_pairs(results))),
        Section("Tuning", list(_tuning(results))),
        Section("Runs that did not finish", list(_failures(results))),
        Section("Settings", list(_settings(results))),
        Section("Versions", list(_versions(results))),
        Section("Command", [Code(command)]),
    ]
    return Document(results.title, [section for section in sections if section.blocks])


def _results(results: Results) -> Table:
    """One row per candidate: final, best and test metrics, and what it took."""
    has_grid, has_test = bool(results.tries), _has_test(results)
    head = ["label", "algorithm"] + (["tuned"] if has_grid else []) + ["seeds"]
    words = len(head) - 1
    for metric in results.metrics:
        head += [metric.name, f"best {metric.name}"]
        head += [f"test {metric.short}"] if has_test else []
    rows = []
    for candidate in results.comparison.candidates:
        row = [candidate.label, candidate.algorithm]
        row += [results.tuned(candidate) or "-"] if has_grid else []
        row += [results.seeds(candidate)]
        for metric in results.metrics:
            row += [shown(results.final(candidate, metric)), shown(results.best(candidate, metric))]
            row += [shown(results.test(candidate, metric))] if has_test else []
        budgets = (results.last(candidate, column) for column, _ in (EPOCHS, EVALUATIONS, SECONDS))
        rows.append(row + ["-" if b is None else f"{b.value:.4g}" for b in budgets])
    return Table((*head, "epochs", "passes over the data", "seconds"), rows, words)


def _has_test(results: Results) -> bool:
    candidates, metrics = results.comparison.candidates, results.metrics
    return any(results.test(e, m) is not None for e in candidates for m in metrics)


def _notes(results: Results) -> Iterator[str]:
    """How to read the table of results."""
    yield (
        "Mean ± standard error over the seeds whose run finished: after the last epoch, and at the "
        "best one. One pass over the data is one gradient per training example: a step of HALP or "
        "SVRG takes two minibatch gradients, a snapshot takes a whole pass."
    )
    if results.tries:
        by = f"{results.comparison.tune_by} validation loss of {_tune_seeds(results)}"
        yield f"Tuned values were chosen by the {by}, from the grids below."
    yield from results.remarks()


def _pairs(results: Results) -> Iterator[Text | Table]:
    """The candidates against the baseline, at equal epochs and at equal cost."""
    base = results.comparison.baseline
    others = [e for e in results.comparison.candidates if e.label != base]
    if not others:
        return
    yield Text(
        f"Each candidate against {base}, in pairs of runs with the same seed. At equal epochs: the "
        "last evaluation up to the epoch that every finished run reached. At equal cost: the last "
        "evaluation up to the gradient evaluations that every finished run reached. Difference: "
        f"its value minus that of {base}, mean ± standard error over the pairs in which both runs "
        "finished; p: two-sided paired t-test. A run that failed while the other of its pair "
        "finished lost the pair, and is in no mean."
    )
    head = ("label", "metric", "difference", "p", "better / equal / worse", "pairs")
    for title, (column, unit) in (("epochs", EPOCHS), ("cost", EVALUATIONS)):
        yield Text(f"At equal {title}, {results.budget(column):.6g} {unit}:")
        compared = [(e, m) for m in results.metrics for e in others]
        yield Table(head, [_pair(e, m, results.paired(e, m, column, base)) for e, m in compared], 2)


def _pair(candidate: Candidate, metric: Metric, pair: Paired) -> list[str]:
    both = pair.difference.count if pair.difference else 0
    counts = f"{pair.wins} / {pair.ties} / {pair.losses}"
    difference, p = shown(pair.difference, sign="+"), p_value(pair.p)
    return [candidate.label, metric.name, difference, p, counts, f"{both} of {pair.count}"]


def _tune_seeds(results: Results) -> str:
    seeds = results.comparison.tune_seeds
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _tuning(results: Results) -> Iterator[Text | Table]:
    """A table of each candidate's grid."""
    by = f"{results.comparison.tune_by} validation loss, {_tune_seeds(results)}"
    for candidate, tries in results.tries.items():
        best = results.comparison.choice(candidate)
        rows = []
        for tuned, runs in tries.items():
            score = results.comparison.score(runs)
            ends = [results.status(run) for run in runs if results.outcomes[run].status != FINISHED]
            said = shown(score) if score is not None else ", ".join(dict.fromkeys(ends))
            rows.append([", ".join(runs[0].values), said, "chosen" if tuned == best else ""])
        yield Table((candidate.label, by, ""), rows)
        for key in _edges(candidate, best):
            yield Text(
                f"{candidate.label}: the chosen {key} is at the edge of its grid; a better one may "
                "lie beyond."
            )


def _edges(candidate: Candidate, best: Tuned | None) -> Iterator[str]:
    """The keys whose chosen number is the smallest or largest of its grid."""
    for key, value in best or ():
        numbers = [v for v in dict(candidate.grid)[key] if not isinstance(v, (str, bool))]
        if numbers and value in (min(numbers), max(numbers)):
            yield key


def _failures(results: Results) -> Iterator[Table]:
    """The runs that did not finish."""
    rows = []
    for run in results.failed():
        outcome = results.outcomes[run]
        epoch = outcome.rows[-1]["epoch"] if outcome.rows else "0"
        rows.append([run.name, results.status(run), run.reason(outcome), epoch])
    if rows:
        yield Table(("run", "state", "reason", "after epoch"), rows, 3)


def _settings(results: Results) -> Iterator[Text | Code | Table]:
    """The common settings, and those of each candidate."""
    comparison = results.comparison
    yield Text("What the runs have in common:")
    yield Code(comparison.common_yaml())
    rows = []
    for candidate in comparison.candidates:
        own = candidate.overrides()
        common = comparison.shared
        rows.append([candidate.label, ", ".join(s for s in own if s not in common)])
    yield Table(("label", "its own settings"), rows, 2)
    seeds = ", ".join(map(str, comparison.seeds))
    yield Text(f"Seeds: {seeds}. Each run's whole config is in runs/<run>/config.yaml.")


def _versions(results: Results) -> Iterator[Table]:
    """The versions that the runs used."""
    found: dict[str, dict[str, None]] = {}
    for outcome in results.outcomes.values():
        summary = outcome.summary
        about = {
            **summary.get("versions", {}),
            "quant_ops backend": summary.get("quant_ops_backend"),
            "git revision": summary.get("git_revision"),
        }
        for name, version in about.items():
            found.setdefault(name, {})[version or "-"] = None
    if found:
        yield Table(("of", "version"), [[name, ", ".join(v)] for name, v in found.items()], 2)


def shown(mean: Mean | None, sign: str = "") -> str:
    """ "352.5 ± 8.7": the error with two significant digits, the mean to the same decimal place."""
    if mean is None:
        return "-"
    if not mean.error or not math.isfinite(mean.error):
        return f"{mean.value:{sign}.5g}" + (" ± 0" if mean.error == 0 else "")
    place = max(0, 1 - math.floor(math.log10(mean.error)))
    if place <= 7:
        return f"{mean.value:{sign}.{place}f} ± {mean.error:.{place}f}"
    digits = place + 1 + math.floor(math.log10(abs(mean.value) or mean.error))
    return f"{mean.value:{sign}.{min(max(digits, 2), 15)}g} ± {mean.error:.2g}"


def p_value(p: float | None) -> str:
    """A p value in a table."""
    if p is None:
        return "-"
    return "< 0.0001" if p < 0.0001 else f"{p:.2g}"
