"""Loads of the online store, and what readers see meanwhile."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from common.errors import ContractViolationError, LockedError, SourceMissingError, UsageError
from common.online.connect import open_store
from common.online.row_codec import encode
from common.online.store import Store
from tests.conftest import ROOT
from tests.support.online_rows import DAY, rows, spends


def told(store: Store, view: str = "sales_v1") -> str:
    return " ".join(sorted(f"{row['user_id']}:{row['spend'].normalize():f}" for row in store.rows(view)))


def kept(store: Store) -> int:
    """The number of stored rows, including those that are not visible to readers."""
    if isinstance(store, online_redis_store()):
        client = store.client  # type: ignore[attr-defined]
        return sum(client.hlen(key) for key in client.scan_iter("online:*") if key.rpartition(":")[2].isdigit())
    counted: int = store.connection().execute("SELECT count(*) FROM online_rows").fetchone()[0]  # type: ignore[attr-defined]
    return counted


def online_redis_store() -> type[Store]:
    from common.online.redis import RedisStore

    return RedisStore


def test_a_loaded_row_is_found_by_its_entity(store: Store) -> None:
    assert store.load("sales_v1", "user_id", [rows("1:10 2:20"), rows("3:30.5")], {"version": 7, "ds": DAY}) == 3
    assert store.get("sales_v1", 3) == {"ds": DAY, "user_id": 3, "spend": Decimal("30.50")}
    assert store.get("sales_v1", 4) is None
    assert store.get("sales_v1", "3") is None
    assert store.facts("sales_v1") == {"version": 7, "ds": DAY, "entity": "user_id", "entities": 3}
    assert told(store) == "1:10 2:20 3:30.5"


def test_a_load_replaces_the_whole_view_and_no_other(store: Store) -> None:
    store.load("sales_v1", "user_id", [rows("1:10 2:20")], {})
    store.load("sales_v2", "user_id", [rows("1:1")], {})
    store.load("sales_v1", "user_id", [rows("2:21")], {"version": 8})
    assert (told(store), told(store, "sales_v2"), kept(store)) == ("2:21", "1:1", 2)
    assert store.facts("sales_v1")["version"] == 8


def test_the_latest_day_of_an_entity_counts_in_any_order(store: Store) -> None:
    old, new = rows("1:1 2:2", DAY - timedelta(days=1)), rows("1:10", DAY)
    for batches in ([old, new], [new, old], [pa.Table.from_batches([new, old]).combine_chunks().to_batches()[0]]):
        assert store.load("sales_v1", "user_id", batches, {}) == 2
        assert told(store) == "1:10 2:2"


def test_two_rows_of_one_entity_and_day_are_refused(store: Store) -> None:
    store.load("sales_v1", "user_id", [rows("1:10")], {})
    with pytest.raises(ContractViolationError, match="an user_id has two rows of 2026-01-05"):
        store.load("sales_v1", "user_id", [rows("1:11"), rows("1:12")], {})
    assert (told(store), kept(store)) == ("1:10", 1)


def test_a_reader_during_a_load_sees_the_old_rows(store: Store, address: str) -> None:
    store.load("sales_v1", "user_id", spends(1), {"version": 1})
    other, seen = open_store(address), []

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in spends(2):
            yield batch
            seen.append((other.get("sales_v1", 5)["spend"], other.facts("sales_v1")["version"]))  # type: ignore[index]

    store.load("sales_v1", "user_id", batches(), {"version": 2})
    assert seen == [(1, 1)] * 5
    assert (other.get("sales_v1", 5) or {})["spend"] == 2
    other.close()


def test_concurrent_readers_miss_no_row_and_never_go_back(store: Store, address: str) -> None:
    store.load("sales_v1", "user_id", spends(0), {})
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        reader = open_store(address)
        while not done.is_set():
            seen.append(int((reader.get("sales_v1", 499) or {"spend": -1})["spend"]))
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for amount in range(1, 6):
        store.load("sales_v1", "user_id", spends(amount), {})
    done.set()
    thread.join()
    assert seen == sorted(seen)
    assert seen[0] >= 0


def test_reading_all_rows_never_mixes_two_loads(store: Store, address: str) -> None:
    store.load("sales_v1", "user_id", spends(1, users=5000), {})
    reading, found = store.rows("sales_v1"), []
    with contextlib.suppress(LockedError):  # it may be told to read again, but not be told of a mixture
        found.append(next(reading)["spend"])
        writer = open_store(address)
        writer.load("sales_v1", "user_id", spends(2, users=5000), {})
        writer.close()
        found += [row["spend"] for row in reading]
        assert len(found) == 5000
    assert set(found) == {Decimal(1)}


def test_a_load_that_fails_half_way_changes_nothing(store: Store) -> None:
    store.load("sales_v1", "user_id", spends(1), {"version": 1})

    def broken() -> Iterator[pa.RecordBatch]:
        yield from spends(2, users=300)
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        store.load("sales_v1", "user_id", broken(), {"version": 2})
    assert {row["spend"] for row in store.rows("sales_v1")} == {Decimal(1)}
    assert (store.facts("sales_v1")["version"], kept(store)) == (1, 500)


def test_a_killed_load_changes_nothing_and_the_next_cleans_up(store: Store, address: str) -> None:
    store.load("sales_v1", "user_id", spends(1), {})
    code = """
import os, sys
from common.online.connect import open_store
from tests.support.online_rows import spends
def batches():
    yield from spends(2, users=300)
    os._exit(9)
open_store(sys.argv[1]).load("sales_v1", "user_id", batches(), {})
"""
    killed = subprocess.run([sys.executable, "-c", code, address], cwd=ROOT, check=False)
    assert killed.returncode == 9
    assert {row["spend"] for row in store.rows("sales_v1")} == {Decimal(1)}
    assert kept(store) == 800
    store.load("sales_v1", "user_id", spends(3), {})
    assert ({row["spend"] for row in store.rows("sales_v1")}, kept(store)) == ({Decimal(3)}, 500)


def test_of_two_concurrent_loads_the_later_start_wins(store: Store, address: str) -> None:
    later = open_store(address)

    def overtaken() -> Iterator[pa.RecordBatch]:
        yield rows("1:1")
        later.load("sales_v1", "user_id", [rows("2:2")], {})
        yield rows("3:3")

    with pytest.raises(LockedError, match="another load of 'sales_v1' began after this one"):
        store.load("sales_v1", "user_id", overtaken(), {})
    assert (told(store), kept(store)) == ("2:2", 1)
    later.close()


def test_a_load_is_void_once_a_later_one_has_begun(store: Store) -> None:
    earlier = store.begin("sales_v1")
    store.put("sales_v1", earlier, [("1", "{}")])
    later = store.begin("sales_v1")
    with pytest.raises(LockedError):
        store.put("sales_v1", earlier, [("2", "{}")])
    with pytest.raises(LockedError):
        store.publish("sales_v1", earlier, "{}")
    with pytest.raises(SourceMissingError):
        store.facts("sales_v1")
    assert kept(store) == 0
    store.publish("sales_v1", later, "{}")
    assert store.facts("sales_v1") == {}


def test_an_older_publication_never_replaces_a_newer_one(store: Store) -> None:
    store.load("sales_v1", "user_id", [rows("1:10")], {"version": 7, "table_id": "a"})
    said = (
        "'sales_v1' holds version 7 of its table, but this load is of version 6; expected the same version or a newer"
    )
    with pytest.raises(LockedError, match=said):
        store.load("sales_v1", "user_id", [rows("1:9")], {"version": 6, "table_id": "a"})
    assert (told(store), kept(store), store.facts("sales_v1")["version"]) == ("1:10", 1, 7)
    for number, version in enumerate((7, 8)):
        store.load("sales_v1", "user_id", [rows(f"1:{number}")], {"version": version, "table_id": "a"})
        assert (told(store), store.facts("sales_v1")["version"]) == (f"1:{number}", version)


def test_a_refused_load_leaves_a_running_one_alone(store: Store, address: str) -> None:
    store.load("sales_v1", "user_id", [rows("1:10")], {"version": 7, "table_id": "a"})
    other = open_store(address)

    def batches() -> Iterator[pa.RecordBatch]:
        with pytest.raises(LockedError, match="holds version 7"):
            other.load("sales_v1", "user_id", [rows("1:9")], {"version": 6, "table_id": "a"})
        yield rows("1:11")

    store.load("sales_v1", "user_id", batches(), {"version": 8, "table_id": "a"})
    assert told(store) == "1:11"
    other.close()


def test_a_table_that_was_made_anew_replaces_a_newer_version(store: Store) -> None:
    store.load("sales_v1", "user_id", [rows("1:10")], {"version": 7, "table_id": "a"})
    store.load("sales_v1", "user_id", [rows("1:1")], {"version": 0, "table_id": "b"})
    assert (told(store), store.facts("sales_v1")["table_id"]) == ("1:1", "b")


def test_the_version_is_compared_as_readers_are_switched(store: Store) -> None:
    generation = store.begin("sales_v1")
    store.publish("sales_v1", generation, encode({"version": 7, "table_id": "a"}))
    with pytest.raises(LockedError, match="holds version 7"):
        store.publish("sales_v1", generation, encode({"version": 6, "table_id": "a"}))
    assert store.facts("sales_v1")["version"] == 7


@pytest.mark.parametrize("newer_first", [True, False])
def test_of_racing_loads_the_newer_publication_stays(store: Store, address: str, newer_first: bool) -> None:
    def load(version: int) -> None:
        mine = open_store(address)
        with contextlib.suppress(LockedError):
            mine.load("sales_v1", "user_id", spends(version), {"version": version, "table_id": "a"})
            loaded.append(version)
        mine.close()

    store.load("sales_v1", "user_id", spends(1), {"version": 1, "table_id": "a"})
    loaded: list[int] = []
    order = range(9, 1, -1) if newer_first else range(2, 10)
    threads = [threading.Thread(target=load, args=(version,)) for version in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {int(row["spend"]) for row in store.rows("sales_v1")} == {store.facts("sales_v1")["version"]}
    assert store.facts("sales_v1")["version"] == max(loaded, default=1)


def test_a_view_that_was_never_loaded_is_missing(store: Store) -> None:
    for ask in (lambda: store.get("sales_v1", 1), lambda: store.facts("sales_v1"), lambda: store.rows("sales_v1")):
        with pytest.raises(SourceMissingError, match="has no view 'sales_v1'; load it with publish --online") as error:
            ask()
        assert error.value.exit_code == 4
        assert "hush" not in str(error.value)
    store.load("sales_v2", "user_id", [], {})
    with pytest.raises(SourceMissingError):
        store.get("sales_v1", 1)
    assert store.get("sales_v2", 1) is None


def test_names_are_checked_before_anything_is_written(store: Store) -> None:
    for view in ("Sales", "sales; drop table online_rows", "", "../sales", "{sales}"):
        with pytest.raises(UsageError, match="is not a valid view or column name"):
            store.load(view, "user_id", [rows("1:1")], {})
        with pytest.raises(UsageError, match="is not a valid view or column name"):
            store.get(view, 1)
    wrong = pa.RecordBatch.from_pylist([{"user_id": 1, "$date": 1}])
    with pytest.raises(UsageError, match="is not a valid view or column name"):
        store.load("sales_v1", "user_id", [wrong], {})


def test_an_erased_entity_is_in_no_generation(store: Store, address: str, tmp_path: Path) -> None:
    """Neither in the one that is served nor in one that a killed load has left; the others stay."""
    store.load("churn_v1", "user_id", [rows("4210007:10 2:20")], {"version": 1})
    left = store.begin("churn_v1")
    store.put("churn_v1", left, [(encode(4210007), encode({"user_id": 4210007}))])
    assert store.erase("churn_v1", 4210007) == 2
    assert store.get("churn_v1", 4210007) is None
    assert [row["user_id"] for row in store.rows("churn_v1")] == [2]
    assert store.facts("churn_v1") == {"version": 1, "entity": "user_id", "entities": 1}
    assert store.erase("churn_v1", 4210007) == store.erase("never_loaded", 4210007) == 0
    if address.startswith("sqlite"):
        assert not [path for path in tmp_path.iterdir() if b"4210007" in path.read_bytes()]
