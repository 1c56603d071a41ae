"""Whether a table has changed since some version, in a way that matters to whoever asks."""

from __future__ import annotations

from datetime import date

from common.contracts.layout import Table
from common.lake import delta_log
from common.lake.delta_log import NO_TABLE, Commit, TableLog
from common.orchestration.stages import Matters
from common.runtime.run import Run

# These jobs rewrite files, never rows.
REWRITING_JOBS = ("compact", "maintain")


class Logs:
    """The tables' logs, each listed once. A run sees its sources as it has fixed them, and any other table as it is."""

    def __init__(self, run: Run) -> None:
        self.run = run
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

    def changed(self, table: Table, then: tuple[str, int], matters: Matters) -> bool:
        """Whether a commit that matters came since, the table was made anew, or the log no longer says."""
        (table_id, version), (now_id, now) = then, self.now(table)
        if version != NO_TABLE and table_id != now_id:
            return True
        commits = self.of(table).between(version, now)
        return commits is None or any(matters(commit) for commit in commits)


def changes_rows(commit: Commit, matters: Matters) -> bool:
    """Commits of others always matter; ours unless they only rewrote files, or changed no row."""
    if not commit.ours:
        return True
    if commit.books["job"] in REWRITING_JOBS or commit.touched == frozenset():
        return False
    return matters(commit)


def changes_day(commit: Commit, ds: date) -> bool:
    """Whether the commit may have changed rows that the day's own run wrote."""
    return changes_rows(commit, lambda each: ds in each.days)
