"""What lies in a landing folder: regular files with a name that ingest reads; everything else is refused by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.lake.storage.files import is_local, list_files, local_path, locate
from common.sources.json_values import is_text

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".json": "json",
    ".json.gz": "json",
    ".ndjson": "json",
    ".ndjson.gz": "json",
    ".parquet": "parquet",
}
NO_FILES = {
    stat.S_ISLNK: "it is a link, and links are not followed; land the file itself",
    stat.S_ISFIFO: "it is a pipe, not a file; land a file",
    stat.S_ISSOCK: "it is a socket, not a file; land a file",
    stat.S_ISCHR: "it is a device, not a file; land a file",
    stat.S_ISBLK: "it is a device, not a file; land a file",
}


@dataclass(frozen=True)
class LandedFile:
    """One name below the day's folder, and why it is refused, if it is."""

    name: str
    refused: str = ""

    @property
    def format(self) -> str:
        return format_of(self.name)


def landed_files(folder: str) -> list[LandedFile]:
    """Sorted by name. Names that begin with . or _ are left out: markers, and files that are still being written."""
    files = _day(local_path(folder)) if is_local(folder) else _remote(folder)
    return sorted(files, key=lambda file: file.name)


def landed_states(folder: str) -> dict[str, tuple[int, float]]:
    """Size and time of change of every file below the folder, also hidden ones. Links are not followed."""
    if is_local(folder):
        return {name: (about.st_size, about.st_mtime) for name, about in _local_states(folder)}
    return {name: (size, changed / 1e9) for name, (size, changed) in file_states(folder).items()}


def file_states(folder: str) -> dict[str, tuple[int, int]]:
    """Size and time of change, in nanoseconds, of every file. Nobody can set that time, unlike the one of the content."""
    if is_local(folder):
        return {name: (about.st_size, about.st_ctime_ns) for name, about in _local_states(folder)}
    _, base = locate(folder)
    files = list_files(folder, recursive=True)
    return {file.path[len(base) + 1 :]: (file.size, file.mtime_ns or 0) for file in files}


def _local_states(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    day = local_path(folder)
    return iter(()) if day.is_symlink() else _states(str(day), "")


def _states(base: str, below: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = _entries(base, below)
    except OSError:
        return
    for name, entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _states(base, name)
        elif entry.is_file(follow_symlinks=False):
            yield _escaped(name), entry.stat(follow_symlinks=False)


def _entries(base: str, below: str) -> list[tuple[str, os.DirEntry[str]]]:
    """What lies in a folder, sorted, each with its name below the day's folder."""
    entries = sorted(os.scandir(f"{base}/{below}"), key=lambda entry: entry.name)
    return [(f"{below}/{entry.name}" if below else entry.name, entry) for entry in entries]


def _escaped(name: str) -> str:
    """A name, which may not be UTF-8, in a form that can be shown."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _remote(folder: str) -> Iterator[LandedFile]:
    _, base = locate(folder)
    for file in list_files(folder, recursive=True):
        name = file.path[len(base) + 1 :]
        if not any(_is_hidden(part) for part in name.split("/")):
            yield _of_format(name)


def _day(folder: Path) -> Iterator[LandedFile]:
    if folder.is_symlink() or folder.is_file():
        yield LandedFile(folder.name, "it is a link or a file; expected a folder with the day's files")
    else:
        yield from _local(str(folder), "")


def _local(base: str, below: str) -> Iterator[LandedFile]:
    try:
        entries = _entries(base, below)
    except FileNotFoundError:
        return
    except PermissionError:
        yield LandedFile(below or ".", "this user has no permission to read the folder; change its permissions")
        return
    for name, entry in entries:
        if not _is_hidden(entry.name):
            yield from _entry(base, name, entry)


def _entry(base: str, name: str, entry: os.DirEntry[str]) -> Iterator[LandedFile]:
    mode = entry.stat(follow_symlinks=False).st_mode
    problem = next((why for is_kind, why in NO_FILES.items() if is_kind(mode)), "")
    if not is_text(name):
        yield LandedFile(_escaped(name), "its name is not UTF-8; rename it")
    elif problem:
        yield LandedFile(name, problem)
    elif stat.S_ISREG(mode):
        yield _of_format(name)
    elif format_of(name):
        yield LandedFile(name, "it is a folder with the name of a file; rename it, or land a file")
    else:
        yield from _local(base, name)


def _of_format(name: str) -> LandedFile:
    endings = ", ".join(FORMATS)
    refused = "" if format_of(name) else f"its name ends in none of {endings}; rename it, or take it out of landing"
    return LandedFile(name, refused)


def format_of(name: str) -> str:
    """The format that a file's name stands for; empty for a name that is not read."""
    return next((format_ for ending, format_ in FORMATS.items() if name.lower().endswith(ending)), "")


def _is_hidden(part: str) -> bool:
    return part[0] in "._"
