"""The aggregates that a contract declares features with. `common.features` computes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from common.contracts.checking.field_types import require_types
from common.contracts.number_types import EXACT, sum_type
from common.errors import require
from common.names import did_you_mean

DATE_PARTS = ("year", "month", "day", "dayofweek", "quarter")
TypeOf = Callable[[str], str]


@dataclass(frozen=True)
class Aggregate(ABC):
    """The rule that computes one feature column."""

    fits_window: ClassVar[bool] = False
    fits_snapshot: ClassVar[bool] = False
    returns: ClassVar[str] = "double"

    def __post_init__(self) -> None:
        require_types(self, type(self).__name__, but=("days", "ago"))

    @property
    @abstractmethod
    def words(self) -> str:
        """The definition for people; stored in commits."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of the processed table that the rule needs."""
        return ()

    def type(self, type_of: TypeOf) -> str:
        """Return the feature's type; `type_of` returns the type of a processed column."""
        return self.returns


@dataclass(frozen=True)
class Windowed(Aggregate):
    """Aggregates the event dates in (ds - days, ds], or the same `ago` days before; counted in the contract's periods."""

    days: int
    ago: int = field(default=0, kw_only=True)
    fits_window: ClassVar[bool] = True
    unit = "day"  # the contract sets it

    def __post_init__(self) -> None:
        fault = f"{type(self).__name__}: {self.days!r} is not a whole number of days; the window comes first, like 7"
        require(type(self.days) is int, fault)
        super().__post_init__()
        require(self.days > 0, f"{self.words}: a window of {self.days} days is empty; declare at least 1 day")
        whole = type(self.ago) is int and self.ago >= 0
        require(whole, f"{self.words}: ago {self.ago!r} is not allowed; expected a whole number from 0")

    @property
    def before(self) -> str:
        """In words, how long ago the window ended; empty if it ends with ds."""
        return f", {self.ago} {self.unit}s before" if self.ago else ""


@dataclass(frozen=True)
class Count(Windowed):
    returns: ClassVar[str] = "long"

    @property
    def words(self) -> str:
        return f"events in the last {self.days} {self.unit}s{self.before}"


@dataclass(frozen=True)
class ActiveDays(Windowed):
    returns: ClassVar[str] = "int"

    @property
    def words(self) -> str:
        return f"days with an event, of the last {self.days}{self.before}"


@dataclass(frozen=True)
class DaysSinceLast(Windowed):
    returns: ClassVar[str] = "int"

    @property
    def words(self) -> str:
        return f"days from the last event date to ds, within {self.days} days{self.before}"


@dataclass(frozen=True)
class ColumnAggregate(Windowed):
    column: str
    phrase: ClassVar[str]
    types: ClassVar[tuple[str, ...]] = ()  # allowed column types; empty allows any

    @property
    def words(self) -> str:
        return f"{self.phrase} {self.column} over the last {self.days} {self.unit}s{self.before}"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True)
class Sum(ColumnAggregate):
    phrase: ClassVar[str] = "sum of"
    types: ClassVar[tuple[str, ...]] = EXACT

    def type(self, type_of: TypeOf) -> str:
        return sum_type(type_of(self.column))


@dataclass(frozen=True)
class Mean(ColumnAggregate):
    phrase: ClassVar[str] = "mean of"
    types: ClassVar[tuple[str, ...]] = EXACT


@dataclass(frozen=True)
class SameType(ColumnAggregate):
    def type(self, type_of: TypeOf) -> str:
        return type_of(self.column)


@dataclass(frozen=True)
class Min(SameType):
    phrase: ClassVar[str] = "smallest"


@dataclass(frozen=True)
class Max(SameType):
    phrase: ClassVar[str] = "largest"


@dataclass(frozen=True)
class Last(SameType):
    """The value of the latest event; the largest value breaks ties."""

    phrase: ClassVar[str] = "last known"


@dataclass(frozen=True)
class MostFrequent(SameType):
    """The smallest value in sort order breaks ties."""

    phrase: ClassVar[str] = "most frequent"


@dataclass(frozen=True)
class Distinct(ColumnAggregate):
    phrase: ClassVar[str] = "number of different values of"
    returns: ClassVar[str] = "long"


@dataclass(frozen=True)
class Share(ColumnAggregate):
    """The share of events for which a boolean column is true.

    Of "all" events, where a null counts as false, or of those for which the column is "known": null if there are none.
    """

    of: str = "all"
    phrase: ClassVar[str] = "share of events with"
    types: ClassVar[tuple[str, ...]] = ("boolean",)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.of in ("all", "known"), f"{self.words}: of {self.of!r} is unknown; expected 'all' or 'known'")

    @property
    def words(self) -> str:
        # The words of "all" are stored in commits, so they stay what they were.
        return super().words if self.of == "all" else f"{super().words}, of those where it is known"


@dataclass(frozen=True)
class FeatureRatio(Aggregate):
    """The ratio of two features (or columns, in a snapshot); `zero` where the divisor is 0 or missing."""

    numerator: str
    divisor: str
    zero: float = 0.0
    fits_window: ClassVar[bool] = True
    fits_snapshot: ClassVar[bool] = True

    @property
    def words(self) -> str:
        return f"{self.numerator} / {self.divisor}, {self.zero} where the divisor is 0 or missing"


@dataclass(frozen=True)
class Pick(Aggregate):
    """The column's value in the day's snapshot."""

    column: str
    fits_snapshot: ClassVar[bool] = True

    @property
    def words(self) -> str:
        return f"{self.column} on ds"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def type(self, type_of: TypeOf) -> str:
        return type_of(self.column)


@dataclass(frozen=True)
class Flag(Aggregate):
    """1 where the column equals the value, else 0."""

    column: str
    value: str
    fits_snapshot: ClassVar[bool] = True
    returns: ClassVar[str] = "int"

    @property
    def words(self) -> str:
        return f"1 where {self.column} is {self.value}, else 0"

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.column,)


@dataclass(frozen=True)
class DatePart(Aggregate):
    """A part of ds: year, month, day, dayofweek (1 is Monday) or quarter."""

    part: str
    fits_snapshot: ClassVar[bool] = True
    returns: ClassVar[str] = "int"

    def __post_init__(self) -> None:
        super().__post_init__()
        hint = did_you_mean(self.part, DATE_PARTS)
        known = ", ".join(DATE_PARTS)
        require(self.part in DATE_PARTS, f"part of ds {self.part!r} is unknown{hint}; expected one of {known}")

    @property
    def words(self) -> str:
        return f"{self.part} of ds"
