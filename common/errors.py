"""The exceptions of the pipeline, each with its exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from common.printable import printable

INTERRUPTED = 130
EXIT_CODES = {
    0: "done, also when there was nothing to do",
    2: "bad arguments or a wrong declaration; nothing was touched",
    3: "the data broke its contract; the JSON line names the failed rules or files",
    4: "the source has nothing for that day, or the step before has not run",
    5: "another run holds that table and day",
    INTERRUPTED: "interrupted with Ctrl-C (143: with SIGTERM); run the same command again and it goes on",
    1: "anything else",
}


class PipelineError(Exception):
    """Base class. Messages say what was found, what was expected and what to do."""

    exit_code = 1


class UsageError(PipelineError):
    exit_code = 2


class ContractViolationError(PipelineError):
    """The data of a day violates its contract."""

    exit_code = 3

    def __init__(self, message: str, failures: list[dict[str, object]] | None = None) -> None:
        super().__init__(message)
        self.failures = failures or []


class SourceMissingError(PipelineError):
    """The source has no data for the day."""

    exit_code = 4


class SourceUnreachableError(PipelineError):
    """The source does not answer, or stopped answering; a later run may find it."""


class LockedError(PipelineError):
    """Another run holds the lock."""

    exit_code = 5


class LakeNotWritableError(PipelineError):
    """The lake has no space left, or denies write access."""


class StorageUnreachableError(PipelineError):
    """No lake or landing folder answers at a remote address."""


class UnsupportedTableError(PipelineError):
    """Another program has given a table features that we would misread."""


class ClusterUnavailableError(PipelineError):
    """No Spark cluster answers, or the one that answers cannot run this job."""


class UnbalancedBooksError(PipelineError):
    """Rows in do not equal rows out; nothing was committed."""


class ColumnMismatchError(PipelineError):
    """Rows lack a column of their table, or have it with another type; nothing was committed."""


class InconclusiveCheckError(PipelineError):
    """A check whose success proves nothing, because it could not have failed."""


class ContractDeclarationError(UsageError):
    """A dataset's own fault: its contract contradicts itself, or its code cannot be used. Raised before anything runs."""


# Signs of a damaged or missing file in the errors of Spark, Parquet and deltalake.
_DAMAGED = ("FAILED_READ_FILE", "is not a Parquet file", "FileNotFoundException", "DeltaError", "TableNotFoundError")
_RESTORE = (
    "A file of the lake is damaged or missing. Restore it from a backup, restore the table to an earlier version "
    "(Delta's RESTORE), or delete the day's rows and run the day again with --full-refresh."
)


def advice(error: Exception) -> str:
    """Return what to do about a foreign error; empty when we know nothing better than its message."""
    text = f"{type(error).__name__}: {error}"
    return _RESTORE if any(sign in text for sign in _DAMAGED) else ""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print a pipeline error, or that the person interrupted it, without a traceback; exit with its code."""
    has_started(signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except PipelineError as error:
        print(printable(error), file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(printable(f"a file or an address can't be used: {error}"), file=sys.stderr)
        sys.exit(PipelineError.exit_code)


_COLLECTOR: ContextVar[Callable[[str], None] | None] = ContextVar("collector", default=None)


def require(holds: bool, message: str) -> None:
    """Raise a ContractDeclarationError unless the condition holds; while faults are collected, note it and go on."""
    if holds:
        return
    if collect := _COLLECTOR.get():
        collect(message)
    else:
        raise ContractDeclarationError(message)


@contextmanager
def collecting(collect: Callable[[str], None]) -> Iterator[None]:
    """Call `collect` with each fault instead of stopping at the first."""
    token = _COLLECTOR.set(collect)
    try:
        yield
    finally:
        _COLLECTOR.reset(token)


def interrupt_quietly_at_start() -> None:
    """Make Ctrl-C one line also while a program of ours imports its libraries. Whoever uses this as a library decides itself."""
    # In the background of a script, Python starts with the signal ignored.
    if _is_program() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, _interrupted_at_start)


def has_started(handler: Any) -> None:
    """From here on the program says itself what Ctrl-C does, beginning with this handler."""
    if signal.getsignal(signal.SIGINT) is _interrupted_at_start:
        signal.signal(signal.SIGINT, handler)


def _interrupted_at_start(number: int, frame: FrameType | None) -> NoReturn:
    message = "interrupted while it started; nothing was touched: run the same command again"
    if _under_spark_submit():  # where standard error is part of standard output, whose last line is JSON
        message = json.dumps(
            {"job": Path(sys.argv[0]).stem, "outcome": "interrupted", "error": "Interrupted", "message": message}
        )
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{message}\n".encode())
    os._exit(INTERRUPTED)


def _under_spark_submit() -> bool:
    return "PYSPARK_GATEWAY_PORT" in os.environ


def _is_program() -> bool:
    """Whether Python was started for a file of this project: by its path, as `features`, or with -m."""
    started = sys.argv[0] if sys.argv else ""
    if started == "-m":  # Python has not found the module yet
        module = sys.orig_argv[sys.orig_argv.index("-m") + 1]
        return module.startswith(("common.", "jobs."))
    here, file = Path(__file__).resolve().parents[1], Path(started).resolve()
    return file.name == "features" or not {here / "common", here / "jobs"}.isdisjoint(file.parents)
