"""What the tables' logs and the gate's verdicts say, and whether a table has changed in a way that matters to a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from itertools import takewhile

from common.contracts import layout
from common.contracts.layout import Table
from common.lake.log import data_files, delta_log
from common.lake.log.delta_log import NO_TABLE, Commit, TableLog
from common.orchestration import verdicts
from common.orchestration.stages import Matters, Stage, State
from common.orchestration.verdicts import Verdict
from common.runtime.run import Run

# These jobs rewrite files; or take one entity out of every version alike, which makes no day stale.
REWRITING_JOBS = ("compact", "maintain", "erase")
Dates = Collection[date]


class Logs:
    """The tables' logs, each listed once.

    A run sees its sources at the versions that it has fixed, and any other table at its newest. Where `dates` are given,
    commits that are known to name none of them may be left out.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.admitted: dict[date, bool] = {}  # which arrivals may be used, as far as known
        self._logs: dict[str, TableLog] = {}

    def of(self, table: Table) -> TableLog:
        if table.path not in self._logs:
            self._logs[table.path] = TableLog(self.run.path(table))
        return self._logs[table.path]

    def now(self, table: Table) -> tuple[str, int]:
        """The table's id and version."""
        if table.path in self.run.ids:
            return self.run.ids[table.path], self.run.at[table.path]
        newest = delta_log.version(self.run.path(table))
        return delta_log.table_id(self.run.path(table), newest), newest

    def state(self, stage: Stage, ds: date) -> State | None:
        """What the last complete commit of the day was made from; None if there is none, or the log is gone."""
        commits = self.about(stage.target(self.run.contract), ds)
        return next((state for commit in commits if (state := stage.state(commit, ds))), None)

    def about(self, table: Table, ds: date) -> Iterable[Commit]:
        """At least the commits about the day, newest first."""
        return self.of(table).since_day(ds)

    def after(self, table: Table, version: int, dates: Dates) -> Iterable[Commit]:
        """The commits of the whole log after a version, newest first."""
        return takewhile(lambda commit: commit.version > version, self.of(table))

    def since(self, table: Table, then: tuple[str, int], dates: Dates) -> Iterable[Commit] | None:
        """The commits between then and now; None if the table was created again, or the log no longer has them."""
        (table_id, version), (now_id, now) = then, self.now(table)
        if version != NO_TABLE and table_id != now_id:
            return None
        return self.of(table).between(version, now)

    def verdicts(self, name: str, days: list[date]) -> dict[date, Verdict]:
        return verdicts.read(self.run, name, days)

    def arrived(self, first: date) -> set[date]:
        """The days, from `first` on, that were cleaned, at least in part, or that have rows in raw."""
        run, found = self.run, set[date]()
        raw, processed = layout.raw(run.contract), layout.processed(run.contract)
        for table in (raw, processed):
            for commit in self.of(table).since_day(first):
                if commit.books.get("job") in ("ingest", "clean") and (
                    commit.touched != frozenset() or (table == processed and commit.complete)
                ):
                    found |= set(commit.days)
        if not self.of(raw).whole:
            found |= data_files.periods(run.path(raw), first)
        return found


def changes_rows(commit: Commit, matters: Matters) -> bool:
    """Commits of others always matter; ours unless they only rewrote files, or changed no row."""
    if not commit.ours:
        return True
    if commit.books["job"] in REWRITING_JOBS or commit.touched == frozenset():
        return False
    return matters(commit)


def changes_source(commit: Commit, matters: Matters) -> bool:
    """The same for what is made from the table, which also depends on how many rows were refused."""
    return changes_rows(commit, matters) or (commit.recounted and matters(commit))


def changes_day(commit: Commit, ds: date) -> bool:
    """Whether the commit may have changed rows that the day's own run wrote, or refused."""
    return changes_source(commit, lambda each: ds in each.days)
