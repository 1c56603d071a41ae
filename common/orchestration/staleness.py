"""Whether a day is up to date, and which days are not: derived from the tables' logs whenever it is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile

from common.contracts import datasets
from common.contracts.layout import Table
from common.days import latest_day
from common.lake import delta_log
from common.lake.commit_metadata import with_snapshot
from common.lake.delta_log import NO_TABLE, Commit, TableLog
from common.orchestration import stages
from common.orchestration.stages import Stage, State, Watch
from common.runtime.run import Run
from common.runtime.settings import Settings

# These jobs rewrite files, never rows.
REWRITING_JOBS = ("compact", "maintain")
# The jobs whose lines say which days are stale.
MAKING_ROWS = ("ingest", "clean", "features")


class Logs:
    """The tables' logs, each listed once."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._logs: dict[str, TableLog] = {}

    def of(self, table: Table) -> TableLog:
        if table.path not in self._logs:
            self._logs[table.path] = TableLog(self._run.path(table))
        return self._logs[table.path]


def source_tables(stage: Stage, run: Run) -> list[Table]:
    return [watch.table for watch in stage.sources(run.contract, run.ds)]


def state_of(stage: Stage, run: Run) -> State | None:
    """What the last complete commit of the day was made from; None if there is none, or the log is gone."""
    log = TableLog(run.path(stage.target(run.contract)))
    return next((state for commit in log.since_day(run.ds) if (state := stage.state(commit, run.ds))), None)


def is_current(stage: Stage, run: Run, state: State | None) -> bool:
    """Whether the day was made by the code and from the sources as they are now, at the versions that the run has fixed."""
    if state is None or state.facts.get("code") != run.code or state.facts.get("source", "") != run.source:
        return False
    return not is_stale(stage, run, state, Logs(run))


def is_stale(stage: Stage, run: Run, state: State, logs: Logs) -> bool:
    """Whether what the day was made from has changed since, or what it wrote is gone."""
    target = stage.target(run.contract)
    later = takewhile(lambda commit: commit.version > state.commit.version, logs.of(target))
    if any(_matters(commit, lambda each: stage.undone_by(each, run.contract, run.ds)) for commit in later):
        return True
    if any(_moved(watch, run, state, logs) for watch in stage.sources(run.contract, run.ds)):
        return True
    return any(_gone(table, run, state, logs) for table in stage.beside(run.contract))


def _moved(watch: Watch, run: Run, state: State, logs: Logs) -> bool:
    """Whether the source has had a commit since that matters, or is another table, or its log no longer says."""
    source, path = state.source(watch.table), watch.table.path
    if source is None:
        return True
    table_id, since = source
    if since != NO_TABLE and table_id != run.ids[path]:
        return True
    commits = logs.of(watch.table).between(since, run.at[path])
    return commits is None or any(_matters(each, watch.matters) for each in commits if not _same_run(each, state))


def _gone(table: Table, run: Run, state: State, logs: Logs) -> bool:
    """Whether a table that the day also wrote is another one now, or somebody else has changed it."""
    table_id, since = (state.facts.get("beside") or {}).get(table.path, (None, NO_TABLE))
    newest = delta_log.version(run.path(table))
    if table_id is None or table_id != delta_log.table_id(run.path(table), newest):
        return True
    commits = logs.of(table).between(since, newest)
    return commits is None or not all(commit.ours for commit in commits)


def _same_run(commit: Commit, state: State) -> bool:
    return all(commit.books.get(name) == state.commit.books.get(name) for name in ("run_id", "job", "ds"))


def _matters(commit: Commit, matters: stages.Matters) -> bool:
    """Commits of others always matter; ours unless they only rewrote files, or changed no row."""
    if not commit.ours:
        return True
    if commit.books["job"] in REWRITING_JOBS or commit.touched == frozenset():
        return False
    return matters(commit)


def _by_same_run(commit: Commit, books: dict[str, object]) -> bool:
    return all(commit.books.get(name) == books.get(name) for name in ("run_id", "job", "ds"))


def changes(commit: Commit, ds: date) -> bool:
    """Whether the commit may have changed rows that the day's own run wrote."""
    return _matters(commit, lambda each: ds in each.days)


def days_made(stage: Stage, run: Run, first: date) -> set[date]:
    """The days from `first` on that the job has made."""
    log = TableLog(run.path(stage.target(run.contract)))
    return {day for commit in log.since_day(first) for day in stage.days(commit) if day >= first}


def stale_after(dataset: str, ds: date, settings: Settings) -> list[date]:
    """The days, from ds on, that ds can have reached and that are no longer up to date."""
    return stale_days(_asking(dataset, ds, settings))


def all_stale(dataset: str, settings: Settings) -> list[date]:
    """Every day that the logs know and that is no longer up to date."""
    return stale_days(_asking(dataset, latest_day(), settings), everything=True)


def _asking(dataset: str, ds: date, settings: Settings) -> Run:
    return Run("", datasets.load(dataset), ds, settings, run_id="", code="")


def stale_days(run: Run, everything: bool = False) -> list[date]:
    contract = run.contract
    asked = (stages.CLEAN, stages.FEATURES, stages.PUBLISH)
    tables = {table.path: table for stage in asked for table in source_tables(stage, run)}
    now, logs = with_snapshot(run, list(tables.values())), Logs(run)
    reach = timedelta(days=max(0, contract.features.window_days - 1) + contract.lateness_days)
    first, last = (date.min, date.max) if everything else (run.ds, run.ds + reach)
    stale: set[date] = set()
    for stage in asked:
        log = logs.of(stage.target(contract))
        seen: set[date] = set()
        for commit in log if everything else log.since_day(first):
            for day in stage.days(commit):
                if day in seen or not first <= day <= last:
                    continue
                seen.add(day)
                state = stage.state(commit, day)
                if state is None or is_stale(stage, replace(now, ds=day), state, logs):
                    stale.add(day)
    return sorted(stale)
