"""The three questions that ingest asks any source: its fingerprint, what it holds for a day, and the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class SourceUnit:
    """A part of a day that is read or refused as a whole, such as a file."""

    name: str
    records: int  # counted by the source; ingest must account for each
    refused: str = ""
    extra: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceListing:
    """What a source holds for one day."""

    place: str
    units: tuple[SourceUnit, ...]

    @property
    def good(self) -> list[SourceUnit]:
        return [unit for unit in self.units if not unit.refused]

    @property
    def bad(self) -> list[SourceUnit]:
        return [unit for unit in self.units if unit.refused]

    @property
    def records(self) -> int:
        return sum(unit.records for unit in self.good)


class Source(Protocol):
    def fingerprint(self) -> str:
        """Unchanged as long as the day's content is."""

    def holds(self) -> SourceListing: ...

    def read(self, spark: SparkSession, units: list[SourceUnit]) -> DataFrame:
        """Every record as text: `file, problem, record, extra, lines` and the contract's columns.

        A record that can't be taken apart has a `problem` and its whole text as `record`. A row whose problem is ""
        is no record: its `extra` names a column that the contract doesn't know. `lines` add up to the unit's `records`.
        """
