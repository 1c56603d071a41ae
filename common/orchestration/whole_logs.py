"""The answers of `Logs`, for every day of a lake at once: each log is read once, and days are looked up in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cached_property

from common.contracts.layout import STAGES, Table
from common.days import EARLIEST
from common.lake.log import delta_log
from common.lake.log.commit_index import CommitIndex
from common.lake.log.delta_log import NO_TABLE, Commit
from common.orchestration import verdicts
from common.orchestration.changes import Dates, Logs
from common.orchestration.verdicts import Verdict
from common.runtime.run import Run

# The jobs whose commits to the verdicts say nothing about a table.
OTHER_GATES = {name: {f"validate-{other}" for other in STAGES if other != name} for name in STAGES}


class WholeLogs(Logs):
    """The logs of one dataset, as its tables are when this object is made."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._indexes: dict[str, CommitIndex] = {}
        self._now: dict[str, tuple[str, int]] = {}
        self._verdicts: dict[str, dict[date, Verdict | None]] = {}

    def index(self, table: Table) -> CommitIndex:
        if table.path not in self._indexes:
            self._indexes[table.path] = CommitIndex(self.of(table))
        return self._indexes[table.path]

    def now(self, table: Table) -> tuple[str, int]:
        if table.path not in self._now:
            newest = self.index(table).newest
            known = newest != NO_TABLE and (delta_log.table_id(self.run.path(table), newest), newest)
            self._now[table.path] = known or super().now(table)
        return self._now[table.path]

    def about(self, table: Table, ds: date) -> Iterable[Commit]:
        return self.index(table).about(ds)

    def after(self, table: Table, version: int, dates: Dates) -> Iterable[Commit]:
        return self.index(table).after(version, dates)

    def since(self, table: Table, then: tuple[str, int], dates: Dates) -> Iterable[Commit] | None:
        (table_id, version), (now_id, now), index = then, self.now(table), self.index(table)
        if version > now:
            return super().since(table, then, dates)
        if version != NO_TABLE and table_id != now_id:
            return None
        if version != now and not index.oldest <= version + 1 <= now <= index.newest:
            return None
        return [commit for commit in index.after(version, dates) if commit.version <= now]

    def verdicts(self, name: str, days: list[date]) -> dict[date, Verdict]:
        known = self._verdicts.setdefault(name, {})
        if unread := [day for day in days if day not in known and not self._from_commit(name, day)]:
            known |= {**dict.fromkeys(unread), **verdicts.read(self.run, name, unread)}
        return {day: verdict for day in days if (verdict := known[day])}

    def _from_commit(self, name: str, day: date) -> bool:
        """Whether the log alone tells the verdict: that of a validation which passed, unless somebody else wrote since."""
        index = self.index(verdicts.table_of(self.run.contract))
        commit = next((each for each in index.about(day) if each.books["job"] not in OTHER_GATES[name]), None)
        verdict = verdicts.passed_by(commit, self.run.contract, name) if commit else None
        if commit is None or verdict is None or index.after(commit.version, ()):
            return False
        self._verdicts[name][day] = verdict
        return True

    def arrived(self, first: date) -> set[date]:
        return self._arrived

    @cached_property
    def _arrived(self) -> set[date]:
        return super().arrived(EARLIEST)
