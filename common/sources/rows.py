"""A source of rows in columns, as Spark reads them: the base of databases and APIs, and of a dataset's own source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from common.contracts.checking import faults
from common.contracts.declared_source import ASKED_ONCE, DeclaredSource, require_least
from common.errors import PipelineError, SourceMissingError
from common.sources.source import Period, Source, SourceListing

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True, kw_only=True)
class RowSource(DeclaredSource):
    """A source that answers three questions about a period. Its methods find whatever they need in its fields."""

    settle_minutes: int = 0  # how long after a period's end its rows may still come

    def __post_init__(self) -> None:
        super().__post_init__()
        require_least(self, {"settle_minutes": 0})

    def holds(self, period: Period) -> SourceListing:
        """What there is to read, and the facts about it that the raw commit keeps."""
        raise NotImplementedError

    def read(self, spark: SparkSession, period: Period, listing: SourceListing) -> DataFrame:
        """The rows, in columns of any type. With several units, `_file` names the unit of each row.

        A record that can't be parsed may come as `_problem` (a code) and `_record` (its text).
        """
        raise NotImplementedError

    def fingerprint(self, period: Period) -> str:
        """Unchanged as long as the period's content is. By default the period can't be read again as it was."""
        return ASKED_ONCE

    def explain(self, period: Period, error: Exception) -> PipelineError | None:
        """What to do about an error of reading, if the source knows it."""
        return None

    def open(self, period: Period) -> Source:
        return OpenedRows(self, period)


@dataclass
class OpenedWhenOver(Source):
    """The base of sources that are read once a period is over; nothing is known of it before."""

    declared: Any
    period: Period

    def so_far(self) -> Mapping[str, int] | None:
        return {} if is_over(self.period, self.declared.settle_minutes) else None


@dataclass
class OpenedRows(OpenedWhenOver):
    """A declared source, asked about one period."""

    declared: RowSource

    def so_far(self) -> Mapping[str, int] | None:
        if self._is_followed:
            return {} if datetime.now(UTC) >= self.period.start else None
        return super().so_far()

    @property
    def _is_followed(self) -> bool:
        """Whether a stream asks, which reads a period while it is open."""
        return self.period.until is not None

    def fingerprint(self) -> str:
        with faults.blamed("fingerprint"):
            return self.declared.fingerprint(self.period)

    def holds(self) -> SourceListing:
        if not self._is_followed:
            require_over(self.period, self.declared.settle_minutes)
        with faults.blamed("holds"):
            return self.declared.holds(self.period)

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        from common.sources.rows_as_text import rows_as_text

        faults.carry_code(self.period.contract.name)
        with faults.blamed("read"):
            rows = self.declared.read(spark, self.period, listing)
        return rows_as_text(rows, self.period.contract, [unit.name for unit in listing.good])

    def explain(self, error: Exception) -> PipelineError | None:
        return self.declared.explain(self.period, error)


@dataclass
class OpenedOnce(OpenedWhenOver):
    """A source that can't be read again as it was: the base of those that hold something open while they are read."""

    def fingerprint(self) -> str:
        return ASKED_ONCE


def is_over(period: Period, settle_minutes: int = 0) -> bool:
    return datetime.now(UTC) >= period.end + timedelta(minutes=settle_minutes)


def require_over(period: Period, settle_minutes: int = 0) -> None:
    """Raise while rows of the period may still come: what is read once must be read late enough."""
    if not is_over(period, settle_minutes):
        until = period.end + timedelta(minutes=settle_minutes)
        raise SourceMissingError(
            f"{period.contract.name} of {period.ds} is not over before {until:%Y-%m-%d %H:%M} UTC, and would be read without "
            "its last rows; run again then"
        )


def require_timely(period: Period, asked: datetime, source: str, what: str, late_hours: int | None) -> None:
    """Raise if, by the source's own clock, the period is not over, or if the present state is read too late for it."""
    if asked < period.end:
        raise SourceMissingError(
            f"by the clock of {source}, it is {asked:%Y-%m-%d %H:%M} UTC and {period.ds} is not over; run again when it is"
        )
    if late_hours is not None and asked - period.end > timedelta(hours=late_hours):
        raise SourceMissingError(
            f"{what} as it was on {period.ds} can no longer be read: the source holds its present state, more than "
            f"{late_hours} hours later. If that is close enough, declare a larger late_hours."
        )
