"""One run at a time on a lake that several machines share: a lease in the lake itself, which only one of them can put there.

A lease saves two runs from doing the same work. Rows do not depend on it: a run that lost its lease commits only if
Delta's log still allows it.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from common.errors import LockedError, StorageUnreachableError, UsageError
from common.lake.storage.buckets import Bucket, StoredObject
from common.runtime.object_store import is_refusal

FOLDER = "leases"
ENDING = ".json"
# After this long without a renewal, the holder counts as dead. Clocks of two machines may differ by some of it.
LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
POLL_SECONDS = 0.5


@dataclass
class _Lease:
    bucket: Bucket
    key: str
    machine: str
    tag: str = ""
    renewals: int = 0

    def content(self) -> bytes:
        holder = {"machine": self.machine, "host": platform.node(), "process": os.getpid(), "renewals": self.renewals}
        return json.dumps(holder).encode()

    def take(self) -> dict[str, Any] | None:
        """Returns the holder if there is another one."""
        if tag := self.bucket.put_if_absent(self.key, self.content()):
            self.tag = tag
            return None
        found = self.bucket.look(self.key)
        if found is None:
            return {}  # released this moment
        holder = _holder(found.content)
        # The lock of this machine is ours already: a holder on it is dead.
        if _is_silent(found) or holder.get("machine") == self.machine:
            self.renewals = int(holder.get("renewals", 0)) + 1
            if tag := self.bucket.put_if_same(self.key, self.content(), found.tag):
                self.tag = tag
                return None
        return holder

    def renew(self) -> bool:
        self.renewals += 1
        tag = self.bucket.put_if_same(self.key, self.content(), self.tag)
        self.tag = tag or self.tag
        return bool(tag)

    def release(self) -> None:
        found = self.bucket.look(self.key)
        if found and found.tag == self.tag:
            self.bucket.delete(self.key)


@contextmanager
def lease(lake: str, name: str, machine: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lease of that name within the lake, or raise LockedError after waiting. `machine` names those who share locks."""
    bucket = Bucket.of(lake)
    held = _Lease(bucket, _key(bucket, name), machine)
    _begin(held, name, wait_seconds)
    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(held, done), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        done.set()
        renewing.join()
        _harmless(held, held.release)


def _begin(held: _Lease, name: str, wait_seconds: float) -> None:
    """Taking the lease is the first write of a run: who may not write at all is told so before anything is touched."""
    try:
        _wait(held, name, wait_seconds)
    except StorageUnreachableError as error:
        if is_refusal(str(error)):
            raise UsageError(f"{name} can't begin: {error}") from None
        raise


def _wait(held: _Lease, name: str, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while (holder := held.take()) is not None:
        _sleep_until(deadline, name, holder, wait_seconds)


def _sleep_until(deadline: float, name: str, holder: dict[str, Any], waits: float) -> None:
    if time.monotonic() >= deadline:
        raise _held_by(holder, name, waits)
    time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def _held_by(holder: dict[str, Any], name: str, waited: float) -> LockedError:
    where = f"process {holder.get('process', '?')} on {holder.get('host', 'another machine')}"
    return LockedError(
        f"{name} is held by {where}; waited {waited:g} s. Let that run finish, or raise lock_wait_seconds in conf. "
        f"If it was killed, its lease ends by itself within {LEASE_SECONDS:g} s."
    )


def wait_for(lake: str, name: str, machine: str, wait_seconds: float) -> None:
    """Wait until no other machine holds the lease of that name, or raise LockedError. Takes nothing."""
    deadline, bucket = time.monotonic() + wait_seconds, Bucket.of(lake)
    while (holder := _at_work(bucket, _key(bucket, name), machine)) is not None:
        _sleep_until(deadline, name, holder, wait_seconds)


def require_none(lake: str, dataset: str, machine: str) -> None:
    """Raise LockedError if another machine holds a lease about the dataset."""
    bucket = Bucket.of(lake)
    first = _key(bucket, f"{dataset}/").removesuffix(ENDING)
    for path, *_ in bucket.list_after(*first.rsplit("/", 1)):
        if path.startswith(first) and (holder := _at_work(bucket, path, machine)) is not None:
            raise _held_by(holder, path.rpartition("/")[2].removesuffix(ENDING), 0)


def _at_work(bucket: Bucket, key: str, machine: str) -> dict[str, Any] | None:
    """Who holds the lease on another machine; None if nobody does who is alive."""
    found = bucket.look(key)
    holder = _holder(found.content) if found and not _is_silent(found) else None
    return None if holder is None or holder.get("machine") == machine else holder


def _is_silent(found: StoredObject) -> bool:
    return (datetime.now(UTC) - found.changed).total_seconds() > LEASE_SECONDS


def _key(bucket: Bucket, name: str) -> str:
    return f"{bucket.prefix}{FOLDER}/{name.replace('/', '.')}{ENDING}"


def _renew(held: _Lease, done: threading.Event) -> None:
    while not done.wait(RENEW_SECONDS):
        _harmless(held, held.renew)


def _harmless(held: _Lease, action: Any) -> None:
    try:
        if action() is False:
            logging.getLogger("pipeline").warning(
                "the lease %s was taken over; the log decides whose commits count", held.key
            )
    except Exception as error:
        logging.getLogger("pipeline").warning(
            "the lease %s could not be renewed: %s", held.key, str(error).splitlines()[0]
        )


def _holder(content: bytes) -> dict[str, Any]:
    try:
        holder = json.loads(content)
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}
