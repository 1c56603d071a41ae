"""Whether a day is up to date, and which days are not: derived from the tables' logs whenever it is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date

from common.contracts import datasets
from common.contracts.changes import periods_reached
from common.contracts.declared_source import ASKED_ONCE
from common.contracts.layout import Table
from common.days import day_range, from_text, latest_day, shifted
from common.lake.log.commit_metadata import with_snapshot
from common.lake.log.delta_log import NO_TABLE, Commit, TableLog
from common.orchestration import admission, stages
from common.orchestration.changes import Logs, changes_rows, changes_source
from common.orchestration.reasons import Kind, Reason
from common.orchestration.stages import Publication, Stage, State, Watch
from common.orchestration.whole_logs import WholeLogs
from common.runtime.run import Run
from common.runtime.settings import Settings

# The steps whose days can become stale by what other days do.
WATCHED = (stages.CLEAN, stages.FEATURES, stages.PUBLISH)
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
    return Logs(run).state(stage, run.ds)


def is_current(stage: Stage, run: Run, state: State | None) -> bool:
    """Whether the day was made by the code and from the sources as they are now, at the versions that the run has fixed."""
    return not any(reasons(stage, run, state, Logs(run)))


def is_stale(stage: Stage, ds: date, state: State, logs: Logs) -> bool:
    """Whether what the day was made from has changed since, or what it wrote is gone."""
    return any(changes(stage, ds, state, logs))


def reasons(stage: Stage, run: Run, state: State | None, logs: Logs) -> Iterator[Reason]:
    """Each reason for which the day of the run is not up to date."""
    if state is None:
        yield Reason(Kind.NEVER_RAN)
        return
    # Another contract or engine would not bring back the rows of a source that can't be read again as it was.
    made_by_code = not isinstance(stage, Publication) and run.source != ASKED_ONCE
    if made_by_code and not stage.made_by(run, state.facts):
        yield Reason(Kind.CODE_CHANGED, commit=state.commit)
    if state.facts.get("source", "") != run.source:
        yield Reason(Kind.SOURCE_CHANGED, commit=state.commit)
    yield from _decided_anew(state, run.left_out)
    yield from changes(stage, run.ds, state, logs)


def outdated(stage: Stage, ds: date, state: State, logs: Logs) -> Iterator[Reason]:
    """The reasons caused by other days: not the code, nor what has landed."""
    yield from changes(stage, ds, state, logs)
    yield from _decided_anew(state, admission.left_out(stage.arrivals(logs.run.contract, ds), logs))


def _decided_anew(state: State, left_out: Collection[date]) -> Iterator[Reason]:
    """Whether the arrivals to leave out have changed since the day was made."""
    before = frozenset(map(from_text, state.facts.get("left_out", [])))
    if differing := before.symmetric_difference(left_out):
        yield Reason(Kind.ADMISSION_CHANGED, days=tuple(sorted(differing)))


def changes(stage: Stage, ds: date, state: State, logs: Logs) -> Iterator[Reason]:
    """What has changed since in the tables that the day was made from, and in those that it wrote."""
    contract = logs.run.contract
    target = stage.target(contract)
    for commit in logs.after(target, state.commit.version, frozenset(day_range(ds, contract.lateness))):
        if changes_rows(commit, lambda each: stage.undone_by(each, contract, ds)):
            yield Reason(Kind.OUTPUT_CHANGED, target.path, commit)
    for watch in stage.sources(contract, ds):
        yield from _moved(watch, state, logs)
    for table in stage.beside(contract):
        yield from _gone(table, state, logs)


def _moved(watch: Watch, state: State, logs: Logs) -> Iterator[Reason]:
    """Commits to the source that matter and that came from another run."""
    then = state.source(watch.table)
    commits = None if then is None else logs.since(watch.table, then, watch.dates)
    if commits is None:
        yield Reason(Kind.TABLE_REPLACED, watch.table.path)
        return
    for commit in commits:
        if not _same_run(commit, state) and changes_source(commit, watch.matters):
            yield Reason(Kind.ROWS_CHANGED, watch.table.path, commit)


def _gone(table: Table, state: State, logs: Logs) -> Iterator[Reason]:
    """Whether a table that the day also wrote was replaced, or changed by another program."""
    then = (state.facts.get("beside") or {}).get(table.path, ("", NO_TABLE))
    commits = None if then[1] == NO_TABLE else logs.since(table, then, frozenset())
    if commits is None:
        yield Reason(Kind.TABLE_REPLACED, table.path)
        return
    yield from (Reason(Kind.OUTPUT_CHANGED, table.path, commit) for commit in commits if not commit.ours)


def _same_run(commit: Commit, state: State) -> bool:
    return all(commit.books.get(name) == state.commit.books.get(name) for name in ("run_id", "job", "ds"))


def days_made(stage: Stage, run: Run, first: date) -> set[date]:
    """The days from `first` on that the job has made."""
    log = TableLog(run.path(stage.target(run.contract)))
    return {day for commit in log.since_day(first) for day in stage.days(commit) if day >= first}


def stale_after(dataset: str, ds: date, settings: Settings) -> list[date]:
    """The days, from ds on, that ds can affect and that are no longer up to date."""
    return stale_days(Run.asking(datasets.load(dataset), ds, settings))


def all_stale(dataset: str, settings: Settings) -> list[date]:
    """Every day that the logs know and that is no longer up to date."""
    loaded = datasets.load(dataset)
    newest = latest_day(every=loaded.contract.every)
    return stale_days(Run.asking(loaded, newest, settings), everything=True)


def stale_days(run: Run, everything: bool = False) -> list[date]:
    contract = run.contract
    tables = {table.path: table for stage in WATCHED for table in source_tables(stage, run)}
    logs = WholeLogs(run) if everything else Logs(with_snapshot(run, list(tables.values())))
    first, last = run.ds, shifted(run.ds, periods_reached(contract, run.ds))
    stale: set[date] = set()
    for stage in WATCHED:
        log = logs.of(stage.target(contract))
        seen: set[date] = set()
        for commit in log if everything else log.since_day(first):
            for day in stage.days(commit):
                if day in seen or not (everything or first <= day <= last):
                    continue
                seen.add(day)
                state = stage.state(commit, day)
                if state is None or any(outdated(stage, day, state, logs)):
                    stale.add(day)
    return sorted(stale)
