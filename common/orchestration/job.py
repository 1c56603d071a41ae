"""A job as a build target: it declares what a day depends on and runs only when that changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from common.contracts import layout
from common.contracts.layout import Table
from common.errors import PipelineError, advice
from common.lake import delta_log
from common.lake.commit_metadata import source_versions
from common.lake.locks import hold
from common.orchestration import interruption, run_log
from common.runtime.run import Outcome, Run

Line = dict[str, Any]
# These jobs rewrite files, never rows.
REWRITING_JOBS = ("compact", "maintain")


@dataclass(frozen=True)
class Watch:
    """A table the run depends on; commits of the days for which `matters` is true make the run stale."""

    table: Table
    matters: Callable[[date], bool]


@dataclass(frozen=True)
class Job:
    name: str
    main: Callable[[Run], Outcome]
    watches: Callable[[Run], list[Watch]]
    source: Callable[[Run], str] = lambda run: ""
    # The job always needs Spark: start the session early, while the run reads logs and landing files.
    on_spark: bool = False
    # The job looks for the day in its source, and says itself that there is none.
    reads_source: bool = False
    # Runs a whole range in one step, for a job that must succeed or fail for all of its days.
    together: Callable[[list[Run]], Outcome] | None = None
    # Raises a UsageError if the job would refuse the declaration of the run's dataset; reads logs at most.
    check: Callable[[Run], object] = lambda run: None

    def key(self, run: Run) -> str:
        """Return the job name under which the run log keeps the run."""
        table = run.options.get("table")
        return f"{self.name}-{table}" if table else self.name


@dataclass(frozen=True)
class ChainStep:
    """A job in a chain, with its options.

    A step with `ahead` may start while the previous day is still running, because it reads nothing which that day
    writes. Such steps come first in the chain.
    """

    job: Job
    options: dict[str, Any] = field(default_factory=dict)
    ahead: bool = False


def run_day(job: Job, run: Run, quiet: bool = False) -> Line:
    """Run the job unless its day is up to date, and record the result or the failure in the run log."""
    started = time.monotonic()
    level = logging.DEBUG if quiet else logging.INFO
    run = replace(run, job=job.key(run))
    if not job.reads_source and is_closed(run):
        run.log.log(level, "closed: nothing is expected on this day, and nothing came")
        return _line(run, Outcome("closed"), {}, started)
    with _day_lock(run):
        record = run_log.load(run)
        source, still_stale = job.source(run), run_log.still_stale(run, record)
        if not run.full_refresh and record.done and is_current(job, run, record, source):
            run.log.log(level, "nothing to do: the inputs of this day have not changed")
            unchanged = {"outcome": "nothing", "written": {}, "stale": still_stale, "seconds": _since(started)}
            return {**record.line, **unchanged}
        if job.on_spark:
            run.begin_spark()
        depends = _depends(job, run)
        try:
            with interruption.at_work(run):
                outcome = job.main(run)
        except Exception as error:
            run_log.save_failure(run, describe(error))
            error.add_note(f"{run.job} of {run.contract.name} {run.ds}")
            raise
        line = _line(run, outcome, depends, started)
        line["stale"] = sorted({*line["stale"], *still_stale})
        run_log.save(run, line, depends, source)
        run.log.log(
            level, "%s %s", outcome.outcome, " ".join(f"{name}={count:,}" for name, count in outcome.counts.items())
        )
        if line["stale"] and not quiet:
            run.log.warning("this run made other days stale; run them again: %s", ", ".join(line["stale"]))
        return line


def is_closed(run: Run) -> bool:
    """Whether the contract expects nothing on this day, and nothing came all the same."""
    raw = layout.raw(run.contract)
    return run.contract.is_closed(run.ds) and not delta_log.files(run.path(raw), ds=[str(run.ds)])


def run_together(job: Job, days: list[Run]) -> Line:
    """Run a range as one step, and record each day by itself, so that a later part of the range is up to date."""
    assert job.together is not None
    started = time.monotonic()
    first, last = days[0], days[-1]
    with ExitStack() as locks:
        for run in days:
            locks.enter_context(_day_lock(run))
        depends = _depends(job, first)
        try:
            for run in days:
                locks.enter_context(interruption.at_work(run))
            outcome = job.together(days)
        except Exception as error:
            for run in days:
                run_log.save_failure(run, describe(error))
            raise
        line = _line(first, outcome, depends, started)
        for run in days:
            run_log.save(run, {**line, "ds": str(run.ds)}, depends, job.source(run))
    first.log.info("%s..%s: %s %s", first.ds, last.ds, outcome.outcome, outcome.counts)
    return {**line, "ds": f"{first.ds}..{last.ds}"}


def _day_lock(run: Run) -> AbstractContextManager[None]:
    return hold(run.settings.lake, f"{run.contract.name}/{run.job}/{run.ds}", run.settings.lock_wait_seconds)


def _depends(job: Job, run: Run) -> dict[str, int]:
    return source_versions(run, [watch.table for watch in job.watches(run)])


def is_current(job: Job, run: Run, record: run_log.RunRecord, source: str) -> bool:
    if record.code != run.code or record.source != source:
        return False
    return not any(
        changed_since(run, watch, record.depends.get(watch.table.path), record.run_id) for watch in job.watches(run)
    )


def changed_since(run: Run, watch: Watch, version: int | None, run_id: str) -> bool:
    """Return whether a run other than `run_id` committed, after `version`, what this run depends on."""
    newest = delta_log.version(run.path(watch.table))
    # A table missing from the record counts as changed, and so does one that was rebuilt (its version went back).
    if version is None or newest < version:
        return True
    commits = delta_log.commits_since(run.path(watch.table), version)
    return any(_matters(commit, watch, run_id) for commit in commits)


def rewritten_since(run: Run, table: Table, version: int | None, run_id: str) -> bool:
    """Whether the day's own rows in that table may have changed since `version`, other than by `run_id`."""
    return changed_since(run, Watch(table, lambda day: day == run.ds), version, run_id)


def _matters(commit: delta_log.Commit, watch: Watch, run_id: str) -> bool:
    """Foreign commits always matter; those of the pipeline matter by day, unless they only rewrote files."""
    if not commit.ours:
        return True
    if commit.books.get("job") in REWRITING_JOBS or commit.books.get("run_id") == run_id:
        return False
    return any(watch.matters(day) for day in commit.days)


def _line(run: Run, outcome: Outcome, depends: dict[str, int], started: float) -> Line:
    return {
        "job": run.job,
        "dataset": run.contract.name,
        "ds": str(run.ds),
        "outcome": outcome.outcome,
        "counts": outcome.counts,
        "read": {path: version for path, version in depends.items() if version >= 0},
        "written": outcome.written,
        "stale": [str(day) for day in outcome.stale],
        **outcome.facts,
        "run_id": run.run_id,
        "seconds": _since(started),
    }


def describe(error: Exception) -> Line:
    """Return the fields of the JSON line that describe an error."""
    notes = [f"({note})" for note in getattr(error, "__notes__", [])]
    message = " ".join([str(error).strip().split("\n\nJVM stacktrace")[0], *notes])
    line: Line = {"error": type(error).__name__, "message": message}
    if not isinstance(error, PipelineError) and (to_do := advice(error)):
        line["message"] = f"{message}\n{to_do}"
    if isinstance(error, PipelineError) and getattr(error, "failures", None):
        line["failures"] = error.failures  # type: ignore[attr-defined]
    return line


def _since(started: float) -> float:
    return round(time.monotonic() - started, 1)
