"""Log files to which several processes may write at once."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """A single unbuffered write keeps the lines of several processes from mixing; one that was cut short stays alone."""
    with path.open("a+b", buffering=0) as file:
        content = f"{_after_last(file)}{line}\n".encode()
        if file.write(content) < len(content):
            raise OSError(errno.ENOSPC, "No space left for a whole line", str(path))


def _after_last(file: FileIO) -> str:
    if not file.seek(0, os.SEEK_END):
        return ""
    file.seek(-1, os.SEEK_END)
    return "" if file.read(1) == b"\n" else "\n"
