"""The expectations that a contract declares for its tables, besides its columns. The gate checks them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from common.contracts.checking.field_types import require_types
from common.errors import require

# The arguments that name an expectation's columns.
COLUMNS = ("column", "column_A", "column_B", "column_list")


class Severity(StrEnum):
    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True)
class Rule:
    """One expectation, named by its Great Expectations class; any built-in class is allowed."""

    expectation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    table: str = "processed"

    def __post_init__(self) -> None:
        require_types(self, f"rule {self.expectation!r}")

    @property
    def columns(self) -> list[str]:
        values = [value for name, value in self.arguments.items() if name in COLUMNS]
        return [str(column) for value in values for column in ([value] if isinstance(value, str) else value)]

    @property
    def column(self) -> str | None:
        return ", ".join(self.columns) or None

    @property
    def limit(self) -> Any:
        """The declared limit: the number if it is the only argument, else all arguments as text."""
        limits = {name: value for name, value in self.arguments.items() if name not in COLUMNS}
        numbers = [value for value in limits.values() if type(value) in (int, float)]
        return numbers[0] if len(limits) == len(numbers) == 1 else _listed(limits, 240) or None

    @property
    def words(self) -> str:
        """The name under which results are stored and compared across days.

        It leaves out `column_set`, so that a new column does not rename the rule.
        """
        options = {name: value for name, value in self.arguments.items() if name not in (*COLUMNS, "column_set")}
        return f"{self.expectation}({_listed(options, 60)})"


def _listed(arguments: dict[str, Any], longest: int) -> str:
    return ", ".join(f"{name}={_short(value, longest)}" for name, value in arguments.items())


def _short(value: Any, longest: int) -> str:
    text = str(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """The largest allowed age of the newest event at the end of ds; for a snapshot, how long it may stay unchanged."""

    hours: int = 24
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        require_types(self, "freshness")
        require(self.hours > 0, f"freshness: {self.hours} hours is not allowed; expected more than 0")


@dataclass(frozen=True, kw_only=True)
class Volume:
    """How far a day's row count may be from the median of the same weekdays before it.

    The band is `share` of the median or `deviations` robust standard deviations, whichever is wider.
    """

    weeks: int = 4
    share: float = 0.3
    deviations: float = 4.0
    severity: Severity = Severity.WARN

    def __post_init__(self) -> None:
        require_types(self, "volume")
        require(self.weeks >= 2, f"volume: {self.weeks} weeks are too few for a baseline; expected at least 2")
        require(0 < self.share < 1, f"volume: share {self.share} is not in (0, 1)")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a day's values may drift from a reference: the days before it, a fixed day or a training set."""

    days: int = 14
    since: date | None = None
    training_set: str | None = None  # compare features with its newest train split; other tables with the days before
    psi: float = 0.25
    ks: float | None = None  # Kolmogorov-Smirnov distance, for numbers
    js: float | None = None  # Jensen-Shannon distance, for categories
    nulls: float = 0.1
    new_values: int = 0
    severity: Severity = Severity.WARN

    def __post_init__(self) -> None:
        require_types(self, "drift")
        require(self.days > 0, f"drift: {self.days} days of reference are too few; expected at least 1")
        require(
            self.since is None or self.training_set is None,
            f"drift: both since {self.since} and training_set {self.training_set} are declared; keep one",
        )
        require(self.psi > 0, f"drift: psi {self.psi} is not allowed; expected more than 0")
        for name, limit in (("ks", self.ks), ("js", self.js)):
            require(limit is None or 0 < limit < 1, f"drift: {name} {limit} is not in (0, 1)")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A column whose values must exist in the key of another dataset's processed table."""

    column: str
    dataset: str
    key: str
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        require_types(self, f"reference of {self.column!r}")
