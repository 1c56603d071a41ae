"""What a Delta table's log says, read without Spark."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from common.files import is_local, local_path


@dataclass(frozen=True)
class Commit:
    version: int
    operation: str
    books: dict[str, Any]  # what the run wrote about itself; empty for a commit that is not ours

    @property
    def ours(self) -> bool:
        return bool(self.books)


def _open(uri: str, with_files: bool = False) -> DeltaTable | None:
    if is_local(uri) and not (local_path(uri) / "_delta_log").is_dir():
        return None
    try:
        return DeltaTable(uri, without_files=not with_files)
    except TableNotFoundError:
        return None


def exists(uri: str) -> bool:
    return _open(uri) is not None


def version(uri: str) -> int:
    """The newest version; -1 where there is no table."""
    table = _open(uri)
    return -1 if table is None else table.version()


def commits_since(uri: str, since: int) -> list[Commit]:
    """The commits after version `since`, newest first."""
    table = _open(uri)
    if table is None or table.version() <= since:
        return []
    found = table.history(limit=table.version() - since)
    return [_commit(each) for each in found if each["version"] > since]


def _commit(entry: dict[str, Any]) -> Commit:
    try:
        books = json.loads(entry.get("userMetadata") or "{}")
    except ValueError:
        books = {}
    return Commit(entry["version"], entry.get("operation", "?"), books if isinstance(books, dict) else {})


def files(uri: str, **partition: list[str]) -> list[dict[str, Any]]:
    """The live data files of the named partition values, with their sizes."""
    table = _open(uri, with_files=True)
    if table is None:
        return []
    rows = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return [row for row in rows if all(str(row.get(f"partition.{name}")) in values for name, values in partition.items())]
