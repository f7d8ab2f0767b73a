"""`Plan`: a table of what a map does to each tensor of each layer of a model."""

import dataclasses
import io
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from rich.console import Console
from rich.table import Table

from tq_halp.quantization_map.layer_tree import find_leaves
from tq_halp.quantization_map.rules.check_rules import check
from tq_halp.quantization_map.rules.matching import Decision, decide
from tq_halp.quantization_map.rules.rule import Rule
from tq_halp.quantizers import AnyQuantizer


@dataclasses.dataclass(frozen=True)
class Row:
    """One tensor of one layer."""

    layer: str  # path
    class_name: str
    tensor: str  # role; "all": the layer is not changed
    quantizer: AnyQuantizer | None  # None: floating point
    rule: int | None  # number of the rule that decided, from 1; None: no rule did
    why: str = ""  # why it stays in floating point

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON. `format` is the quantizer's mapping, as in a map, or null."""
        row = dataclasses.asdict(dataclasses.replace(self, quantizer=None))
        del row["quantizer"]
        return {**row, "format": self.quantizer and self.quantizer.get_config()}


@dataclasses.dataclass(frozen=True)
class Plan:
    """A row for each tensor of every layer; `print(plan)` shows a table.

    In the table, tensors of a layer with the same quantizer share a line. Unchanged layers without
    weights are listed below.
    """

    rows: tuple[Row, ...]
    idle: tuple[str, ...] = ()  # paths of unchanged layers without weights

    def to_dict(self) -> dict[str, Any]:
        """Data for JSON: the rows, and the paths of `idle` layers."""
        return {"rows": [row.to_dict() for row in self.rows], "idle": list(self.idle)}

    def __str__(self) -> str:
        table = Table("layer", "class", "tensor", "format", "rule")
        for index, (_, rows) in enumerate(itertools.groupby(self.rows, lambda row: row.layer)):
            if index:
                table.add_section()
            first = True
            for (shown, rule), same in _grouped(rows):
                head = (same[0].layer, same[0].class_name) if first else ("", "")
                table.add_row(*head, ", ".join(row.tensor for row in same), shown, rule)
                first = False
        # A fixed width: the text is the same in a terminal, a log and a test.
        console = Console(file=io.StringIO(), width=120, color_system=None, markup=False)
        console.print(table)
        if self.idle:
            console.print(f"without weights, left as they are: {', '.join(self.idle)}")
        return console.file.getvalue().rstrip("\n")


def _grouped(rows: Iterable[Row]) -> Iterable[tuple[tuple[str, str], list[Row]]]:
    """((format, rule), rows): the rows of a layer, grouped by format and rule."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        shown = str(row.quantizer) if row.quantizer else f"float: {row.why}" if row.why else "float"
        groups.setdefault((shown, "-" if row.rule is None else str(row.rule)), []).append(row)
    return groups.items()


def plan(model: keras.Model, rules: Sequence[Rule]) -> Plan:
    """The plan of applying `rules` to `model`.

    Raises:
        InputError: a rule is wrong for the model (`check_rules`), or the model is not built.
    """
    decisions = [decide(leaf, rules) for _, leaf in find_leaves(model)]
    check(decisions, rules)
    idle = [d.leaf.path for d in decisions if not d.quantizers and not d.leaf.has_weights]
    return Plan(tuple(row for decision in decisions for row in _rows(decision)), tuple(idle))


def _rows(decision: Decision) -> list[Row]:
    leaf, number = decision.leaf, decision.rule.number if decision.rule else None
    rows = [
        Row(leaf.path, leaf.class_name, role, quantizer, number)
        for role, quantizer in decision.quantizers.items()
    ]
    if not rows and leaf.has_weights:
        rows = [Row(leaf.path, leaf.class_name, "all", None, number, decision.why_float)]
    if decision.momentum is not None:
        rows.append(Row(leaf.path, leaf.class_name, "momentum", decision.momentum, number))
    return rows
