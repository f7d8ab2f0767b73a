"""What a map will do to a model, layer by layer and tensor by tensor, before it is done."""

import dataclasses
import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tq_halp.quantization_map.matching import Decision, check, decide, find_leaves
from tq_halp.quantization_map.rules import Rule
from tq_halp.quantizers import Quantizer


@dataclasses.dataclass(frozen=True)
class Row:
    """One tensor of one layer."""

    layer: str  # path
    class_name: str
    tensor: str  # role, or "all" for a layer that stays as it is
    quantizer: Quantizer | None  # None: floating point
    rule: int | None  # number of the rule that decided, from 1; None: no rule did


@dataclasses.dataclass(frozen=True)
class Plan:
    """The rows of all layers that hold weights or are quantized; `print(plan)` shows a table."""

    rows: tuple[Row, ...]

    def __str__(self):
        table = Table("layer", "class", "tensor", "format", "rule")
        previous = None
        for row in self.rows:
            is_first = row.layer != previous
            if is_first and previous is not None:
                table.add_section()
            previous = row.layer
            table.add_row(
                row.layer if is_first else "",
                row.class_name if is_first else "",
                row.tensor,
                "float" if row.quantizer is None else str(row.quantizer),
                "-" if row.rule is None else str(row.rule),
            )
        # A fixed width: the text is the same in a terminal, a log and a test.
        console = Console(file=io.StringIO(), width=120, color_system=None, markup=False)
        console.print(table)
        return console.file.getvalue().rstrip("\n")


def plan(model, rules: Sequence[Rule]) -> Plan:
    """The plan of applying `rules` to `model`.

    Raises:
        InputError: a rule cannot do what it asks, or the model's layers cannot be known.
    """
    decisions = [decide(leaf, rules) for _, leaf in find_leaves(model)]
    check(decisions, rules)
    return Plan(tuple(row for decision in decisions for row in _rows(decision)))


def _rows(decision: Decision) -> list[Row]:
    leaf, number = decision.leaf, decision.rule and decision.rule.number
    if decision.quantizers:
        return [
            Row(leaf.path, leaf.class_name, role, quantizer, number)
            for role, quantizer in decision.quantizers.items()
        ]
    return [Row(leaf.path, leaf.class_name, "all", None, number)] if leaf.has_weights else []
