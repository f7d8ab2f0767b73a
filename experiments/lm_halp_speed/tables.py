"""The page's tables, from the rows of its CSV files."""

import csv
import statistics

from experiments.markdown_sections import table

WORDS = ("data", "isa", "algorithm", "problem", "contender")
# Words and data bits -> how many times as fast as SVRG, at batch size 64.
TARGETS = {(8, 8): 4.0, (8, 4): 6.0, (16, 16): 1.8}
AVX2_TARGETS = {(8, 8): 3.0}
NORM_TARGET = 1.5
# The ratios at the fastest and at the median epoch then disagree: something else was running.
DISTURBED = 1.15
# ‖∇f‖ at k = 0, 1, 5, 10, 20, 40, of SVRG in float64 and of LM-HALP in 8 bits with μ = 3.
SHOWN = (0, 1, 5, 10, 20, 40)
REFERENCE = {
    "SVRG, float64": (9.8, 4.1, 8e-2, 7e-4, 3e-8, 2e-14),
    "HALP 8/8, μ = 3": (9.8, 3.5, 0.10, 1.0e-3, 1e-7, 1.6e-15),
}


def read(path):
    """The rows of a CSV file; every column but WORDS holds numbers, or None."""
    with open(path, newline="") as file:
        return [
            {k: v if k in WORDS else float(v) if v else None for k, v in line.items()}
            for line in csv.DictReader(file)
        ]


def write(rows, path):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def machine(rows, facts):
    rates = {}
    for row in rows:
        threads = int(row["threads"])
        rates[threads] = max(rates.get(threads, 0), row["read_bytes_per_s"] / 1e9)
    reads = ", ".join(f"{rate:.1f} GB/s with {n}" for n, rate in rates.items())
    return (
        f"{facts['processors']} processors, {facts['processor']}; {facts['system']}; "
        f"{facts['compiler']}; scikit-learn {facts['scikit-learn']}; instruction sets "
        f"{', '.join(instruction_sets(rows))}; load before the run {facts['load_before']}. "
        f"Memory is read at {reads} threads."
    )


def instruction_sets(rows):
    return list(dict.fromkeys(row["isa"] for row in rows))


def bits(row):
    return int(row["word_bits"]), int(row["data_bits"])


def label(row):
    return "float32 SVRG" if row["algorithm"] == "svrg" else "HALP {}/{}".format(*bits(row))


def means(rows):
    """Per instruction set, bits, batch size and threads: geometric means over the data sets."""
    groups = {}
    for row in rows:
        if row["algorithm"] == "halp":
            key = (row["isa"], *bits(row), int(row["batch_size"]), int(row["threads"]))
            groups.setdefault(key, []).append(row)
    return {
        key: {
            "ratio": _mean(members, "total_ratio"),
            "inner": _mean(members, "inner_ratio"),
            "gradient": _mean(members, "gradient_ratio"),
            "norm": max(member["norm_worst"] for member in members),
            "sets": len(members),
        }
        for key, members in groups.items()
    }


def _mean(rows, name):
    return statistics.geometric_mean(row[name] for row in rows)


def goals(key, best):
    """The ratios wanted of a group of `means`: of the best instruction set, and of AVX2 forced."""
    isa, word_bits, data_bits, batch_size, _ = key
    if batch_size != 64:
        return []
    tables = [TARGETS] if isa == best else []
    tables += [AVX2_TARGETS] if isa == "avx2" else []
    return [table[word_bits, data_bits] for table in tables if (word_bits, data_bits) in table]


def targets(rows):
    """The geometric means, and which are wanted."""
    best = instruction_sets(rows)[0]
    head = ("instructions", "batch size", "threads", "words/data", "wanted", "end to end")
    lines = [(*head, "inner loop", "full gradient", "met", "largest norm ratio")]
    for key, mean in sorted(means(rows).items(), key=lambda item: _order(item[0])):
        isa, word_bits, data_bits, batch_size, threads = key
        wanted = goals(key, best)
        ratios = [f"{mean[name]:.2f}" for name in ("ratio", "inner", "gradient")]
        met = ", ".join("yes" if _meets(mean["ratio"], goal) else "no" for goal in wanted)
        names = (isa, str(batch_size), str(threads), f"{word_bits}/{data_bits}")
        lines.append(
            (*names, ", ".join(f"{g:g}" for g in wanted), *ratios, met, f"{mean['norm']:.2f}")
        )
    return table(lines[0], lines[1:])


def _order(key):
    isa, word_bits, data_bits, batch_size, threads = key
    return (isa != "avx512", isa, -batch_size, threads, word_bits, data_bits)


def _meets(ratio, goal):
    return round(ratio, 2) >= goal


def verdict(rows):
    """One sentence per target, and one for the gradient norms."""
    best = instruction_sets(rows)[0]
    lines = []
    for key, mean in sorted(means(rows).items(), key=lambda item: _order(item[0])):
        isa, word_bits, data_bits, _, threads = key
        for goal in goals(key, best):
            short = f"falls short by a factor of {goal / mean['ratio']:.2f}"
            lines.append(
                f"- {word_bits}/{data_bits}, {isa}, {threads} thread{'s' * (threads > 1)}: "
                f"{mean['ratio']:.2f} times as fast as SVRG, {goal:g} wanted: "
                f"{'met' if _meets(mean['ratio'], goal) else short}."
            )
    judged = [r for r in rows if r["algorithm"] == "halp" and r["batch_size"] == 64]
    within = [row for row in judged if row["norm_worst"] <= NORM_TARGET]
    lines.append(
        f"- Gradient norm after every outer epoch within {NORM_TARGET} of SVRG's: in "
        f"{len(within)} of {len(judged)} runs; the largest ratio is "
        f"{max(row['norm_worst'] for row in judged):.2f}."
    )
    pairs = [(row["total_ratio"], row["median_ratio"]) for row in judged]
    disturbed = sum(max(pair) > DISTURBED * min(pair) for pair in pairs)
    lines.append(
        f"- In {disturbed} of these runs the ratios at the fastest and at the median epoch "
        "disagree by over 15 %: the machine was busy with something else."
    )
    return "\n".join(lines)


def details(rows):
    """Every run of one batch size."""
    head = (
        "instructions",
        "data",
        "threads",
        "contender",
        "set-up, s",
        "inner, ms",
        "gradient, ms",
    )
    head += ("total, ms", "of SVRG", "at the median", "GB/s", "of reading")
    lines = [(*head, "norm ratio: largest", "last")]
    for row in rows:
        names = (row["isa"], row["data"], f"{row['threads']:.0f}", label(row))
        times = [f"{1e3 * row[f'{part}_seconds']:,.1f}" for part in ("inner", "gradient", "total")]
        ratios = [f"{row[name]:.2f}" for name in ("total_ratio", "median_ratio")]
        rates = (f"{row['bytes_per_s'] / 1e9:.1f}", f"{row['of_read']:.2f}")
        norms = [f"{row[name]:.2f}" for name in ("norm_worst", "norm_last")]
        lines.append((*names, f"{row['setup_seconds']:.2f}", *times, *ratios, *rates, *norms))
    return table(lines[0], lines[1:])


def profile(rows, in_cache):
    """Nanoseconds per element, one thread, batch size 64: in the cache, of reading, and in all."""
    full = {
        (row["isa"], row["data"], label(row)): row
        for row in rows
        if row["threads"] == 1 and row["batch_size"] == 64
    }
    read = max(row["read_bytes_per_s"] for row in full.values())
    head = ("instructions", "data", "contender", "reading, ns", "inner in cache, ns")
    lines = [(*head, "inner, ns", "gradient in cache, ns", "gradient, ns", "of SVRG in cache")]
    for small in in_cache:
        large = full[small["isa"], small["data"], label(small)]
        costs = [large["data_bits"] / 8 / read]
        for part in ("inner", "gradient"):
            for row in (small, large):
                passes = row["passes"] if part == "inner" else 1
                costs.append(row[f"{part}_seconds"] / (passes * row["samples"] * row["features"]))
        names = (small["isa"], small["data"], label(small))
        lines.append((*names, *(f"{1e9 * c:.3f}" for c in costs), f"{small['total_ratio']:.2f}"))
    return table(lines[0], lines[1:])


def reference(rows):
    """Mean norms over the seeds beside the reference behaviour, and the factor between them."""
    norms = {}
    for row in rows:
        if row["problem"] == "least squares":
            key = row["algorithm"], int(row["epoch"])
            norms.setdefault(key, []).append(row["gradient_norm"])
    shown = [k for k in SHOWN if any(epoch == k for _, epoch in norms)]
    lines = [("measured (reference, factor)", *(f"k = {k}" for k in shown), "within 2x, k ≤ 20")]
    for name in dict.fromkeys(name for name, _ in norms):
        measured = [statistics.fmean(norms[name, k]) for k in shown]
        wanted = REFERENCE.get(name)
        cells, met = [f"{value:.2g}" for value in measured], ""
        if wanted:
            factors = [value / goal for value, goal in zip(measured, wanted, strict=False)]
            cells = [
                f"{cell} ({goal:.2g}, {factor:.2f})"
                for cell, goal, factor in zip(cells, wanted, factors, strict=False)
            ]
            judged = [f for k, f in zip(shown, factors, strict=True) if k <= 20]
            met = "yes" if all(0.5 <= factor <= 2 for factor in judged) else "no"
        lines.append((name, *cells, met))
    return table(lines[0], lines[1:])
