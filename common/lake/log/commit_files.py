"""What the commits of a run did to a table's data files, read from the commits alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.lake.log.delta_log import books_of
from common.lake.storage.files import read_bytes


@dataclass(frozen=True)
class FileChanges:
    added: int = 0
    added_bytes: int = 0
    removed: int = 0
    removed_bytes: int = 0

    def __add__(self, other: FileChanges) -> FileChanges:
        return FileChanges(
            self.added + other.added,
            self.added_bytes + other.added_bytes,
            self.removed + other.removed,
            self.removed_bytes + other.removed_bytes,
        )


def changes_of_run(uri: str, version: int, signed: Mapping[str, Any]) -> FileChanges:
    """The changes of that version, and of those before it that carry the same signature."""
    total = FileChanges()
    while version >= 0 and (actions := list(_actions(uri, version))) and _is_signed(actions, signed):
        total += _changes(actions)
        version -= 1
    return total


def _actions(uri: str, version: int) -> Iterator[dict[str, Any]]:
    try:
        yield from map(json.loads, read_bytes(f"{uri}/_delta_log/{version:020}.json").splitlines())
    except FileNotFoundError:
        return


def _is_signed(actions: list[dict[str, Any]], signed: Mapping[str, Any]) -> bool:
    books = books_of(next((action["commitInfo"] for action in actions if "commitInfo" in action), {}))
    return all(books.get(name) == value for name, value in signed.items())


def _changes(actions: list[dict[str, Any]]) -> FileChanges:
    added = [action["add"] for action in actions if "add" in action]
    removed = [action["remove"] for action in actions if "remove" in action]
    return FileChanges(
        len(added),
        sum(file["size"] for file in added),
        len(removed),
        sum(file.get("size") or 0 for file in removed),
    )
