"""Processes on this machine, read from /proc."""

from __future__ import annotations

from pathlib import Path


def parent(pid: int) -> int:
    """The parent's process id; 0 if the process has just ended."""
    return _stat(pid)[1]


def in_session(leader: int) -> set[int]:
    """All processes of a session: those that its leader and their children started."""
    return {pid for pid in _all() if _stat(pid)[3] == leader}


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def listening(pid: int) -> set[str]:
    """The addresses that a process listens on, in the kernel's hexadecimal form; IPv4 is the last word of IPv6."""
    try:
        own = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    except OSError:
        return set()  # the process has just ended
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                found.add(address.partition(":")[0][-8:])
    return found


def _all() -> list[int]:
    return [int(place.name) for place in Path("/proc").glob("[0-9]*")]


def _stat(pid: int) -> list[int]:
    """Parent, process group and session; zeros for a process that has ended, even as a zombie."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        state, numbers = "Z", []
    return [0, 0, 0, 0] if state in "ZX" else [0, *map(int, numbers)]
