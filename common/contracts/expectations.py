"""What a dataset expects of its tables beyond what its columns say: declared in its contract, checked by the gate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from common.errors import require

# The arguments of an expectation that say what it is about.
COLUMNS = ("column", "column_A", "column_B", "column_list")


class Severity(StrEnum):
    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True)
class Rule:
    """One expectation, by the name of its Great Expectations class; any stock one may be declared."""

    expectation: str
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    table: str = "processed"

    @property
    def columns(self) -> list[str]:
        named = [value for name, value in self.arguments.items() if name in COLUMNS]
        return [str(each) for value in named for each in ([value] if isinstance(value, str) else value)]

    @property
    def column(self) -> str | None:
        return ", ".join(self.columns) or None

    @property
    def limit(self) -> Any:
        """What it allows, as it was declared: the number where there is just one, else the arguments in words."""
        limits = {name: value for name, value in self.arguments.items() if name not in COLUMNS}
        numbers = [value for value in limits.values() if type(value) in (int, float)]
        return numbers[0] if len(limits) == len(numbers) == 1 else _listed(limits, 240) or None

    @property
    def words(self) -> str:
        """Its name over the days: a column more in the contract makes no other rule of it."""
        told = {name: value for name, value in self.arguments.items() if name not in (*COLUMNS, "column_set")}
        return f"{self.expectation}({_listed(told, 60)})"


def _listed(arguments: dict[str, Any], longest: int) -> str:
    return ", ".join(f"{name}={_short(value, longest)}" for name, value in arguments.items())


def _short(value: Any, longest: int) -> str:
    text = str(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How much older than the end of its day the newest event may be; for a snapshot, how long it may stay the same."""

    hours: int = 24
    severity: Severity = Severity.ERROR

    def __post_init__(self) -> None:
        require(self.hours > 0, f"freshness: {self.hours} hours is not over 0")


@dataclass(frozen=True, kw_only=True)
class Volume:
    """How far a day's number of rows may be from what the same weekdays before it had: a share of their median, widened
    by how much they differ among themselves."""

    weeks: int = 4
    share: float = 0.3
    deviations: float = 4.0
    severity: Severity = Severity.WARN

    def __post_init__(self) -> None:
        require(self.weeks >= 2, f"volume: {self.weeks} weeks are too few to know what is usual; at least 2")
        require(0 < self.share < 1, f"volume: share {self.share} is not in (0, 1)")


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a day's values may be from a reference: the days before it, one fixed day, or what a model learnt from."""

    days: int = 14
    since: date | None = None
    training_set: str | None = None  # its newest version's train split; for features, the other tables have the days
    psi: float = 0.25
    ks: float | None = None  # Kolmogorov-Smirnov, of numbers
    js: float | None = None  # Jensen-Shannon, of values
    nulls: float = 0.1
    new_values: int = 0
    severity: Severity = Severity.WARN

    def __post_init__(self) -> None:
        require(self.days > 0, f"drift: {self.days} days of reference are none")
        require(
            self.since is None or self.training_set is None,
            f"drift: both since {self.since} and training_set {self.training_set} are declared; keep one",
        )
        require(self.psi > 0, f"drift: a psi of at most {self.psi} can't hold")
        for name, limit in (("ks", self.ks), ("js", self.js)):
            require(limit is None or 0 < limit < 1, f"drift: {name} {limit} is not in (0, 1), where such distances lie")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A column whose values exist in the key of another dataset's processed table."""

    column: str
    dataset: str
    key: str
    severity: Severity = Severity.ERROR
