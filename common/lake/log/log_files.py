"""The files of a table's log. On an object store only its end is listed, so that a day costs the same after years."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pyarrow import fs

from common.lake.storage.buckets import Bucket
from common.lake.storage.files import list_files, locate, read_json
from common.runtime.object_store import is_object_store

VERSION = re.compile(r"(\d{20})\.(json$|checkpoint\.)")
COMMIT = re.compile(r"(\d{20})\.json$")
# How far before the newest known version a listing of the end starts: more commits than a run looks at, in one request.
END = 200
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class LogFile:
    name: str
    size: int
    changed: int  # in nanoseconds; in a store, whose requests differ in the fractions that they tell, of whole seconds

    @property
    def stamp(self) -> str:
        """Distinguishes a commit from one of the same name in a table that was created again."""
        return f"{self.changed} {self.size}"

    @property
    def written(self) -> datetime:
        return datetime.fromtimestamp(self.changed / NANOSECONDS, UTC)

    @property
    def version(self) -> int:
        return int(self.name[:20])

    @property
    def is_commit(self) -> bool:
        return bool(COMMIT.fullmatch(self.name))


# Of each log on an object store, the newest commit that this process has seen.
newest_seen: dict[str, LogFile] = {}


def newest_version(uri: str) -> int | None:
    """From the names of the files alone; None if there is no table."""
    if is_object_store(uri):
        return max((file.version for file in _end(uri)[0]), default=None)
    names = (VERSION.match(file.base_name) for file in list_files(f"{uri}/_delta_log"))
    return max((int(name[1]) for name in names if name), default=None)


def stamp(uri: str, at: int) -> str:
    """Of the commit of that version; empty if it is no longer in the log."""
    system, path = locate(f"{uri}/_delta_log/{at:020}.json")
    file = system.get_file_info(path)
    return _of_arrow(file, uri).stamp if file.type == fs.FileType.File else ""


class CommitFiles:
    """The commits of a log, newest first. The old ones of a log on an object store are listed once somebody asks for them."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        files, self._complete = _end(uri)
        self._files = [file for file in files if file.is_commit][::-1]

    def __iter__(self) -> Iterator[LogFile]:
        yield from list(self._files)
        if not self._complete:
            listed = len(self._files)
            self._list_all()
            yield from self._files[listed:]

    def _list_all(self) -> None:
        oldest = self._files[-1].version if self._files else None
        older = [file for file in _all(self._uri) if file.is_commit and (oldest is None or file.version < oldest)]
        self._files, self._complete = [*self._files, *older[::-1]], True

    @property
    def whole(self) -> bool:
        """Whether no commit has been cleaned up."""
        if not self._complete:
            return bool(stamp(self._uri, 0))
        return not self._files or self._files[-1].version == 0


def _end(uri: str) -> tuple[list[LogFile], bool]:
    """The files at the end of the log in order, and whether they are all."""
    if not is_object_store(uri):
        return _all(uri), True
    known = newest_seen.get(uri)
    start = known.version if known else _checkpoint(uri)
    files = _after(uri, max(0, start - END)) if start > END else _all(uri)
    commits = [file for file in files if file.is_commit]
    if start > END and not _continues(commits, start, known):
        files = _all(uri)
        commits = [file for file in files if file.is_commit]
        start = 0
    if commits:
        newest_seen[uri] = commits[-1]
    else:
        newest_seen.pop(uri, None)
    return files, start <= END


def _continues(commits: list[LogFile], start: int, known: LogFile | None) -> bool:
    """Whether the log still has the commit from which it was listed, and it is the same one."""
    there = next((commit for commit in commits if commit.version == start), None)
    return there is not None and known in (None, there)


def _checkpoint(uri: str) -> int:
    """The version of the last checkpoint: the log goes at least so far."""
    content = read_json(f"{uri}/_delta_log/_last_checkpoint") or {}
    version = content.get("version", 0)
    return version if isinstance(version, int) else 0


def _all(uri: str) -> list[LogFile]:
    return [_of_arrow(file, uri) for file in list_files(f"{uri}/_delta_log") if VERSION.match(file.base_name)]


def _after(uri: str, version: int) -> list[LogFile]:
    bucket = Bucket.of(uri)
    found = bucket.list_after(f"{bucket.prefix}_delta_log", f"{version:020}")
    files = (LogFile(path.rpartition("/")[2], size, _whole(changed.timestamp())) for path, size, changed in found)
    return [file for file in files if VERSION.match(file.name)]


def _of_arrow(file: fs.FileInfo, uri: str) -> LogFile:
    changed = file.mtime_ns or time.time_ns()
    return LogFile(file.base_name, file.size, _whole(changed / NANOSECONDS) if is_object_store(uri) else changed)


def _whole(seconds: float) -> int:
    return int(seconds) * NANOSECONDS
