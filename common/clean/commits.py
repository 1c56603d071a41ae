"""The commits of a clean run, in an order that leaves every reader a correct table in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from common.clean.settlement import settle_day
from common.clean.typed_day import TypedDay
from common.contracts import layout
from common.contracts.layout import Table
from common.lake.commit_metadata import source_versions
from common.lake.merge import converge
from common.runtime.run import Change, Run


@dataclass(frozen=True)
class CleanedDay:
    counts: dict[str, int]
    refused: tuple[Table, Change]
    settled: list[tuple[Table, Change]]  # of processed and superseded
    later_arrivals: list[date]

    @property
    def changes(self) -> list[tuple[Table, Change]]:
        return [self.refused, *self.settled]


def commit_day(run: Run, day: TypedDay) -> CleanedDay:
    """The commit that makes the day whole carries its counts.

    Rows are set aside before the current ones change, and taken back after: where both tables have a row, readers use
    the one set aside, so they see a corrected key as it was until the last commit.
    """
    settled = settle_day(day)
    counts = settled.counts(day)
    sources = {"sources": source_versions(run, [layout.raw(run.contract)])}
    books = {"counts": counts, **sources}
    *parts, whole = settled.current()
    slices = [
        *[(part, sources) for part in (*settled.set_aside(), *parts)],
        (whole, books),
        *[(part, sources) for part in settled.taken_back()],
    ]
    refused = (day.refused.table, converge(run, day.refused, books))
    changes = [(part.table, converge(run, part, metadata)) for part, metadata in slices]
    return CleanedDay(counts, refused, changes, settled.later_arrivals())
