"""Tables that this process has opened before, for whoever needs one next.

Opening a table takes the longer, the more files it has, and a day opens each of its tables several times; to read the commits
since takes a millisecond. Only one user at a time has an open table: it changes when it is brought up to date.
"""

from __future__ import annotations

from contextlib import suppress

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from common.lake.log.log_files import stamp
from common.lake.storage.files import is_local

# More than the tables of one dataset.
MOST = 32

# Each with the stamp of its commit, which tells whether the table was made anew at its place.
_idle: dict[str, tuple[DeltaTable, str]] = {}


def take(uri: str, version: int) -> DeltaTable | None:
    """The table at that version, which is then the caller's alone; None if it must be opened."""
    table, stamped = _idle.pop(uri, (None, ""))
    if table is None or table.version() > version or stamp(uri, table.version()) != stamped:
        return None
    if table.version() < version:
        with suppress(DeltaError, OSError):
            table.update_incremental()
    return table if table.version() == version else None


def give_back(uri: str, table: DeltaTable) -> None:
    """For the next user. A table that is never given back, as after an error, is opened again."""
    stamped = stamp(uri, table.version()) if is_local(uri) else ""
    if stamped:
        _idle[uri] = (table, stamped)
    for longest_idle in [*_idle][: max(0, len(_idle) - MOST)]:
        _idle.pop(longest_idle, None)


def forget() -> None:
    """Once the files of old versions have been exchanged."""
    _idle.clear()
