"""Reads a Delta table's log without Spark: versions, commits, live files, columns."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from common.errors import UnsupportedTableError
from common.lake.files import is_local, list_files, local_path

USER_METADATA = "userMetadata"
# Most look-ups end within so many commits; only those for an old day read the whole log.
RECENT = 100
NO_TABLE = -1
COLUMN_MAPPING = "delta.columnMapping.mode"
# Features that leave the data files as a plain reader expects them.
HARMLESS = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
VERSION = re.compile(r"(\d{20})\.(json$|checkpoint\.)")


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
        return [date.fromisoformat(day) for day in self.books.get("days", [self.books["ds"]])]


def open_table(uri: str, version: int | None = None) -> DeltaTable | None:
    """The table at that version, or at its newest; None if there is no table."""
    return plainly_readable(DeltaTable(uri, version=version), uri) if exists(uri) else None


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


def exists(uri: str) -> bool:
    """Whether the table has a commit; a run that was killed while it created the table leaves an empty log."""
    if is_local(uri):
        return version(uri) != NO_TABLE
    return bool(DeltaTable.is_deltatable(uri))


def remove_empty(uri: str) -> None:
    """Remove the log that a killed creation left without a commit: Delta takes the folder for a broken table."""
    if is_local(uri) and not exists(uri):
        shutil.rmtree(local_path(uri) / "_delta_log", ignore_errors=True)


def version(uri: str) -> int:
    """The newest version, from the file names in the log alone; NO_TABLE if there is no table."""
    names = (VERSION.match(file.base_name) for file in list_files(f"{uri}/_delta_log"))
    return max((int(name[1]) for name in names if name), default=NO_TABLE)


def columns(uri: str) -> dict[str, Any]:
    """The columns of the newest version with their types in Spark's JSON form; none without a table."""
    return _columns(open_table(uri))


def _columns(table: DeltaTable | None) -> dict[str, Any]:
    fields = [] if table is None else json.loads(table.schema().to_json())["fields"]
    return {field["name"]: field["type"] for field in fields}


def commits(uri: str, limit: int | None = None) -> list[Commit]:
    """The newest commits, newest first."""
    table = open_table(uri)
    return [] if table is None else [_commit(entry) for entry in table.history(limit=limit)]


def newest_commit(uri: str, job: str, ds: str | None = None) -> Commit | None:
    """The last commit of a job, of one day if `ds` names it."""
    for limit in (RECENT, None):
        for commit in commits(uri, limit):
            if commit.books.get("job") == job and ds in (None, commit.books.get("ds")):
                return commit
    return None


def commits_since(uri: str, since: int) -> list[Commit]:
    """The commits after version `since`, newest first."""
    table = open_table(uri) if version(uri) > since else None
    entries = [] if table is None else table.history(limit=table.version() - since)
    return [_commit(entry) for entry in entries if entry["version"] > since]


def _commit(entry: dict[str, Any]) -> Commit:
    try:
        books = json.loads(entry.get(USER_METADATA) or "{}")
    except ValueError:
        books = {}
    at = datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
    return Commit(entry["version"], books if isinstance(books, dict) else {}, at)


@dataclass(frozen=True)
class DataFile:
    """A live data file, as the log describes it."""

    path: str
    bytes: int
    partition: dict[str, str]
    facts: dict[str, Any]

    def covers(self, column: str, value: str) -> bool:
        """Whether the file's statistics allow a row with that value."""
        low, high = self.facts.get(f"min.{column}"), self.facts.get(f"max.{column}")
        return low is None or high is None or str(low) <= value <= str(high)


@dataclass(frozen=True)
class PartitionFiles:
    """The live data files of some partitions, and the columns of their table."""

    files: list[DataFile]
    columns: dict[str, Any]


def partition_files(uri: str, at: int | None = None, /, **partition: list[str]) -> PartitionFiles:
    """The files with those partition values, of the newest version or of `at`."""
    table = open_table(uri, at)
    rows = [] if table is None else pa.table(table.get_add_actions(flatten=True)).to_pylist()
    every = [_file(row) for row in rows]
    matching = [file for file in every if all(file.partition[name] in values for name, values in partition.items())]
    return PartitionFiles(matching, _columns(table))


def files(uri: str, at: int | None = None, /, **partition: list[str]) -> list[DataFile]:
    return partition_files(uri, at, **partition).files


def _file(row: dict[str, Any]) -> DataFile:
    partition = {
        name.removeprefix("partition."): str(value) for name, value in row.items() if name.startswith("partition.")
    }
    return DataFile(row["path"], row["size_bytes"], partition, row)
