"""The tables of a comparison and the text around them."""

from collections.abc import Iterator

from tq_halp.commands.compare import budget_plan, pair_tables
from tq_halp.commands.compare.candidates import Candidate, Tuned
from tq_halp.commands.compare.compared_run import FINISHED
from tq_halp.commands.compare.equal_budget import EPOCHS, EVALUATIONS, SECONDS
from tq_halp.commands.compare.results import Results
from tq_halp.commands.compare.table_numbers import shown
from tq_halp.commands.compare.text_and_tables import Code, Document, Section, Table, Text


def document(results: Results, command: str) -> Document:
    """The whole summary; empty sections are left out.

    Args:
        command: the command line that was given.
    """
    sections = [
        Section("Results", [_results(results), *map(Text, _notes(results))]),
        Section("Pairs", list(pair_tables.tables(results))),
        Section("Budget", list(_budget(results))),
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
    head = ["label", "algorithm"] + (["tuned", "tries"] if has_grid else []) + ["seeds"]
    words = len(head) - 1
    for metric in results.metrics:
        head += [metric.name, f"best {metric.name}"]
        head += [f"test {metric.short}"] if has_test else []
    rows = []
    for candidate in results.comparison.candidates:
        row = [candidate.label, candidate.algorithm]
        row += [results.tuned(candidate) or "-", f"{candidate.tries}"] if has_grid else []
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
        yield (
            f"Tuned values were chosen by the {by}, from the grids below; tries: from how many "
            "combinations of values a label was chosen."
        )
    yield from results.remarks()


def _budget(results: Results) -> Iterator[Text | Table]:
    """What the budget bought."""
    plan = results.comparison.plan
    if plan is None:
        return
    tuning = (
        ""
        if plan.tuning_passes == plan.passes
        else f", and {plan.tuning_passes:g} for a tuning run"
    )
    yield Text(
        f"Each label was trained for as many whole epochs as {plan.passes:g} passes over the "
        f"training data buy{tuning}, second gradients and snapshots counted."
    )
    yield budget_plan.table(plan, results.comparison.candidates)


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
    yield Code(comparison.shown_settings())
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
