"""The tables and sentences of the page, from the CSV files."""

import json
import math
import statistics

from experiments.markdown_sections import table
from experiments.missing_runs import read
from tq_halp.commands.bench.rivals.contenders import OURS
from tq_halp.commands.bench.rivals.race import TARGETS


def seconds(row, target):
    """Of the shortest fit to a target; infinite where there is none."""
    return float(row[f"seconds_{target}"] or math.inf)


def parts_of_page(folder):
    """Mark -> text."""
    rows = read(folder / "results.csv")
    facts = json.loads((folder / "machine.json").read_text())
    parts = {
        "machine": f"{facts['processors']} processors, {facts['processor']}; {facts['system']}; "
        f"{facts['compiler']}; scikit-learn {facts['scikit-learn']}.",
        "verdict": "\n".join(f"- {line}" for line in verdict(rows)),
        "fastest": fastest(rows),
        "cold": table(("contender", "processor seconds"), [
            (row["contender"], row["processor_seconds"]) for row in read(folder / "cold.csv")
        ]),
        "setup": set_up(read(folder / "setup.csv")),
    }  # fmt: skip
    for threads in sorted({row["threads"] for row in rows}):
        parts[f"all-{threads}"] = everything([row for row in rows if row["threads"] == threads])
    return parts


def races(rows):
    """(data, threads) -> its rows, in the order of the file."""
    found = {}
    for row in rows:
        found.setdefault((row["data"], row["threads"]), []).append(row)
    return found


def verdict(rows):
    """One sentence per number of threads and target."""
    for threads in sorted({row["threads"] for row in rows}):
        of = {data: r for (data, n), r in races(rows).items() if n == threads}
        for target in TARGETS:
            winners = {data: best_of(r, target) for data, r in of.items()}
            ours = [data for data, row in winners.items() if row["contender"] in OURS]
            lost = [f"{d} ({row['contender']})" for d, row in winners.items() if d not in ours]
            yield (
                f"{threads} thread(s), to {target} of the least loss: LM-HALP is the fastest on "
                f"{len(ours)} of {len(of)} sets" + (f"; not on {', '.join(lost)}." if lost else ".")
            )


def best_of(rows, target):
    """The row of the shortest fit to the target."""
    return min(rows, key=lambda row: seconds(row, target))


def fastest(rows):
    """Our fastest against the fastest of the others, per race and target."""
    lines = []
    for (data, threads), group in races(rows).items():
        cells = []
        for target in TARGETS:
            ours = min(
                (r for r in group if r["contender"] in OURS), key=lambda r: seconds(r, target)
            )
            other = min(
                (r for r in group if r["contender"] not in (*OURS, "SVRG, float32")),
                key=lambda r: seconds(r, target),
            )
            a, b = seconds(ours, target), seconds(other, target)
            bits = ours["contender"].rpartition(" ")[2]
            mine = f"{1e3 * a:.1f} ({bits})" if a < math.inf else "not reached"
            rival = f"{1e3 * b:.1f} ({other['contender']})" if b < math.inf else "not reached"
            cells.append(f"**{mine}** / {rival}" if a < b else f"{mine} / **{rival}**")
        lines.append((data, threads, *cells))
    return table(("data", "threads", *(f"ms to {target}" for target in TARGETS)), lines)


def everything(rows):
    """All contenders: milliseconds, processor milliseconds, iterations to 1.001, test error."""
    lines = []
    for row in rows:
        times = [f"{1e3 * seconds(row, t):.1f}" if row[f"seconds_{t}"] else "" for t in TARGETS]
        busy = row["processor_1.001"]
        lines.append((
            row["data"], row["contender"], *times, f"{1e3 * float(busy):.1f}" if busy else "",
            row["iterations_1.001"], row["last_ratio"], row["test_error"],
        ))  # fmt: skip
    head = ("data", "contender", *(f"ms to {target}" for target in TARGETS))
    return table(
        (*head, "processor ms to 1.001", "iterations", "last loss / least", "test error"), lines
    )


def set_up(rows):
    """Our stages in readings of the data, and 8/8 against SVRG."""
    lines, ratios = [], {}
    for halp, svrg in zip(rows[::2], rows[1::2], strict=True):
        once = float(halp["read_seconds"])
        ratio = float(svrg["fit_seconds"]) / float(halp["fit_seconds"])
        ratios.setdefault(halp["threads"], []).append(ratio)
        parts = [f"{float(halp[stage]) / once:.2f}" for stage in ("reading", "copying",
                 "first_gradient", "learning_rate")]  # fmt: skip
        total = float(halp["setup_seconds"]) / once
        lines.append((
            halp["data"], halp["threads"], f"{1e3 * once:.1f}", *parts, f"{total:.2f}",
            f"{1e3 * float(halp['fit_seconds']):.0f}", f"{1e3 * float(svrg['fit_seconds']):.0f}",
            f"{ratio:.2f}",
        ))  # fmt: skip
    text = table(
        ("data", "threads", "one reading, ms", "survey", "quantize and copy", "first gradient",
         "learning rate", "set-up, readings", "fit 8/8, ms", "fit SVRG, ms", "of SVRG"), lines,
    )  # fmt: skip
    means = [
        f"{statistics.geometric_mean(found):.2f} with {threads} thread(s)"
        for threads, found in ratios.items()
    ]
    return f"{text}\n\nGeometric means of the last column: {', '.join(means)}."
