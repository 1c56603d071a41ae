"""Files that are for the user alone who runs this process, whatever the umask."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def keep_private(path: Path) -> None:
    """Create the file if it is missing; close one that others may use."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        close_to_others(path)


def close_to_others(path: Path) -> None:
    """Take the rights of everybody else away, if the file is there and ours. It is not opened: that would end SQLite's locks."""
    with suppress(FileNotFoundError):
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and facts.st_mode & 0o077:
            path.chmod(0o600)
