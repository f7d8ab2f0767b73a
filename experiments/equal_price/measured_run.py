"""A run of the experiment, and the row that it leaves."""

import dataclasses
import json
import shutil
from dataclasses import dataclass

from experiments.equal_price.result_rows import Row
from experiments.equal_price.standing import text_of
from experiments.equal_price.worker import FILE
from tq_halp import processor_info
from tq_halp.commands.compare.compared_run import FINISHED, UNFINISHED, Outcome, Run
from tq_halp.errors import InputError


@dataclass(frozen=True)
class MeasuredRun(Run):
    """A run that is over once the loss on the training examples is known too."""

    stage: str = ""

    def outcome(self) -> Outcome:
        """As of ``Run``."""
        found = super().outcome()
        if found.status == FINISHED and not (self.path / FILE).exists():
            return dataclasses.replace(found, status=UNFINISHED)
        return found

    def row(self, metric: str) -> Row:
        """The row of a run that is over.

        Args:
            metric: "accuracy" or "perplexity".

        Raises:
            InputError: another data set was used, since that of the task was not found.
        """
        outcome = self.outcome()
        summary = outcome.summary
        if summary["dataset"]["fallback"]:
            raise InputError(f"data.name: {summary['dataset']['requested']} was not found")
        has_ended = outcome.status == FINISHED
        last = outcome.rows[-1] if outcome.rows else {}
        loss = json.loads((self.path / FILE).read_text("utf-8"))["loss"] if has_ended else ""
        test = (summary["test"] or {}) if has_ended else {}
        versions = {**summary["versions"], "quant_ops": summary["quant_ops_backend"]}
        versions["revision"] = str(summary.get("git_revision")).removesuffix("-dirty")[:12]
        return Row(
            label=self.label,
            algorithm=self.candidate.algorithm,
            stage=self.stage,
            tuned=text_of(self.tuned),
            seed=str(self.seed),
            status=outcome.status,
            epochs=str(self.epochs),
            passes=_short(last.get("gradient_evaluations", "")),
            train_loss=_short(loss),
            val_loss=_short(last.get("val_loss", "")),
            val_metric=_short(last.get(f"val_{metric}", "")),
            test_metric=_short(test.get(metric, "")),
            seconds=f"{float(last.get('seconds') or 0):.0f}",
            settings="; ".join(self.candidate.settings),
            versions=", ".join(f"{name} {value}" for name, value in versions.items()),
            machine=processor_info.model_name() or "unknown",
        )

    def remove_large_files(self) -> None:
        """The checkpoints, which may hold a table of gradients, and the model."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)
        (self.path / "model.keras").unlink(missing_ok=True)


def _short(number: str | float) -> str:
    """Eight significant digits."""
    return f"{float(number):.8g}" if number != "" else ""
