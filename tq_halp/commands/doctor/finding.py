"""The result of one check."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable

from tq_halp import errors

OK, WARNING, FAILURE = "ok", "warning", "failure"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of the table.

    name: what was checked.
    status: OK, WARNING or FAILURE.
    found: what was found.
    remedy: what helps; "" if nothing is needed.
    """

    name: str
    status: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """The finding for JSON."""
        return dataclasses.asdict(self)


def look(*checks: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of all checks; an exception in a check becomes a FAILURE."""
    findings: list[Finding] = []
    for check in checks:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # The finding says what is wrong.
                findings += check()
        except Exception as error:
            name = check.__name__.replace("_", " ")
            findings.append(Finding(name, FAILURE, reason(error)))
    return findings


def reason(error: Exception) -> str:
    """The kind of an exception and its message, in one line."""
    kind, said = type(error).__name__, errors.reason(error)
    return kind if said == kind else f"{kind}: {said}"
