"""A job as a build target: it declares what a day depends on and runs only when that changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from common.contracts import layout
from common.errors import PipelineError, advice
from common.lake.log import data_files
from common.lake.storage.locks import at_work
from common.orchestration import interruption, run_log, staleness
from common.orchestration.stages import Stage, State
from common.runtime.run import Outcome, Run
from common.telemetry import report
from common.telemetry.report import Report

Line = dict[str, Any]


@dataclass(frozen=True)
class Job:
    name: str
    main: Callable[[Run], Outcome]
    # What a day is made from, and where its last commit says so; a job without a stage runs whenever it is asked.
    stage: Callable[[Run], Stage | None] = lambda run: None
    # A fingerprint of what the job reads besides tables.
    source: Callable[[Run], str] = lambda run: ""
    # The job always needs Spark: start the session early, while the run reads logs and landing files.
    on_spark: bool = False
    # The job looks for the day in its source, and reports a missing one itself.
    reads_source: bool = False
    # Runs a whole range in one step, for a job that must succeed or fail for all of its days.
    together: Callable[[list[Run]], Outcome] | None = None
    # Raises a UsageError if the job would refuse the declaration of the run's dataset; reads logs at most.
    check: Callable[[Run], object] = lambda run: None

    def key(self, run: Run) -> str:
        """Return the job name under which the run log keeps the run."""
        table = run.options.get("table") or run.options.get("to")
        return "-".join(filter(None, [self.name, table, run.options.get("predictions")]))


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
        line = _line(run, Outcome("closed"), started)
        report.unchanged(run, line)
        return line
    with _day_lock(run):
        stage = job.stage(run)
        run = replace(run, source=job.source(run))
        state = None
        if stage:
            run = staleness.with_sources(stage, run)
            state = staleness.state_of(stage, run)
            if staleness.is_current(stage, run, state):
                if not run.full_refresh:
                    assert state is not None
                    return _unchanged(run, state, started, level)
            else:
                run = replace(run, renews=True)
        if job.on_spark:
            run.begin_spark()
        telling = Report(run).start()
        try:
            with interruption.at_work(run):
                outcome = job.main(run)
        except Exception as error:
            failure = describe(error)
            run_log.save_failure(run, failure)
            telling.failed(failure, _checks(run))
            error.add_note(f"{run.job} of {run.contract.name} {run.ds}")
            raise
        line = _line(run, outcome, started)
        run_log.save(run, line)
        telling.finished(line, _checks(run), names_stale=run.job in staleness.MAKING_ROWS)
        run.log.log(
            level, "%s %s", outcome.outcome, " ".join(f"{name}={count:,}" for name, count in outcome.counts.items())
        )
        if run.left_out and not quiet:
            run.log.warning(
                "made without the arrivals of %s, which have not passed validation; once they have, this day is stale",
                ", ".join(line["left_out"]),
            )
        if line["stale"] and not quiet:
            run.log.warning("these days are no longer up to date; run them again: %s", ", ".join(line["stale"]))
        return line


def _unchanged(run: Run, state: State, started: float, level: int) -> Line:
    """The line of a day that is up to date: what its last commit counted, with what the run log knows besides."""
    run.log.log(level, "nothing to do: the inputs of this day have not changed")
    record = run_log.load(run)
    counts = state.facts.get("counts") or {}
    line = _line(run, Outcome("nothing", counts), started)
    line["run_id"] = state.commit.books.get("run_id", "")
    if record.run_id == line["run_id"]:
        line = {**record.line, **{name: line[name] for name in ("outcome", "written", "stale", "seconds")}}
    if record.failure or record.run_id != line["run_id"]:
        run_log.save(run, line)
    report.unchanged(run, line, names_stale=run.job in staleness.MAKING_ROWS)
    return line


def _checks(run: Run) -> str:
    """The file of the gate's results, for a run that may write them."""
    table = run.options.get("table")
    return run_log.results_place(run.settings.lake, run.contract.name, table, run.ds) if table else ""


def is_closed(run: Run) -> bool:
    """Whether the contract expects nothing on this day, and nothing came."""
    raw = layout.raw(run.contract)
    return run.contract.is_closed(run.ds) and not data_files.files(run.path(raw), ds=[str(run.ds)])


def run_together(job: Job, days: list[Run]) -> Line:
    """Run a range as one step, and record each day by itself, so that a later part of the range is up to date."""
    assert job.together is not None
    started = time.monotonic()
    first, last = days[0], days[-1]
    with ExitStack() as locks:
        for run in days:
            locks.enter_context(_day_lock(run))
        telling = Report(*days).start()
        try:
            for run in days:
                locks.enter_context(interruption.at_work(run))
            outcome = job.together(days)
        except Exception as error:
            failure = describe(error)
            for run in days:
                run_log.save_failure(run, failure)
            telling.failed(failure)
            raise
        line = _line(first, outcome, started)
        telling.finished(line)
        for run in days:
            run_log.save(run, {**line, "ds": str(run.ds)})
    first.log.info("%s..%s: %s %s", first.ds, last.ds, outcome.outcome, outcome.counts)
    return {**line, "ds": f"{first.ds}..{last.ds}"}


def _day_lock(run: Run) -> AbstractContextManager[None]:
    return at_work(run.settings.lake, run.contract.name, f"{run.job}/{run.ds}", run.settings.lock_wait_seconds)


def _line(run: Run, outcome: Outcome, started: float) -> Line:
    return {
        "job": run.job,
        "dataset": run.contract.name,
        "ds": str(run.ds),
        "outcome": outcome.outcome,
        "counts": outcome.counts,
        "read": run.versions_read,
        "written": outcome.written,
        "stale": [str(day) for day in staleness.stale_days(run)] if run.job in staleness.MAKING_ROWS else [],
        **({"left_out": [str(day) for day in run.left_out]} if run.left_out else {}),
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
