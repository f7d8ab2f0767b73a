"""What one check says."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable

from tq_halp import errors

OK, WARNING, FAILURE = "ok", "warning", "failure"


@dataclasses.dataclass(frozen=True)
class Finding:
    """A line of the table: what was looked at, how it is, what was found, what helps."""

    name: str
    status: str
    found: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """As JSON holds it."""
        return dataclasses.asdict(self)


def look(*checks: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """All that the checks find; an exception in one is a failure, and the others go on."""
    findings: list[Finding] = []
    for check in checks:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # A check says in its finding what is wrong.
                findings += check()
        except Exception as error:
            name = check.__name__.replace("_", " ")
            findings.append(Finding(name, FAILURE, reason(error)))
    return findings


def reason(error: Exception) -> str:
    """Why, as an exception says, and its kind."""
    kind, said = type(error).__name__, errors.reason(error)
    return kind if said == kind else f"{kind}: {said}"
