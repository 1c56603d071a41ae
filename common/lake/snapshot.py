"""A Delta table as it stood at one version, read without Spark: a partition at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Field, Schema
from deltalake.exceptions import DeltaError
from deltalake.schema import PrimitiveType

from common.days import range_text
from common.errors import PipelineError, SourceMissingError
from common.lake.content_hash import ContentHash
from common.lake.log import delta_log
from common.lake.log.delta_log import Commit
from common.lake.storage.files import list_files, locate


class UnreadableError(PipelineError):
    """A file of the lake exists but is damaged."""


def commits_by_time(uri: str) -> list[Commit]:
    """Every commit that the log still has, newest first, with times that never go back.

    The clocks of two machines differ: a commit counts as made no earlier than the one before it.
    """
    in_order: list[Commit] = []
    latest = datetime.min.replace(tzinfo=UTC)
    with _log_readable(uri):
        commits = delta_log.commits(uri)
    for commit in reversed(commits):
        latest = max(latest, commit.at)
        in_order.append(replace(commit, at=latest))
    return in_order[::-1]


@dataclass(frozen=True)
class TableSnapshot:
    """A table at one version. A part is a partition, named by its values (`2026-01-05`); an unpartitioned table has one, ''."""

    uri: str
    version: int
    table: DeltaTable

    @cached_property
    def files(self) -> dict[str, frozenset[str]]:
        """The data files of each part, from the log alone, which stores their paths URL-encoded."""
        files: dict[str, set[str]] = {}
        for row in pa.table(self.table.get_add_actions(flatten=True)).to_pylist():
            files.setdefault(self._part(row, "partition."), set()).add(unquote(row["path"]))
        return {part: frozenset(files[part]) for part in sorted(files)}

    @property
    def table_id(self) -> str:
        """Differs between a table and one that was created again at its place."""
        return str(self.table.metadata().id)

    @cached_property
    def schema(self) -> pa.Schema:
        return pa.schema(self.table.schema().to_arrow())

    @cached_property
    def _columns(self) -> list[str]:
        return list(self.table.metadata().partition_columns)

    def _part(self, values: dict[str, Any], prefix: str = "") -> str:
        return "/".join(str(values[f"{prefix}{name}"]) for name in self._columns)

    @cached_property
    def _fragments(self) -> dict[str, list[Any]]:
        from pyarrow.dataset import get_partition_keys

        fragments: dict[str, list[Any]] = {}
        for fragment in delta_log.dataset(self.table).get_fragments():
            keys = get_partition_keys(fragment.partition_expression) if self._columns else {}
            fragments.setdefault(self._part(keys), []).append(fragment)
        return fragments

    def _dataset(self, part: str) -> Any:
        from pyarrow.dataset import FileSystemDataset

        fragments = self._fragments[part]
        return FileSystemDataset(fragments, self.schema, fragments[0].format, fragments[0].filesystem)

    def read(self, part: str, columns: list[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """The rows of one part; only its files are read."""
        empty = self.schema.empty_table() if columns is None else self.schema.empty_table().select(columns)
        if part not in self.files:
            return empty
        with self._readable(part):
            rows = self._dataset(part)
            if where is None:
                return rows.to_table(columns=columns)
            # Filter after reading: Arrow can't compare texts with the statistics of files that a merge of deltalake wrote.
            chosen = (batch.filter(where) for batch in rows.to_batches(columns=columns))
            return pa.Table.from_batches(chosen, empty.schema)

    def content(self, part: str) -> ContentHash:
        """The content hash of one part, read in batches."""
        content = ContentHash(self.schema)
        for batch in self.batches(part):
            content.add(batch)
        return content

    def batches(self, part: str) -> Iterator[pa.RecordBatch]:
        """The rows of one part, without holding all of them; none if it has no files."""
        if part in self.files:
            with self._readable(part):
                yield from self._dataset(part).to_batches()

    @contextmanager
    def _readable(self, part: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise _gone(self.uri, self.version, "its files were removed") from None
        except (OSError, pa.ArrowInvalid) as error:
            raise UnreadableError(
                f"{self.uri} version {self.version}: a file of {part or 'it'} can't be read ({error}). "
                "Restore it from a backup, or choose another version."
            ) from error

    def require_present(self, parts: Iterable[str] | None = None) -> None:
        """Raises if any file of the version, or of the named parts, was removed."""
        needed = self.files.values() if parts is None else [self.files.get(part, frozenset()) for part in parts]
        if not set().union(*needed) <= _present(self.uri):
            raise _gone(self.uri, self.version, "its files were removed")


def arrow_type(declared: str) -> pa.DataType:
    """The Arrow type that Delta readers return for a type of a contract."""
    delta_type = PrimitiveType({"int": "integer"}.get(declared, declared))
    return pa.schema(Schema([Field("it", delta_type, nullable=True)]).to_arrow()).field("it").type


def open_version(uri: str, version: int) -> TableSnapshot:
    with _log_readable(uri):
        newest = delta_log.at_version(uri).version()
    if not 0 <= version <= newest:
        raise _gone(uri, version, f"the newest is {newest}")
    try:
        return TableSnapshot(uri, version, delta_log.plainly_readable(delta_log.at_version(uri, version), uri))
    except DeltaError:
        raise _gone(uri, version, "its log was removed") from None


@contextmanager
def _log_readable(uri: str) -> Iterator[None]:
    try:
        yield
    except DeltaError as error:
        message, *_ = str(error).splitlines()
        raise UnreadableError(f"{uri}: its log can't be read ({message}). Restore it from a backup.") from error


def readable_versions(uri: str) -> list[int]:
    """The versions whose files all still exist; checks every file."""
    present = _present(uri)
    return [version for version in range(delta_log.version(uri) + 1) if _whole(uri, version, present)]


def _present(uri: str) -> set[str]:
    _, root = locate(uri)
    return {file.path.removeprefix(root.rstrip("/") + "/") for file in list_files(uri, recursive=True)}


def _whole(uri: str, version: int, present: set[str]) -> bool:
    try:
        stored = TableSnapshot(uri, version, delta_log.at_version(uri, version))
    except DeltaError:
        return False
    return set().union(*stored.files.values()) <= present


def _gone(uri: str, version: int, why: str) -> SourceMissingError:
    versions = readable_versions(uri)
    available = (
        f"There are {_ranges(versions)}."
        if versions
        else "No version is whole any more: restore its files from a backup, or run its days again."
    )
    return SourceMissingError(f"{uri} has no version {version} ({why}). {available}")


def _ranges(versions: list[int]) -> str:
    """`0, 3..7`"""
    starts = [version for version in versions if version - 1 not in versions]
    ends = [version for version in versions if version + 1 not in versions]
    return ", ".join(map(range_text, starts, ends))
