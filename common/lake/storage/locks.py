"""One writer at a time: by file locks that the kernel releases when their holder dies, and between machines by a lease.

Between machines, Delta's log decides whose commit counts, so commits need no lease.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from common.errors import LakeNotWritableError, LockedError
from common.lake.storage import leases
from common.lake.storage.files import is_local, local_path
from common.runtime.object_store import is_object_store

POLL_SECONDS = 0.05
COMMIT_SECONDS = 600
_COMMIT = "commit"
ERASE = "erase"
_held: set[tuple[Path, int]] = set()


def committing(lake: str, table: str) -> AbstractContextManager[None]:
    """Allows one commit at a time to a table: on a local file system, one could overwrite another."""
    return hold_here(lake, f"{_COMMIT}/{table}", COMMIT_SECONDS)


def keeping(lake: str, what: str) -> AbstractContextManager[None]:
    """Lets one process at a time, on any machine, decide which files of a table, or which pins, are kept."""
    return hold(lake, f"{_COMMIT}/files/{what}", COMMIT_SECONDS)


def commits_in_progress() -> bool:
    """Whether a thread of this process is committing."""
    return any(path.name.startswith(f"{_COMMIT}.") for path, _ in [*_held])


@contextmanager
def hold(lake: str, name: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of that name within the lake, or raise LockedError after waiting. The holder may take it again.

    On an object store it is a lock between machines too.
    """
    again = _mine(lake, name) in _held
    with hold_here(lake, name, wait_seconds):
        if again or not is_object_store(lake):
            yield
            return
        with leases.lease(lake, name, _machine(), wait_seconds):
            yield


@contextmanager
def hold_here(lake: str, name: str, wait_seconds: float) -> Iterator[None]:
    """The same among the processes of this machine alone."""
    mine = path, _ = _mine(lake, name)
    if mine in _held:
        yield
        return
    with _locked(path, lake, wait_seconds):
        _held.add(mine)
        try:
            yield
        finally:
            _held.discard(mine)


@contextmanager
def _locked(path: Path, lake: str, wait_seconds: float) -> Iterator[None]:
    """Holds the lock on the file, which goes with its holder, so that locks do not pile up with the days."""
    deadline = time.monotonic() + wait_seconds
    while True:
        with _opened(path, lake) as handle:
            _take(handle.fileno(), path, deadline, wait_seconds)
            if not _is_at(handle, path):
                continue  # the holder that was waited for has removed it
            try:
                _sign(handle, lake)
                yield
            finally:
                with suppress(OSError):
                    path.unlink()
            return


def _is_at(handle: TextIO, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    return False


@contextmanager
def at_work(lake: str, dataset: str, what: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a run of the dataset. An erasure begins once no run is at work, and a run once no erasure is."""
    with hold(lake, f"{dataset}/{what}", wait_seconds):
        wait_for_erasure(lake, dataset, wait_seconds)
        yield


@contextmanager
def erasing(lake: str, dataset: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the dataset's erasure while no run is at work, or raise LockedError."""
    with hold(lake, f"{dataset}/{ERASE}", wait_seconds):
        require_idle(lake, dataset, f"{dataset}/{ERASE}")
        if is_object_store(lake):
            leases.require_none(lake, dataset, _machine())
        yield


def wait_for_erasure(lake: str, dataset: str, wait_seconds: float) -> None:
    """Wait until no other process erases from the dataset, or raise LockedError."""
    mine = path, _ = _mine(lake, f"{dataset}/{ERASE}")
    if mine not in _held:
        with suppress(FileNotFoundError), path.open() as handle:
            _take(handle.fileno(), path, time.monotonic() + wait_seconds, wait_seconds, fcntl.LOCK_SH)
        if is_object_store(lake):
            leases.wait_for(lake, f"{dataset}/{ERASE}", _machine(), wait_seconds)


def require_idle(lake: str, dataset: str, but: str) -> None:
    """Raise LockedError if a run of the dataset is at work on this machine, other than the one that holds `but`."""
    for path in sorted(_folder(lake).glob(f"{dataset}.*.lock")):
        if path != _mine(lake, but)[0]:
            with suppress(FileNotFoundError), path.open() as handle:
                _take(handle.fileno(), path, 0, 0)


def _mine(lake: str, name: str) -> tuple[Path, int]:
    return _folder(lake) / f"{name.replace('/', '.')}.lock", threading.get_ident()


def _opened(path: Path, lake: str) -> TextIO:
    with _writable(lake):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")


def _sign(handle: TextIO, lake: str) -> None:
    with _writable(lake):
        handle.truncate(0)
        handle.write(f"process {os.getpid()}")
        handle.flush()


@contextmanager
def _writable(lake: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LakeNotWritableError(
            f"{lake} can't be written: {error}. Nothing was changed. Free space there, give this user the right to write, "
            "or name another place with --lake."
        ) from error


def _take(descriptor: int, path: Path, deadline: float, wait_seconds: float, kind: int = fcntl.LOCK_EX) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{path.stem} is held by {_holder(path)}; waited {wait_seconds:g} s. "
                    "Let that run finish, or raise lock_wait_seconds in conf."
                ) from None
            time.sleep(POLL_SECONDS)


def _holder(path: Path) -> str:
    with suppress(FileNotFoundError):
        return path.read_text() or "another process"
    return "another process"


def _folder(lake: str) -> Path:
    """In the lake; for a lake that is not a local folder, in a folder of this user's own."""
    if is_local(lake):
        return local_path(lake) / "locks"
    return _private(_state_folder()) / hashlib.sha256(lake.encode()).hexdigest()[:16]


def _state_folder() -> Path:
    """The same for every process of the user, so that all of them see each other's locks."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "feature-pipeline-locks"


def _machine() -> str:
    """Names all processes that see each other's file locks; a host name would not do, as several hosts may have the same."""
    place = _private(_state_folder()) / "machine"
    with _writable(str(place)):
        if not place.exists():
            # Linked once it is complete: another process may be reading it.
            aside = place.with_name(f"machine.{uuid.uuid4().hex}")
            aside.write_text(aside.suffix[1:])
            with suppress(FileExistsError):
                os.link(aside, place)
            aside.unlink()
        return place.read_text()


def _private(folder: Path) -> Path:
    """Create a folder that nobody else can read; refuse one that somebody else may have put there."""
    with _writable(str(folder)):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise LakeNotWritableError(
            f"{folder}, where locks of remote lakes lie, must be a folder of this user with mode 0700, and no link; "
            "remove it, or set XDG_STATE_HOME to a folder of this user"
        )
    return folder
