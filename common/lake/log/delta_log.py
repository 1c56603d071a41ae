"""Reads a Delta table's log without Spark: versions, commits, live files, columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyarrow import fs

from common.days import day_of, from_text
from common.errors import UnsupportedTableError
from common.lake.log import open_tables
from common.lake.log.log_files import CommitFiles, newest_version, stamp
from common.lake.storage.files import locate, read_bytes
from common.runtime.object_store import delta_options

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

USER_METADATA = "userMetadata"
NO_TABLE = -1
COLUMN_MAPPING = "delta.columnMapping.mode"
# Features that leave the data files as a plain reader expects them.
HARMLESS = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
CACHED_COMMITS = 50_000


@dataclass(frozen=True)
class Commit:
    version: int
    books: dict[str, Any]  # what the run wrote about itself; empty for a foreign commit
    at: datetime  # the commit's own timestamp

    @property
    def ours(self) -> bool:
        return {"job", "ds"} <= self.books.keys()

    @property
    def days(self) -> list[date]:
        """The days that the commit wrote; a commit of a range names each of them."""
        return [from_text(day) for day in self.books.get("days", [self.books["ds"]])]

    @property
    def touched(self) -> frozenset[date] | None:
        """The dates (of the table's first partition column) whose rows it changed; None if the commit does not say."""
        dates = self.books.get("touched")
        return None if dates is None else frozenset(map(from_text, dates))

    @property
    def recounted(self) -> bool:
        """Whether the day's counts changed, though the table's rows may be the same."""
        return bool(self.books.get("recounted"))

    @property
    def complete(self) -> bool:
        """Whether the job was done with the day: the last commit of a run carries its counts."""
        return self.ours and "counts" in self.books


def open_table(uri: str, at: int | None = None) -> DeltaTable | None:
    """The table at that version, or at its newest; None if there is no table."""
    newest = version(uri)
    if newest == NO_TABLE:
        return None
    return plainly_readable(open_tables.take(uri, newest if at is None else at) or at_version(uri, at), uri)


@contextmanager
def reading(uri: str, at: int | None = None) -> Iterator[DeltaTable | None]:
    """The same, inside the block alone: whoever reads the table next need not open it."""
    table = open_table(uri, at)
    yield table
    if table is not None:
        open_tables.give_back(uri, table)


def at_version(uri: str, version: int | None = None) -> DeltaTable:
    """The table at that version, or at its newest; whatever its features are."""
    return DeltaTable(uri, version=version, storage_options=delta_options(uri))


def plainly_readable(table: DeltaTable, uri: str) -> DeltaTable:
    """Return the table; raise if its files do not hold its rows as a plain Parquet reader would read them."""
    protocol, settings = table.protocol(), table.metadata().configuration
    mapped = settings.get(COLUMN_MAPPING, "none") != "none"
    # Protocols before version 3 name no features; a table may list column mapping without using it.
    features = {*(protocol.reader_features or [])} - {"columnMapping"} | ({"columnMapping"} if mapped else set())
    if strange := sorted(features - HARMLESS):
        raise UnsupportedTableError(
            f"{uri} version {table.version()} has the Delta features {', '.join(strange)}, which another program has added; "
            f"expected none but {', '.join(sorted(HARMLESS))}, because the others change what its files mean. Nothing was "
            "read. Remove them with Delta's ALTER TABLE … DROP FEATURE, or restore an earlier version of the table."
        )
    return table


def dataset(table: DeltaTable, where: Mapping[str, Sequence[str]] | None = None) -> Dataset:
    """The table's rows for Arrow, opened with Arrow's own file system; `where` names the partitions to read.

    The file system of deltalake is written in Python: one of its threads that outlives the interpreter aborts the process.
    Arrow takes each file's statistics in, which lasts seconds for the files of years.
    """
    system, path = locate(table.table_uri)
    chosen = [(name, "in", [*values]) for name, values in (where or {}).items()]
    files = fs.SubTreeFileSystem(path, system)
    opened: Dataset = table.to_pyarrow_dataset(file_pruning_predicate=chosen or None, filesystem=files)
    return opened


def exists(uri: str) -> bool:
    """Whether the table has a commit; a run that was killed while it created the table leaves an empty log."""
    return version(uri) != NO_TABLE


def version(uri: str) -> int:
    """The newest version, from the file names in the log alone; NO_TABLE if there is no table."""
    found = newest_version(uri)
    return NO_TABLE if found is None else found


def table_id(uri: str, at: int | None = None) -> str:
    """The id that distinguishes a table from another one at the same place; empty without a table."""
    newest = version(uri) if at is None else at
    return "" if newest == NO_TABLE else _table_id(uri, newest, stamp(uri, newest))


@lru_cache(maxsize=CACHED_COMMITS)
def _table_id(uri: str, at: int, _stamped: str) -> str:
    table = open_tables.take(uri, at) or at_version(uri, at)
    found = str(table.metadata().id)
    open_tables.give_back(uri, table)
    return found


class TableLog:
    """The commits that a table's log still has, listed once."""

    def __init__(self, uri: str) -> None:
        self._folder = f"{uri}/_delta_log"
        self._files = CommitFiles(uri)

    def __iter__(self) -> Iterator[Commit]:
        """Newest first. Commits never change, so a process reads each of them once."""
        for file in self._files:
            yield _read(f"{self._folder}/{file.name}", file.version, file.written, file.stamp)

    def since_day(self, ds: date) -> Iterator[Commit]:
        """The commits that can be about ds or a later day, newest first: none of them is older than ds itself."""
        today, day = datetime.now(UTC).date(), day_of(ds)
        for commit in self:
            # A day of margin, because the clocks of two machines differ. A day in the future says nothing about commit times.
            if day <= today and commit.at.date() < day - timedelta(days=1):
                return
            yield commit

    @property
    def whole(self) -> bool:
        """Whether no commit has been cleaned up."""
        return self._files.whole

    def between(self, one: int, other: int) -> list[Commit] | None:
        """The commits that lie between two versions, newest first; None if the log no longer has all of them."""
        since, until = sorted((one, other))
        found = [commit for commit in takewhile(lambda each: each.version > since, self) if commit.version <= until]
        return found if len(found) == until - since else None


@lru_cache(maxsize=CACHED_COMMITS)
def _read(path: str, at_version: int, written: datetime, _stamped: str) -> Commit:
    lines = read_bytes(path).splitlines()
    try:
        # Spark writes the line first, others write it last.
        for line in (*lines[:1], *reversed(lines)):
            if line.startswith(b'{"commitInfo"'):
                return _commit(at_version, json.loads(line)["commitInfo"], written)
        for line in lines:
            json.loads(line)
    except ValueError as error:
        raise DeltaError(f"{path} is damaged: {error}") from error
    return Commit(at_version, {}, written)


def _commit(at_version: int, info: dict[str, Any], written: datetime) -> Commit:
    at = datetime.fromtimestamp(info["timestamp"] / 1000, UTC) if "timestamp" in info else written
    return Commit(at_version, books_of(info), at)


def books_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """What the run wrote about itself into the commit; empty for a foreign one."""
    try:
        books = json.loads(info.get(USER_METADATA) or "{}")
    except ValueError:
        return {}
    return books if isinstance(books, dict) else {}


def commits(uri: str, limit: int | None = None) -> list[Commit]:
    """The newest commits, newest first."""
    return list(islice(TableLog(uri), limit))


def newest_commit(uri: str, job: str, ds: str | None = None, *, complete: bool = False) -> Commit | None:
    """The last commit of a job, of one day if `ds` names it; with `complete`, the last one that ended its day."""
    log = TableLog(uri)
    candidates = iter(log) if ds is None else log.since_day(from_text(ds))
    for commit in candidates:
        of_job = commit.books.get("job") == job and ds in (None, commit.books.get("ds"))
        if of_job and (commit.complete or not complete):
            return commit
    return None
