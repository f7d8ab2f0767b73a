"""The page's tables, from the rows of ``ops.csv`` and ``cycles.csv``."""

import csv

SIZES = {1 << 24: "16 Mi", 1 << 16: "64 Ki"}
LARGE, SMALL = SIZES
SMALL_TARGET = 0.5
TARGETS = {"fixed_point": (0.9, 0.7), "scaled_integer": (0.9, 0.7)}  # deterministic, stochastic
TARGETS |= {"minifloat": (0.9, 0.7), "power_of_two": (0.9, 0.7)}
TARGETS |= {"block_float": (0.5, 0.5), "mx": (0.5, 0.5)}
WORDS = ("isa", "op", "arguments", "rounding", "dtype")


def read(path):
    """The rows of a CSV file; every column but WORDS holds numbers, or None."""
    with open(path, newline="") as file:
        return [
            {k: v if k in WORDS else float(v) if v else None for k, v in line.items()}
            for line in csv.DictReader(file)
        ]


def key(row):
    """What a line of a table is about: an op with its arguments, and a rounding."""
    return f"{row['op']} {row['arguments']}".strip(), row["rounding"]


def keys(rows):
    return list(dict.fromkeys(map(key, rows)))


def instruction_sets(rows):
    return list(dict.fromkeys(row["isa"] for row in rows))


def goal(row):
    """The part of the copy's rate that is wanted; None where nothing is laid down."""
    if row["op"] not in TARGETS:
        return None
    stochastic = row["rounding"] == "stochastic"
    return TARGETS[row["op"]][stochastic] if row["elements"] == LARGE else SMALL_TARGET


def reached(row):
    """The part of the copy's rate; looped for a small tensor, where a single call hides the op."""
    return row["of_copy" if row["elements"] == LARGE else "looped_of_copy"]


def rate(row):
    """Millions of elements per second, likewise."""
    return row["melem_per_s" if row["elements"] == LARGE else "looped_melem_per_s"]


def in_float32(rows):
    return [row for row in rows if row["dtype"] == "float32"]


def is_short(row):
    return goal(row) is not None and round(reached(row), 2) < goal(row)


def targets(rows):
    """Part of the copy's rate in float32, per size and instruction set, and what falls short."""
    sets = instruction_sets(rows)
    columns = [(size, isa) for size in SIZES for isa in sets]
    head = ["op", "rounding", "target", *(f"{SIZES[size]}, {isa}" for size, isa in columns)]
    lines = [[*head, "met"]]
    for name in keys(rows):
        found = {(r["elements"], r["isa"]): r for r in in_float32(rows) if key(r) == name}
        wanted = [goal(found[size, sets[0]]) for size in SIZES]
        missed = [f"{SIZES[size]} {isa}" for size, isa in columns if is_short(found[size, isa])]
        met = f"no: {', '.join(missed)}" if missed else "yes"
        ratios = [f"{reached(found[column]):.2f}" for column in columns]
        has_goal = None not in wanted
        goals = " / ".join(f"{g:g}" for g in wanted) if has_goal else ""
        lines.append([*name, goals, *ratios, met if has_goal else ""])
    return _table(lines)


def verdict(rows):
    """How many targets are met, per instruction set."""
    counts = []
    for isa in instruction_sets(rows):
        judged = [r for r in in_float32(rows) if r["isa"] == isa and goal(r) is not None]
        met = sum(not is_short(row) for row in judged)
        counts.append(f"{met} of {len(judged)} with {isa}")
    return f"Targets met: {', '.join(counts)}."


def dtypes(rows):
    """Every dtype, and the other contenders, with the best instruction set and 16 Mi elements."""
    best = [r for r in rows if r["isa"] == rows[0]["isa"] and r["elements"] == LARGE]
    names = list(dict.fromkeys(row["dtype"] for row in best))
    lines = [["op", "rounding", "Melem/s, float32", *names, "of composite", "of fake_quant"]]
    for name in keys(best):
        found = {row["dtype"]: row for row in best if key(row) == name}
        first = found["float32"]
        ratios = [_number(found[dtype]["of_copy"], 2) for dtype in names]
        others = [_number(first["of_composite"], 1), _number(first["of_fake_quant"], 2)]
        lines.append([*name, _number(first["melem_per_s"], 0), *ratios, *others])
    return _table(lines)


def profile(rows, cycles):
    """Where the time goes in the rows that fall short: what one element costs."""
    costs = {(row["isa"], key(row)): row for row in in_float32(cycles)}
    head = ["op", "rounding", "elements", "set", "instructions", "cycles"]
    lines = [[*head, "arithmetic, ns", "copy, ns", "op, ns", "threads busy"]]
    for row in filter(is_short, in_float32(rows)):
        cost, op = costs[row["isa"], key(row)], 1e3 / rate(row)
        arithmetic = cost["nanoseconds"]
        times = [f"{ns:.3f}" for ns in (arithmetic, op * reached(row), op)]
        counts = [_number(cost["instructions"], 2), _number(cost["cycles"], 2)]
        place = [SIZES[row["elements"]], row["isa"]]
        lines.append([*key(row), *place, *counts, *times, f"{arithmetic / op:.2f}"])
    return _table(lines) if len(lines) > 1 else "Nothing falls short."


def costs(cycles):
    """Instructions and cycles per float32 element of every op, per instruction set."""
    sets = instruction_sets(cycles)
    head = [f"{isa}, {what}" for isa in sets for what in ("instructions", "cycles")]
    lines = [["op", "rounding", *head]]
    counted = [row for row in in_float32(cycles) if row["instructions"] is not None]
    for name in keys(counted):
        found = {row["isa"]: row for row in counted if key(row) == name}
        cells = [_number(found[i][w], 2) for i in sets for w in ("instructions", "cycles")]
        lines.append([*name, *cells])
    return _table(lines)


def copy_rates(rows):
    """The fastest copy beside any float32 row, in Melem/s, per size."""
    return {
        size: max(rate(r) / reached(r) for r in in_float32(rows) if r["elements"] == size)
        for size in SIZES
    }


def _number(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def _table(lines):
    head, *body = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([head, "|---" * len(lines[0]) + "|", *body])
