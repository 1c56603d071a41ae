"""The files of a table's log. Of a long one only the end is looked at, so that a day costs the same after years."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pyarrow import fs

from common.lake.storage.buckets import Bucket
from common.lake.storage.files import is_local, list_files, locate, read_json
from common.runtime.object_store import is_object_store

VERSION = re.compile(r"(\d{20})\.(json$|checkpoint\.)")
COMMIT = re.compile(r"(\d{20})\.json$")
# How far before the newest known version a listing of the end starts: more commits than a run looks at, in one request.
END = 200
# The same for a folder, where each commit is asked for by its name.
END_HERE = 16
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


# Of each log, the newest commit that this process has seen.
newest_seen: dict[str, LogFile] = {}


def newest_version(uri: str) -> int | None:
    """From the names of the files alone; None if there is no table."""
    return max((file.version for file in _end(uri)[0]), default=None)


def stamp(uri: str, at: int) -> str:
    """Of the commit of that version; empty if it is no longer in the log."""
    system, path = locate(f"{uri}/_delta_log/{at:020}.json")
    file = system.get_file_info(path)
    return _of_arrow(file, uri).stamp if file.type == fs.FileType.File else ""


class CommitFiles:
    """The commits of a log, newest first. The old ones of a long log are looked for once somebody asks for them."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        files, self._complete = _end(uri)
        self._files = [file for file in files if file.is_commit][::-1]

    def __iter__(self) -> Iterator[LogFile]:
        place = 0
        while place < len(self._files) or not self._complete:
            if place < len(self._files):
                yield self._files[place]
                place += 1
            else:
                self._look_further()

    def _look_further(self) -> None:
        older, self._complete = _before(self._uri, self._files[-1].version if self._files else None)
        self._files = [*self._files, *older[::-1]]

    @property
    def whole(self) -> bool:
        """Whether no commit has been cleaned up."""
        if not self._complete:
            return bool(stamp(self._uri, 0))
        return not self._files or self._files[-1].version == 0


def _end(uri: str) -> tuple[list[LogFile], bool]:
    """The files at the end of the log in order, and whether they are all."""
    if not (is_local(uri) or is_object_store(uri)):
        return _all(uri), True
    known, end = newest_seen.get(uri), END_HERE if is_local(uri) else END
    start = known.version if known else _checkpoint(uri)
    files = _since(uri, start - end) if start > end else _all(uri)
    commits = [file for file in files if file.is_commit]
    if start > end and not _continues(commits, start, known):
        files = _all(uri)
        commits = [file for file in files if file.is_commit]
        start = 0
    if commits:
        newest_seen[uri] = commits[-1]
    else:
        newest_seen.pop(uri, None)
    return files, start <= end


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


def _since(uri: str, version: int) -> list[LogFile]:
    """Of a folder the commits alone, each by its name: listing it takes the longer, the more it holds."""
    if not is_local(uri):
        return _listed_after(uri, version)
    found = files = _commits(uri, version)
    # The oldest may be gone, while nothing is missing before the newest.
    while found and found[-1].version == version + 2 * END_HERE - 1:
        found = _commits(uri, version := version + 2 * END_HERE)
        files = [*files, *found]
    return files


def _before(uri: str, version: int | None) -> tuple[list[LogFile], bool]:
    """Commits before that version in order, all if it is None, and whether they are the oldest ones."""
    if version is not None and is_local(uri):
        found = _commits(uri, max(0, version - END_HERE), version)
        return found, len(found) < END_HERE
    return [file for file in _all(uri) if file.is_commit and (version is None or file.version < version)], True


def _commits(uri: str, first: int, end: int | None = None) -> list[LogFile]:
    """Those that there are among some versions, or until `end`."""
    versions = range(first, first + 2 * END_HERE if end is None else end)
    system, path = locate(f"{uri}/_delta_log")
    files = system.get_file_info([f"{path}/{version:020}.json" for version in versions])
    return [_of_arrow(file, uri) for file in files if file.type == fs.FileType.File]


def _listed_after(uri: str, version: int) -> list[LogFile]:
    bucket = Bucket.of(uri)
    found = bucket.list_after(f"{bucket.prefix}_delta_log", f"{version:020}")
    files = (LogFile(path.rpartition("/")[2], size, _whole(changed.timestamp())) for path, size, changed in found)
    return [file for file in files if VERSION.match(file.name)]


def _of_arrow(file: fs.FileInfo, uri: str) -> LogFile:
    changed = file.mtime_ns or time.time_ns()
    return LogFile(file.base_name, file.size, _whole(changed / NANOSECONDS) if is_object_store(uri) else changed)


def _whole(seconds: float) -> int:
    return int(seconds) * NANOSECONDS
