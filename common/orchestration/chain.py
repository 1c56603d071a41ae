"""Run the steps of a day in order, over many days."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import date

from common.contracts import layout
from common.days import from_text
from common.errors import SourceMissingError
from common.lake.log import data_files
from common.orchestration import interruption
from common.orchestration.day_counts import day_count
from common.orchestration.job import ChainStep, Line, run_day
from common.runtime.run import Run

StepResult = Line | Exception
PROGRESS_COUNTS = ("landed", "accepted", "quarantined", "features")


def check_declarations(steps: list[ChainStep], runs: list[Run]) -> None:
    """Raise before any step has run if one of them would refuse what the dataset declares."""
    for step in steps:
        step.job.check(replace(runs[0], job=step.job.name))


def run_chain(steps: list[ChainStep], runs: list[Run], workers: Executor | None = None) -> list[Line]:
    """Run all steps of each day, earliest day first, and rerun the days that became stale.

    `workers` may be shared with other chains. One worker runs a day; a free one starts the first steps of the next day.
    """
    waiting = {run.ds: run for run in runs}
    started_ahead: dict[date, Future[list[StepResult]]] = {}
    lines: dict[date, Line] = {}
    started = time.monotonic()
    total = len(waiting)

    def start_next_day() -> None:
        if workers and waiting and (ds := min(waiting)) not in started_ahead:
            started_ahead[ds] = workers.submit(_run_ahead, steps, waiting[ds])

    def run_one_day(run: Run, results: list[StepResult]) -> Line:
        try:
            return _run_steps(steps, run, results, start_next_day)
        finally:
            for future in started_ahead.values():  # If no worker was free, the next day runs in its own turn.
                future.cancel()

    while waiting:
        ds = min(waiting)
        run, results = waiting.pop(ds), _results(started_ahead.pop(ds, None))
        lines[ds] = line = workers.submit(run_one_day, run, results).result() if workers else run_one_day(run, results)
        new = {day for day in map(from_text, line["stale"]) if day not in waiting}
        waiting |= {day: replace(runs[0], ds=day, full_refresh=False) for day in new}
        total += len(new)
        interruption.day_done(run, line["outcome"])
        _log_progress(run, line, total - len(waiting), total, started)
    return [lines[ds] for ds in sorted(lines)]


def _run_ahead(steps: list[ChainStep], run: Run) -> list[StepResult]:
    """Run the first steps of a day early; return an error as a result, to be raised when the day's turn comes."""
    results: list[StepResult] = []
    for step in steps:
        if not step.ahead:
            break
        try:
            results.append(_run_step(step, run))
        except Exception as error:
            return [*results, error]
    return results


def _results(future: Future[list[StepResult]] | None) -> list[StepResult]:
    return [] if future is None or future.cancelled() else future.result()


def _run_step(step: ChainStep, run: Run) -> Line:
    return run_day(step.job, replace(run, job=step.job.name, options={**run.options, **step.options}), quiet=True)


def _run_steps(steps: list[ChainStep], run: Run, results: list[StepResult], start_next_day: Callable[[], None]) -> Line:
    """Run the steps of one day, taking those that already ran from `results`; return the day's line."""
    line: Line = {"job": "backfill", "dataset": run.contract.name, "ds": str(run.ds), "outcome": "nothing"}
    line |= {"counts": {}, "read": {}, "written": {}, "seconds": 0.0}
    stale: set[str] = set()
    warnings: list[dict[str, object]] = []
    for step in steps:
        if not step.ahead:
            start_next_day()
        try:
            result = results.pop(0) if results else _run_step(step, run)
            if isinstance(result, Exception):
                raise result
        except SourceMissingError as error:
            if step is steps[0] and _was_ingested(run):
                run.log.warning("the source has no data (%s); continuing with the rows ingested earlier", error)
                continue
            run.log.warning("%s", error)
            return {**line, **missed(run, error), "stale": sorted(stale)}
        if result["outcome"] == "closed":
            line["outcome"] = "closed" if line["outcome"] == "nothing" else line["outcome"]
        elif result["outcome"] != "nothing":
            line["outcome"] = "done"
            warnings += result.get("warnings", [])
        if not step.options:
            line["counts"] |= {f"{step.job.name}_{name}": count for name, count in result["counts"].items()}
        line["read"] |= result["read"]
        line["written"] |= result["written"]
        line["seconds"] = round(line["seconds"] + result["seconds"], 1)
        stale |= set(result["stale"])
    line |= {"warnings": warnings} if warnings else {}
    return {**line, "stale": sorted(stale - {str(run.ds)})}


def _was_ingested(run: Run) -> bool:
    """Landing files may be gone: a stale day is then rebuilt from raw."""
    return bool(data_files.files(run.path(layout.raw(run.contract)), ds=[str(run.ds)]))


def missed(run: Run, error: SourceMissingError) -> Line:
    """Return the line's fields for a day that the source has no data for."""
    return {"outcome": "missing", "missing": [str(run.ds)], "message": str(error)}


def _log_progress(run: Run, line: Line, done: int, total: int, started: float) -> None:
    left = (time.monotonic() - started) / done * (total - done)
    counts: dict[str, dict[str, int]] = {}
    for name, count in line["counts"].items():
        job, _, counted = name.partition("_")
        counts.setdefault(job, {})[counted] = count
    found = {name: day_count(name, counts) for name in PROGRESS_COUNTS}
    shown = " ".join(f"{name}={count:,}" for name, count in found.items() if count is not None)
    remaining = f", about {left:,.0f} s left" if total > done else ""
    run.log.info("%d of %d: %s %s (%.1f s%s)", done, total, line["outcome"], shown, line["seconds"], remaining)
