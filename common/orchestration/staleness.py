"""Whether a day is up to date, and which days are not: derived from the tables' logs whenever it is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import takewhile

from common.contracts import datasets
from common.contracts.declared_source import ASKED_ONCE
from common.contracts.layout import Table
from common.days import latest_day
from common.lake.commit_metadata import with_snapshot
from common.lake.delta_log import NO_TABLE, Commit, TableLog
from common.orchestration import admission, stages
from common.orchestration.changes import Logs, changes_rows
from common.orchestration.stages import Stage, State, Watch
from common.runtime.run import Run
from common.runtime.settings import Settings

# The jobs whose lines say which days are stale.
MAKING_ROWS = ("ingest", "clean", "validate-processed", "features")


def source_tables(stage: Stage, run: Run) -> list[Table]:
    return [watch.table for watch in stage.sources(run.contract, run.ds)]


def with_sources(stage: Stage, run: Run) -> Run:
    """The run with its sources fixed: the version of each table, and the arrivals that it must leave out."""
    fixed = with_snapshot(run, source_tables(stage, run))
    return replace(fixed, left_out=admission.left_out(stage.arrivals(run.contract, run.ds), Logs(fixed)))


def state_of(stage: Stage, run: Run) -> State | None:
    """What the last complete commit of the day was made from; None if there is none, or the log is gone."""
    log = TableLog(run.path(stage.target(run.contract)))
    return next((state for commit in log.since_day(run.ds) if (state := stage.state(commit, run.ds))), None)


def is_current(stage: Stage, run: Run, state: State | None) -> bool:
    """Whether the day was made by the code and from the sources as they are now, at the versions that the run has fixed."""
    if state is None or state.facts.get("source", "") != run.source:
        return False
    # Another contract or engine would not bring back the rows of a source that can't be read again as it was.
    if state.facts.get("code") != run.code and run.source != ASKED_ONCE:
        return False
    return _leaves_out(state, run.left_out) and not is_stale(stage, run.ds, state, Logs(run))


def is_stale(stage: Stage, ds: date, state: State, logs: Logs) -> bool:
    """Whether what the day was made from has changed since, or what it wrote is gone."""
    contract = logs.run.contract
    later = takewhile(lambda commit: commit.version > state.commit.version, logs.of(stage.target(contract)))
    if any(changes_rows(commit, lambda each: stage.undone_by(each, contract, ds)) for commit in later):
        return True
    if any(_moved(watch, state, logs) for watch in stage.sources(contract, ds)):
        return True
    return any(_gone(table, state, logs) for table in stage.beside(contract))


def _leaves_out(state: State, days: Iterable[date]) -> bool:
    """Whether the day was made without the arrivals of just these days."""
    return bool(state.facts.get("left_out", []) == [str(day) for day in days])


def _moved(watch: Watch, state: State, logs: Logs) -> bool:
    """Whether a commit to the source that matters came from another run."""
    then = state.source(watch.table)
    return then is None or logs.changed(
        watch.table, then, lambda each: not _same_run(each, state) and changes_rows(each, watch.matters)
    )


def _gone(table: Table, state: State, logs: Logs) -> bool:
    """Whether a table that the day also wrote is another one now, or somebody else has changed it."""
    then = (state.facts.get("beside") or {}).get(table.path, ("", NO_TABLE))
    return then[1] == NO_TABLE or logs.changed(table, then, lambda commit: not commit.ours)


def _same_run(commit: Commit, state: State) -> bool:
    return all(commit.books.get(name) == state.commit.books.get(name) for name in ("run_id", "job", "ds"))


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
    logs = Logs(with_snapshot(run, list(tables.values())))
    reach = timedelta(days=contract.features.days_back + contract.lateness_days)
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
                if (
                    state is None
                    or is_stale(stage, day, state, logs)
                    or not _leaves_out(state, admission.left_out(stage.arrivals(contract, day), logs))
                ):
                    stale.add(day)
    return sorted(stale)
