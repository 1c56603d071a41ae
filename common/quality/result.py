"""What a check found: which expectation, on what, how it ended, with the numbers and a few examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from common.contracts.expectations import Severity

if TYPE_CHECKING:
    pass

EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """`problem` is set where the check could not run at all, which is not the same as bad data."""

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
        where = f" on {self.column}" if self.column else ""
        if self.problem:
            return f"{self.expectation}{where} could not be checked: {self.problem}"
        counted = f": {self.failed:,} of {self.checked:,} rows" if self.checked else ""
        seen = f", observed {self.observed}" if self.observed is not None else ""
        limit = f", limit {self.limit}" if self.limit is not None else ""
        shown = f", for example {', '.join(self.examples)}" if self.examples else ""
        return f"{self.expectation}{where} failed{counted}{seen}{limit}{shown}"

    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", None, [])}


def could_not_run(expectation: str, error: Exception, column: str | None = None) -> CheckResult:
    """A check that cannot run stops the day like one that fails, and says why."""
    problem = str(error).strip().split("\n")[0]
    return CheckResult(expectation=expectation, column=column, severity=Severity.ERROR, success=False, problem=problem)
