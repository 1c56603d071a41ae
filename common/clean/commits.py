"""The commits of a clean run, in an order that leaves every reader a correct table in between."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from common.clean.settlement import settle_day
from common.clean.typed_day import TypedDay, type_day
from common.contracts import layout
from common.contracts.layout import Table
from common.lake.log.commit_metadata import beside, recounted
from common.lake.log.delta_log import newest_commit
from common.lake.merging.merge import converge, keep_books
from common.lake.spark_tables import create
from common.runtime.run import Change, Run


@dataclass(frozen=True)
class CleanedDay:
    counts: dict[str, int]
    changes: list[tuple[Table, Change]]
    rows: DataFrame  # those that the day added, as known on the day

    @property
    def version(self) -> int:
        """That of the last commit, which nothing but an equal day goes without."""
        return self.changes[-1][1].version


def commit_day(run: Run, day: TypedDay) -> CleanedDay:
    """The last commit carries the day's counts: a run that is killed before it leaves a day that is not done.

    Rows are set aside before the current ones change, and taken back after: where both tables have a row, readers use
    the one set aside, so they see a corrected key as it was until the last commit.
    """
    processed, superseded = layout.row_versions(run.contract)
    settled = settle_day(day)
    if settled.moved is not None:
        day = type_day(run, settled.moved)
        settled = settle_day(day)
    counts = settled.counts(day)
    for table in (superseded, processed):
        create(run, table)
    says = {"resettled": [str(arrival) for arrival in settled.later_arrivals()]}
    *parts, whole = settled.current()
    taken_back = settled.taken_back()
    changes = [(part.table, converge(run, part, says)) for part in (day.refused, *settled.set_aside(), *parts)]
    if taken_back:
        changes += [(part.table, converge(run, part, says)) for part in (whole, *taken_back)]
    settled.meet_others()
    judged = recounted(run, processed, {"counts": counts, "refused_before": _refused_before(run)})
    books = {**judged, **says, **beside(run, [day.refused.table, superseded])}
    last = keep_books(run, processed, books) if taken_back else converge(run, whole, books)
    changes.append((processed, last))
    return CleanedDay(counts, changes, settled.known())


def _refused_before(run: Run) -> int:
    """The records that ingest refused: the gate judges them together with those of clean."""
    ingested = newest_commit(run.path(layout.raw(run.contract)), "ingest", str(run.ds))
    return int(ingested.books.get("counts", {}).get("quarantined", 0)) if ingested else 0
