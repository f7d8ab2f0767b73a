"""What one check says."""

import dataclasses
import warnings
from collections.abc import Callable, Iterable

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
    findings = []
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
    """The first line of what an exception says, and its kind."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
