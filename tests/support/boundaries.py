"""The moments between two writes of a run, found by the run itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from common.lake import spark_tables
from common.lake.log import commit_metadata
from common.lake.storage import files
from common.online.sql import SqlStore
from common.training import build

# Takes the number of a write, from 1, and what is about to be written.
Reached = Callable[[int, str], None]
# The modules that move files beside the tables to their place, or delete them.
BESIDE_TABLES = (
    "common.lake.storage.files",
    "common.lake.erasing.history",
    "common.lake.pins",
    "common.lake.erasing.row_erasure",
    "common.maintenance.maintain",
)


def only(nth: int, action: Callable[[], object]) -> Reached:
    """Acts before the nth write alone."""

    def reached(number: int, what: str) -> None:
        if number == nth:
            action()

    return reached


@contextmanager
def boundaries(reached: Reached) -> Iterator[list[str]]:
    """Calls `reached` before each write inside the block; yields what was written.

    A commit says what it is before it is made, so its signature is the last moment before it. A file beside the tables is
    about to be written when its temporary copy is moved to its place.
    """
    seen: list[str] = []

    def before(what: str) -> None:
        seen.append(what)
        reached(len(seen), what)

    locate = files.locate
    with pytest.MonkeyPatch.context() as patched:

        def announce(owner: Any, name: str, words: Callable[..., str]) -> None:
            original = getattr(owner, name)

            def announced(*arguments: Any, **named: Any) -> Any:
                before(words(*arguments))
                return original(*arguments, **named)

            patched.setattr(owner, name, announced)

        announce(commit_metadata, "signature", lambda run: f"a commit of {run.job}")
        announce(spark_tables, "write_whole", lambda rows, uri: f"the table {_in_lake(uri)}")
        announce(build, "write_parquet", lambda rows, uri: f"the file {_in_lake(uri)}")
        announce(SqlStore, "connection", lambda *_: "a transaction of the online store")
        for module in BESIDE_TABLES:
            patched.setattr(f"{module}.locate", partial(_announcing, locate, before))
        yield seen


def _announcing(locate: Callable[[str], tuple[Any, str]], before: Callable[[str], None], uri: str) -> tuple[Any, str]:
    system, path = locate(uri)
    return AnnouncingFiles(system, before), path


class AnnouncingFiles:
    """A file system that says what it is about to move to its place, or to delete."""

    def __init__(self, system: Any, before: Callable[[str], None]) -> None:
        self._system, self._before = system, before

    def move(self, source: str, target: str) -> None:
        self._before(f"the file {_in_lake(target)}")
        self._system.move(source, target)

    def delete_file(self, path: str) -> None:
        self._before(f"without the file {_in_lake(path)}")
        self._system.delete_file(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)


def _in_lake(path: str) -> str:
    return path.rpartition("/lake/")[2]
