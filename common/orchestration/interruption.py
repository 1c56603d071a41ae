"""Ctrl-C and SIGTERM: the commit in progress ends, one line says what was done, and the process leaves."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TypeVar

from common.lake.storage.locks import commits_in_progress
from common.orchestration import run_log
from common.runtime.run import Run
from common.telemetry import report

Result = TypeVar("Result")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
COMMIT_SECONDS = 30
POLL_SECONDS = 0.05
_signals: list[int] = []
_at_work: list[Run] = []
_done: dict[str, dict[str, str]] = {}


class Interrupted(BaseException):
    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Raise Interrupted in the main thread; a second signal ends the process at once."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    _handle(_interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            _handle(handler or signal.SIG_DFL, number)


def _handle(handler: Any, *numbers: int) -> None:
    """Set the handlers; only the main thread may."""
    if threading.current_thread() is threading.main_thread():
        for number in numbers or SIGNALS:
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _signals.append(number)
    _handle(lambda again, frame: os._exit(128 + again))
    raise Interrupted(number)


def run_beside(work: Callable[[], Result]) -> Result:
    """Run the work in another thread, so that a signal stops the waiting, and never the work in an unsafe place."""
    _done.clear()
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, name="work", daemon=True).start()
    wait([result])
    _handle(signal.SIG_IGN)  # it is over, and only the last line is to be written
    return result.result()


@contextmanager
def at_work(run: Run) -> Iterator[None]:
    _at_work.append(run)
    try:
        yield
    except BaseException:
        if not _signals:  # else it fails because the JVM has ended
            _at_work.remove(run)
        raise
    _at_work.remove(run)


def day_done(run: Run, outcome: str) -> None:
    _done.setdefault(run.contract.name, {})[str(run.ds)] = outcome


def await_commits() -> None:
    if commits_in_progress():
        logging.getLogger("pipeline").warning("waiting for the commit in progress; a second Ctrl-C ends at once")
    deadline = time.monotonic() + COMMIT_SECONDS
    while commits_in_progress() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def record(line: dict[str, Any]) -> dict[str, Any]:
    """Note in the run log what was cut off; return the fields of the JSON line."""
    runs = [*_at_work]
    fields = {"error": "Interrupted", "message": _message(runs, line)}
    for run in runs:
        with suppress(Exception):  # the lake itself may be what did not answer
            run_log.save_failure(run, {**fields, "message": "interrupted; run it again"})
    report.aborted()
    finished = {name: {"days": dict(sorted(days.items()))} for name, days in sorted(_done.items())}
    several = isinstance(line.get("dataset"), list) and len(line["dataset"]) > 1
    return {
        "outcome": "interrupted",
        **fields,
        **({"datasets": finished} if several else next(iter(finished.values()), {})),
    }


def _message(runs: list[Run], line: dict[str, Any]) -> str:
    # A run inside another, of the same day, is a detail.
    steps = {(run.contract.name, run.ds): f"{run.job} of {run.contract.name} {run.ds}" for run in reversed(runs)}
    where = " and ".join(sorted(steps.values())) or str(line["job"])
    days = ", ".join(f"{len(days)} day{'s' * (len(days) != 1)} of {name}" for name, days in sorted(_done.items()))
    finished = f" after {days}" if days else ""
    return f"interrupted in {where}{finished}; nothing is half written: run the same command again and it goes on"
