"""The steps of a day, one after the other, over many days."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import date

from common.contracts import layout
from common.errors import SourceMissingError
from common.lake import delta_log
from common.orchestration.job import ChainStep, Line, run_day
from common.runtime.run import Run

Done = Line | Exception


def run_chain(steps: list[ChainStep], runs: list[Run], workers: Executor | None = None) -> list[Line]:
    """Runs every day's steps, earliest day first, and again the days that an earlier one has made stale.

    Where workers are shared with other chains, one of them does a day; one that is free meanwhile, the first steps of the next.
    """
    waiting = {run.ds: run for run in runs}
    begun: dict[date, Future[list[Done]]] = {}
    lines: dict[date, Line] = {}
    started = time.monotonic()
    total = len(waiting)

    def look_ahead() -> None:
        if workers and waiting and (ds := min(waiting)) not in begun:
            begun[ds] = workers.submit(_ahead, steps, waiting[ds])

    def one_day(run: Run, ahead: list[Done]) -> Line:
        try:
            return _day(steps, run, ahead, look_ahead)
        finally:
            for each in begun.values():  # what no worker was free for comes in its turn
                each.cancel()

    while waiting:
        ds = min(waiting)
        run, ahead = waiting.pop(ds), _done_ahead(begun.pop(ds, None))
        lines[ds] = line = workers.submit(one_day, run, ahead).result() if workers else one_day(run, ahead)
        new = {day for day in map(date.fromisoformat, line["stale"]) if day not in waiting}
        waiting |= {day: replace(runs[0], ds=day, full_refresh=False) for day in new}
        total += len(new)
        _tell(run, line, total - len(waiting), total, started)
    return [lines[ds] for ds in sorted(lines)]


def _ahead(steps: list[ChainStep], run: Run) -> list[Done]:
    """What came of the steps that can be done ahead; what went wrong is said when the day's turn has come."""
    done: list[Done] = []
    for step in steps:
        if not step.ahead:
            break
        try:
            done.append(_do(step, run))
        except Exception as error:
            return [*done, error]
    return done


def _done_ahead(begun: Future[list[Done]] | None) -> list[Done]:
    return [] if begun is None or begun.cancelled() else begun.result()


def _do(step: ChainStep, run: Run) -> Line:
    return run_day(step.job, replace(run, job=step.job.name, options=dict(step.options)), quiet=True)


def _day(steps: list[ChainStep], run: Run, ahead: list[Done], look_ahead: Callable[[], None]) -> Line:
    line: Line = {"job": "backfill", "dataset": run.contract.name, "ds": str(run.ds), "outcome": "nothing"}
    line |= {"counts": {}, "read": {}, "written": {}, "seconds": 0.0}
    stale: set[str] = set()
    warnings: list[dict[str, object]] = []
    for step in steps:
        if not step.ahead:
            look_ahead()
        try:
            done = ahead.pop(0) if ahead else _do(step, run)
            if isinstance(done, Exception):
                raise done
        except SourceMissingError as error:
            if step is steps[0] and _was_taken(run):
                run.log.warning("%s What was ingested before is used.", error)
                continue
            run.log.warning("%s", error)
            return {**line, **missed(run, error), "stale": sorted(stale)}
        if done["outcome"] != "nothing":
            line["outcome"] = "done"
            warnings += done.get("warnings", [])
        if not step.options:
            line["counts"] |= {f"{step.job.name}_{name}": count for name, count in done["counts"].items()}
        line["read"] |= done["read"]
        line["written"] |= done["written"]
        line["seconds"] = round(line["seconds"] + done["seconds"], 1)
        stale |= set(done["stale"])
    line |= {"warnings": warnings} if warnings else {}
    return {**line, "stale": sorted(stale - {str(run.ds)})}


def _was_taken(run: Run) -> bool:
    """Sources may clear away what they have handed over; a day that is stale is made from what was taken then."""
    return bool(delta_log.files(run.path(layout.raw(run.contract)), ds=[str(run.ds)]))


def missed(run: Run, error: SourceMissingError) -> Line:
    """What the line of a day says that the source has nothing for."""
    return {"outcome": "missing", "missing": [str(run.ds)], "message": str(error)}


def _tell(run: Run, line: Line, done: int, total: int, started: float) -> None:
    left = (time.monotonic() - started) / done * (total - done)
    counts = {name.partition("_")[2]: count for name, count in line["counts"].items()}
    said = " ".join(
        f"{name}={counts[name]:,}" for name in ("landed", "accepted", "quarantined", "features") if name in counts
    )
    until = f", about {left:,.0f} s left" if total > done else ""
    run.log.info("%d of %d: %s %s (%.1f s%s)", done, total, line["outcome"], said, line["seconds"], until)
