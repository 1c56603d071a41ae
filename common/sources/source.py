"""What ingest asks any source about one period: its fingerprint, what it holds, and the records."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from common.days import end_of, start_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from common.contracts.contract import Contract
    from common.errors import PipelineError


# The fingerprint of a period that has not been read yet, and whose content has certainly changed.
UNREAD = "unread"


@dataclass(frozen=True)
class SourceUnit:
    """A part of a period that is read or refused as a whole, such as a file, a table or a partition of a topic."""

    name: str
    records: int | None  # counted by the source, and ingest must account for each; None if only reading tells
    refused: str = ""
    extra: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    digest: str = ""  # of its content, where reading tells
    state: tuple[int, int] | None = None  # size and time of change, where they prove that it has not changed since
    part: int = 0  # of a unit that tasks have shared

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        facts = json.loads(text)
        lists = {name: tuple(facts[name]) for name in ("extra", "absent")}
        return cls(**{**facts, **lists})

    @classmethod
    def joined(cls, parts: Iterable[SourceUnit]) -> SourceUnit:
        """The unit of its parts; refused as a whole if one of them is."""
        found = sorted(parts, key=lambda part: part.part)
        refused = next((part.refused for part in found if part.refused), "")
        records = 0 if refused else sum(part.records or 0 for part in found)
        return replace(
            found[0], records=records, refused=refused, digest=joined_digest([part.digest for part in found])
        )


def joined_digest(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class SourceListing:
    """What a source holds for one period."""

    place: str
    units: tuple[SourceUnit, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)  # for the commit: range, offsets, pages, time of the query
    fingerprint: str = ""  # of what was read, where it was UNREAD before

    @property
    def good(self) -> list[SourceUnit]:
        return [unit for unit in self.units if not unit.refused]

    @property
    def bad(self) -> list[SourceUnit]:
        return [unit for unit in self.units if unit.refused]

    @property
    def records(self) -> int | None:
        """None as long as a unit's number is unknown."""
        counts = [unit.records for unit in self.good if unit.records is not None]
        return sum(counts) if len(counts) == len(self.good) else None


@dataclass(frozen=True)
class Period:
    """One period of one dataset, in UTC, from `start` to just before `end`."""

    contract: Contract
    ds: date
    landing: str = ""  # the root of the landing folders
    raw: str = ""  # the raw table, whose commits say what was taken before
    session: Callable[[], SparkSession] | None = None
    # Of a stream: the offset of each part up to which its records are taken, though more may come, and what says so.
    until: Mapping[int, int] | None = None
    batch: str = ""
    said: Mapping[str, Any] | None = None  # `taken`, from a caller who has read it already

    @property
    def start(self) -> datetime:
        return start_of(self.ds)

    @property
    def end(self) -> datetime:
        return end_of(self.ds)

    def reaching_back(self, minutes: int) -> tuple[datetime, datetime]:
        """Start so early in the period before: its last records may have been committed, or dated, too late for it."""
        return self.start - timedelta(minutes=minutes), self.end

    @cached_property
    def taken(self) -> dict[str, Any]:
        """What the last ingest of the period wrote into its books about its source; empty before the first."""
        if self.said is not None:
            return dict(self.said)
        from common.lake.log import delta_log  # Airflow reads declarations without Delta

        commit = delta_log.newest_commit(self.raw, "ingest", str(self.ds)) if self.raw else None
        return dict(commit.books.get("sources", {})) if commit else {}

    @property
    def spark(self) -> SparkSession:
        """Starts Spark on first use; not available where only `so_far` is called."""
        assert self.session is not None
        return self.session()


class Source(ABC):
    """Answers for one period."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Unchanged as long as the period's content is; ASKED_ONCE if it can't be read again as it was. No Spark.

        UNREAD where reading tells: `was_read` then has it.
        """

    @abstractmethod
    def holds(self) -> SourceListing:
        """What there is to read. No unit: nothing has come."""

    @abstractmethod
    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        """Every record of the listing's good units as text: `file, problem, record, extra, lines` and the
        contract's columns.

        `file` is the unit's name. A record that can't be parsed has a `problem` and its whole text as `record`. A
        row whose problem is "" is not a record: its `extra` names a column that the contract doesn't know, or its `record` is
        the unit as reading has found it. `lines` add up to the unit's `records`.
        """

    def was_read(self, listing: SourceListing) -> SourceListing:
        """The listing of units as reading has found them, with what the commit says of them."""
        return listing

    @abstractmethod
    def so_far(self) -> Mapping[str, int] | None:
        """The parts that have come, with their sizes; None if the period can't be read yet. No Spark."""

    def changed_after(self, moment: datetime) -> bool:
        """Whether the source says that the period has changed since. No Spark."""
        return False

    def explain(self, error: Exception) -> PipelineError | None:
        """The error of reading, with what to do about it, if the source knows it."""
        return None

    def close(self) -> None:  # noqa: B027
        """Called once the records are read, or nothing is to be read."""
