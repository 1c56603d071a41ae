"""Leases in a lake on an object store: one machine at a time, and nobody waits long for a dead one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from common.errors import LockedError, StorageUnreachableError
from common.lake.storage import leases
from common.lake.storage.buckets import Bucket
from common.lake.storage.leases import lease
from common.lake.storage.locks import at_work, erasing, hold, hold_here
from tests.support.s3_server import S3Server, lake_server

LAKE = "s3a://lake/here"
NAME = "shop/clean/2026-01-05"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with lake_server(tmp_path, monkeypatch) as started:
        yield started


def place(server: S3Server) -> Path:
    return server.folder / "lake/here/leases/shop.clean.2026-01-05.json"


def test_another_machine_waits_and_is_told_who_holds_it(server: S3Server) -> None:
    with lease(LAKE, NAME, "one", 0):
        assert json.loads(place(server).read_text())["machine"] == "one"
        with (
            pytest.raises(LockedError, match=f"{NAME} is held by process [0-9]+ on ") as refused,
            lease(LAKE, NAME, "other", 0),
        ):
            pass
        assert refused.value.exit_code == 5
        with lease(LAKE, "shop/clean/2026-01-06", "other", 0):
            pass
    assert not place(server).exists()
    with lease(LAKE, NAME, "other", 0):
        pass


def test_of_many_machines_one_gets_it(server: S3Server) -> None:
    start, end = Barrier(8), Barrier(8)

    def take(machine: int) -> bool:
        start.wait()
        try:
            with lease(LAKE, NAME, str(machine), 0):
                end.wait()
                return True
        except LockedError:
            end.wait()
            return False

    with ThreadPoolExecutor(8) as machines:
        assert sum(machines.map(take, range(8))) == 1


def test_the_lease_of_a_dead_machine_ends_by_itself(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    Bucket.of(LAKE).put_if_absent("here/leases/shop.clean.2026-01-05.json", b'{"machine": "dead", "renewals": 3}')
    with pytest.raises(LockedError, match="its lease ends by itself within 60 s"), lease(LAKE, NAME, "other", 0):
        pass
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1.0)
    started = time.monotonic()
    with lease(LAKE, NAME, "other", 10):
        assert time.monotonic() - started < 5


def test_one_that_works_longer_keeps_it(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.05)
    with lease(LAKE, NAME, "one", 0):
        deadline = time.monotonic() + 10
        while json.loads(place(server).read_text())["renewals"] < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_run_that_was_killed_here_is_not_waited_for(server: S3Server) -> None:
    """Its file lock is free, so whoever left the lease on this machine is dead."""
    with hold(LAKE, NAME, 0):
        left = place(server).read_bytes()
    Bucket.of(LAKE).put_if_absent("here/leases/shop.clean.2026-01-05.json", left)
    with hold(LAKE, NAME, 0):
        assert place(server).exists()
    assert not place(server).exists()


def test_one_whose_lease_was_taken_over_leaves_it_alone(server: S3Server) -> None:
    with lease(LAKE, NAME, "one", 0):
        place(server).unlink()
        Bucket.of(LAKE).put_if_absent("here/leases/shop.clean.2026-01-05.json", b'{"machine": "other"}')
    assert json.loads(place(server).read_text()) == {"machine": "other"}


def test_the_holder_may_take_it_again(server: S3Server) -> None:
    with hold(LAKE, NAME, 0), hold(LAKE, NAME, 0):
        assert place(server).exists()
    assert not place(server).exists()


def test_a_lock_of_this_machine_asks_nobody(server: S3Server) -> None:
    with hold_here(LAKE, NAME, 0):
        assert server.requests() == []


def test_a_store_that_stops_is_told_in_one_line(server: S3Server) -> None:
    with hold(LAKE, "shop/ingest/2026-01-05", 0):
        server.stop()
        with (
            pytest.raises(StorageUnreachableError, match="the object store stopped answering") as told,
            hold(LAKE, NAME, 0),
        ):
            pass
        assert "\n" not in str(told.value)


def test_an_erasure_looks_at_the_runs_of_every_machine(server: S3Server) -> None:
    with (
        lease(LAKE, NAME, "other", 0),
        pytest.raises(LockedError, match=r"shop.clean.2026-01-05 is held by process [0-9]+ on "),
        erasing(LAKE, "shop", 0),
    ):
        pass
    others = lease(LAKE, "shop2/clean/2026-01-05", "other", 0), lease(LAKE, "zoo/clean/2026-01-05", "other", 0)
    with others[0], others[1], erasing(LAKE, "shop", 0):
        pass


def test_an_erasure_does_not_wait_for_the_dead(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    Bucket.of(LAKE).put_if_absent("here/leases/shop.clean.2026-01-05.json", b'{"machine": "dead", "renewals": 3}')
    with pytest.raises(LockedError, match="its lease ends by itself"), erasing(LAKE, "shop", 0):
        pass
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.0)
    with erasing(LAKE, "shop", 0):
        pass


def test_a_run_waits_for_an_erasure_on_another_machine(server: S3Server) -> None:
    with lease(LAKE, "shop/erase", "other", 0):
        with pytest.raises(LockedError, match="shop/erase is held by"), at_work(LAKE, "shop", "clean/2026-01-05", 0):
            pass
        with at_work(LAKE, "zoo", "clean/2026-01-05", 0):
            pass
    with at_work(LAKE, "shop", "clean/2026-01-05", 0), at_work(LAKE, "shop", "clean/2026-01-06", 0):
        pass
