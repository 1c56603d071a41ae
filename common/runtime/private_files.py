"""Files that only the user of this process may read, whatever the umask."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def keep_private(path: Path) -> None:
    """Create the file if it is missing; close it to others if they may use it."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        close_to_others(path)


def close_to_others(path: Path) -> None:
    """Take away the rights of others, if the file exists and is ours. Don't open it: closing it would release SQLite's locks."""
    with suppress(FileNotFoundError):
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and facts.st_mode & 0o077:
            path.chmod(0o600)
