"""One tree of errors; each knows the exit code that the command line promises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class PipelineError(Exception):
    """Says what was found, what was expected and what to do."""

    exit_code = 1


class UsageError(PipelineError):
    exit_code = 2


class ContractViolationError(PipelineError):
    """The data of a day is not what its contract says."""

    exit_code = 3

    def __init__(self, message: str, failures: list[dict[str, object]] | None = None) -> None:
        super().__init__(message)
        self.failures = failures or []


class SourceMissingError(PipelineError):
    """The source has nothing for that day."""

    exit_code = 4


class LockedError(PipelineError):
    """Another run holds that table and day."""

    exit_code = 5


class LakeNotWritableError(PipelineError):
    """There is no place, or no right, to write."""


class ClusterUnavailableError(PipelineError):
    """No Spark cluster answers, or none that would work for this run."""


class UnbalancedBooksError(PipelineError):
    """Rows in are not rows out: nothing is committed."""


class InconclusiveCheckError(PipelineError):
    """A check that could not have failed: that it did not says nothing."""


class ContractDeclarationError(PipelineError):
    """A declaration that contradicts itself; raised when it is imported."""


# What Spark, Parquet and deltalake say of a file of the lake that is not what it was.
_DAMAGED = ("FAILED_READ_FILE", "is not a Parquet file", "FileNotFoundException", "DeltaError", "TableNotFoundError")
_RESTORE = (
    "A file of the lake is damaged or gone. Bring it back from a copy, or restore the table to a version before it "
    "(Delta's RESTORE), or delete that day's rows and run the day again with --full-refresh."
)


def advice(error: Exception) -> str:
    """What to do about an error that is not ours; empty where nothing better is known than its own words."""
    said = f"{type(error).__name__}: {error}"
    return _RESTORE if any(sign in said for sign in _DAMAGED) else ""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """For commands that answer people: an error of ours is what it says, and its exit code."""
    try:
        yield
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


def require(holds: bool, message: str) -> None:
    if not holds:
        raise ContractDeclarationError(message)
