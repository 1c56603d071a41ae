"""What a day of each table is made from: the tables that its job reads, and the commits to them that make it stale."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from common.contracts import layout, suite
from common.contracts.changes import arrivals_until, event_dates
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.contracts.lookup import looked_up
from common.days import day_range, shifted
from common.lake.log.delta_log import Commit
from common.orchestration import verdicts
from common.runtime.run import Run

Matters = Callable[[Commit], bool]


@dataclass(frozen=True)
class Watch:
    """A table that a day is made from. `matters` tells which commits of the pipeline to it make the day stale.

    A commit that is about none of the `dates` never matters: an event in a day's window came within the window, or later.
    """

    table: Table
    matters: Matters
    dates: Collection[date]


@dataclass(frozen=True)
class State:
    """What the last complete commit of a day says that it was made from."""

    commit: Commit
    facts: dict[str, Any]

    def source(self, table: Table) -> tuple[str, int] | None:
        """The id and version of a source table; None for a commit that does not say."""
        ids, versions = self.facts.get("source_ids") or {}, self.facts.get("sources") or {}
        return (ids[table.path], versions[table.path]) if table.path in ids and table.path in versions else None


@dataclass(frozen=True)
class Stage:
    """A job whose last commit of a day, to its `target`, carries the day's counts and says what it was made from."""

    job: str
    target: Callable[[Contract], Table]
    sources: Callable[[Contract, date], Sequence[Watch]]
    # Written before the target; a day whose rows there are gone is made again.
    beside: Callable[[Contract], Sequence[Table]] = lambda contract: ()
    # The arrival days that it reads, as far as the gate has passed them.
    arrivals: Callable[[Contract, date], Sequence[date]] = lambda contract, ds: []
    # Whether a commit of another day to the target changed this day's counts.
    undone_by: Callable[[Commit, Contract, date], bool] = lambda commit, contract, ds: False

    # Whether the feature columns decide its rows, as far as they are declared within the contract alone.
    of_columns: bool = True

    def made_by(self, run: Run, facts: dict[str, Any]) -> bool:
        """Whether the facts of a commit name the code of now, as far as it decides the rows of this step."""
        same_rows = bool(run.rows_code) and facts.get("rows_code") == run.rows_code
        return facts.get("code") == run.code or (same_rows and not self.of_columns)

    def state(self, commit: Commit, ds: date) -> State | None:
        """What the commit says of the day, if it is the last of a run of that day."""
        return State(commit, commit.books) if ds in self.days(commit) else None

    def days(self, commit: Commit) -> list[date]:
        """The days for which the commit has a state."""
        return commit.days if commit.complete and commit.books["job"] == self.job else []


@dataclass(frozen=True)
class Publication(Stage):
    """Published days, of which one commit may hold several, each with facts of its own."""

    def state(self, commit: Commit, ds: date) -> State | None:
        facts = commit.books.get("days", {}).get(str(ds)) if commit.books.get("job") == self.job else None
        if facts is None:
            return None
        path = layout.features_path(commit.books["dataset"], commit.books["feature_version"])
        ids = {path: facts["features_id"]} if "features_id" in facts else {}
        return State(commit, {"sources": {path: facts["features_version"]}, "source_ids": ids})

    def days(self, commit: Commit) -> list[date]:
        return commit.days if commit.books.get("job") == self.job else []


def _of_day(table: Table, ds: date) -> Watch:
    return Watch(table, lambda commit: ds in commit.days, frozenset([ds]))


def _events(contract: Contract, ds: date, days_back: int) -> list[Watch]:
    """Commits by days up to ds that touched one of the event dates from `days_back` days before ds."""
    dates = frozenset(event_dates(contract, ds, days_back))
    # A commit that does not say what it touched may have touched any event date that its arrival day can hold.
    arrivals = arrivals_until(contract, ds, days_back + contract.lateness)

    def matters(commit: Commit) -> bool:
        if commit.touched is None:
            return any(day in arrivals for day in commit.days)
        return min(commit.days) <= ds and not dates.isdisjoint(commit.touched)

    return [Watch(table, matters, arrivals) for table in layout.row_versions(contract)]


def _looked_up(contract: Contract, ds: date, days_back: int) -> list[Watch]:
    """What lookups saw before the event dates from `days_back` periods before ds, and what the gate said of it."""
    return [watch for other in looked_up(contract) for watch in _of_other(other, shifted(ds, -1), days_back)]


def _of_other(other: Contract, last: date, days_back: int) -> list[Watch]:
    arrivals = arrivals_until(other, last, days_back)
    watches = [
        Watch(table, lambda commit: any(day in arrivals for day in commit.days), arrivals)
        for table in layout.row_versions(other)
    ]
    judged = Watch(verdicts.table_of(other), lambda commit: _judges_rows(commit, arrivals), arrivals)
    return [*watches, judged]


def _judges_rows(commit: Commit, arrivals: Collection[date]) -> bool:
    return commit.books["job"] == "validate-processed" and any(day in arrivals for day in commit.days)


def _resettled(commit: Commit, contract: Contract, ds: date) -> bool:
    """Whether the clean of an earlier day may have turned one of this day's records into a duplicate."""
    resettled = commit.books.get("resettled")
    if resettled is None:
        return any(day in day_range(ds, contract.lateness)[:-1] for day in commit.days)
    return str(ds) in resettled


INGEST = Stage(
    "ingest",
    layout.raw,
    lambda contract, ds: (),
    beside=lambda contract: [layout.quarantine(contract)],
    of_columns=False,
)
CLEAN = Stage(
    "clean",
    layout.processed,
    lambda contract, ds: [_of_day(layout.raw(contract), ds)],
    beside=lambda contract: [layout.quarantine(contract), layout.superseded(contract)],
    undone_by=_resettled,
    of_columns=False,
)
PARTIALS = Stage(
    "partials",
    layout.partials,
    lambda contract, ds: [
        *_events(contract, ds, contract.lateness),
        *_looked_up(contract, ds, contract.lateness),
    ],
    arrivals=lambda contract, ds: day_range(ds, contract.lateness),
)
FEATURES = Stage(
    "features",
    layout.features,
    lambda contract, ds: [
        *_events(contract, ds, contract.features.days_back),
        *_looked_up(contract, ds, contract.features.days_back),
    ],
    arrivals=lambda contract, ds: arrivals_until(contract, ds, contract.features.days_back + contract.lateness),
)
PUBLISH = Publication("publish", layout.published, lambda contract, ds: [_of_day(layout.features(contract), ds)])


def validation(table: str) -> Stage:
    def sources(contract: Contract, ds: date) -> list[Watch]:
        return [_of_day(suite.table_of(contract, table), ds)]

    return Stage(f"validate-{table}", verdicts.table_of, sources, of_columns=table == "features")


# The steps of a day, in the order of the backfill. It also compacts, where that pays once the day is written.
STEPS: dict[str, Stage] = {
    "ingest": INGEST,
    "validate-raw": validation("raw"),
    "clean": CLEAN,
    "validate-processed": validation("processed"),
    "features": FEATURES,
    "validate-features": validation("features"),
    "publish": PUBLISH,
}
