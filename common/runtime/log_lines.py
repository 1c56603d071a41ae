"""Log files to which several processes may write at once."""

from __future__ import annotations

from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """A single unbuffered write keeps the lines of several processes from mixing."""
    with path.open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())
