"""The live data files of a table, as its log lists them: read once a version, and picked before they become objects."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache, reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.days import from_text
from common.lake.log import delta_log, log_files, open_tables

# Tables of one run, and a version or two of each.
CACHED_VERSIONS = 32
PARTITION = "partition."


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
    """The live data files of some partitions, and the columns of their table with their types in Spark's JSON form."""

    files: list[DataFile]
    columns: dict[str, Any]


@dataclass(frozen=True)
class _Version:
    """What the log says of one version of a table."""

    added: pa.Table
    columns: dict[str, Any]

    @cached_property
    def partitions(self) -> dict[str, pa.ChunkedArray]:
        """The partition columns as text: of the files of years, so they are made once."""
        columns = [name for name in self.added.column_names if name.startswith(PARTITION)]
        return {name.removeprefix(PARTITION): self.added[name].cast(pa.string()) for name in columns}

    @cached_property
    def partition_values(self) -> dict[str, list[str]]:
        return {name: sorted(pc.unique(values).to_pylist()) for name, values in self.partitions.items()}

    def files(self, partition: dict[str, list[str]]) -> list[DataFile]:
        chosen = [pc.is_in(self.partitions[name], pa.array(values, pa.string())) for name, values in partition.items()]
        added = self.added.filter(reduce(pc.and_, chosen)) if chosen else self.added
        return [_file(row) for row in added.to_pylist()]


_NO_TABLE = _Version(pa.table({}), {})


def partition_files(uri: str, at: int | None = None, /, **partition: list[str]) -> PartitionFiles:
    """The files with those partition values, of the newest version or of `at`."""
    version = _version(uri, at)
    return PartitionFiles(version.files(partition) if version.added.num_rows else [], version.columns)


def files(uri: str, at: int | None = None, /, **partition: list[str]) -> list[DataFile]:
    return partition_files(uri, at, **partition).files


def columns(uri: str) -> dict[str, Any]:
    """The columns of the newest version with their types in Spark's JSON form; none without a table."""
    return _version(uri, None).columns


def partition_values(uri: str, name: str) -> list[str]:
    """The values of that partition column with a live file, sorted."""
    version = _version(uri, None)
    return version.partition_values[name] if version.added.num_rows else []


def periods(uri: str, first: date) -> set[date]:
    """The periods from `first` on with a live file."""
    values = partition_values(uri, "ds")
    return {*map(from_text, values[bisect_left(values, str(first)) :])}


def values_covering(uri: str, name: str, columns: Sequence[str], value: str, at: int | None = None) -> set[str]:
    """The values of a partition column with a file whose statistics allow that value in one of the columns."""
    version = _version(uri, at)
    if not version.added.num_rows or not columns:
        return set()
    may = reduce(pc.or_, [_may_hold(version.added, column, value) for column in columns])
    return set(version.partitions[name].filter(may).to_pylist())


def _may_hold(added: pa.Table, column: str, value: str) -> pa.ChunkedArray:
    low, high = f"min.{column}", f"max.{column}"
    if low not in added.column_names or high not in added.column_names:
        return pa.chunked_array([pa.array([True] * added.num_rows)])
    least, most = added[low].cast(pa.string()), added[high].cast(pa.string())
    within = pc.and_(pc.less_equal(least, value), pc.greater_equal(most, value))
    return pc.fill_null(within, True)


def _version(uri: str, at: int | None) -> _Version:
    newest = delta_log.version(uri) if at is None else at
    if newest == delta_log.NO_TABLE:
        return _NO_TABLE
    stamped = log_files.stamp(uri, newest)
    return _stamped_version(uri, newest, stamped) if stamped else _read(uri, newest)


def forget() -> None:
    """Once the files of old versions have been exchanged."""
    _stamped_version.cache_clear()
    open_tables.forget()


@lru_cache(maxsize=CACHED_VERSIONS)
def _stamped_version(uri: str, at: int, _stamped: str) -> _Version:
    return _read(uri, at)


def _read(uri: str, at: int) -> _Version:
    with delta_log.reading(uri, at) as table:
        if table is None:
            return _NO_TABLE
        fields = json.loads(table.schema().to_json())["fields"]
        added = pa.table(table.get_add_actions(flatten=True))
    return _Version(added, {field["name"]: field["type"] for field in fields})


def _file(row: dict[str, Any]) -> DataFile:
    partition = {name.removeprefix(PARTITION): str(value) for name, value in row.items() if name.startswith(PARTITION)}
    return DataFile(row["path"], row["size_bytes"], partition, row)
