"""The result of a check: expectation, column, outcome, counts and examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from common.contracts.expectations import Severity

EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """`problem` says why a check could not run; it is empty for a check that failed on bad data."""

    expectation: str
    severity: Severity
    success: bool
    kind: str = "rows"
    column: str | None = None
    checked: int = 0
    failed: int = 0
    observed: Any = None
    limit: Any = None
    examples: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def words(self) -> str:
        subject = f" on {self.column}" if self.column else ""
        if self.problem:
            return f"{self.expectation}{subject} could not be checked: {self.problem}"
        rows = f": {self.failed:,} of {self.checked:,} rows" if self.checked else ""
        observed = f", observed {self.observed}" if self.observed is not None else ""
        limit = f", limit {self.limit}" if self.limit is not None else ""
        examples = f", for example {', '.join(self.examples)}" if self.examples else ""
        return f"{self.expectation}{subject} failed{rows}{observed}{limit}{examples}"

    def facts(self) -> dict[str, Any]:
        """Return the fields that are set, for logs and JSON."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None, [])}


def could_not_run(expectation: str, error: Exception, column: str | None = None) -> CheckResult:
    """Return the result of a check that raised: an error that stops the day."""
    problem = str(error).strip().split("\n")[0]
    return CheckResult(expectation=expectation, column=column, severity=Severity.ERROR, success=False, problem=problem)
