"""The online store: readers during a load, and exact round trips of values."""

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import ContractViolationError, LockedError, PipelineError, SourceMissingError, UsageError
from common.online import store as store_module
from common.online.agreement import Difference, compare_with_offline
from common.online.connect import open_store
from common.online.row_codec import decode, encode
from common.online.store import Store
from tests.support.postgres import NotHereError, postgres

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 1, 5)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def skip_without(program: str, library: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not on PATH")
    if not importlib.util.find_spec(library):
        pytest.skip(f"the library {library} is not installed")


@contextlib.contextmanager
def running(command: list[str], address: str, **how: Any) -> Iterator[str]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        for _ in range(200):
            with contextlib.suppress(PipelineError):
                store = open_store(address)
                store.load("started", "id", [], {})
                store.close()
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"{command[0]} did not start")
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    skip_without("redis-server", "redis")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with running([*command, "--requirepass", "hush"], f"redis://:hush@127.0.0.1:{port}/0") as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if not importlib.util.find_spec("psycopg"):
        pytest.skip("the library psycopg is not installed")
    try:
        with postgres() as address:
            yield f"postgresql://{address}"
    except NotHereError as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/online.db"
    return str(request.getfixturevalue("redis_server" if request.param == "redis" else "postgres_server"))


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    if address.startswith("redis"):
        opened.client.flushdb()  # type: ignore[attr-defined]
    elif address.startswith("postgresql"):
        opened.connection().execute("DROP TABLE IF EXISTS online_views, online_generations, online_rows")  # type: ignore[attr-defined]
    yield opened
    opened.close()


def rows(text: str, ds: date = DAY) -> pa.RecordBatch:
    """`1:10 2:20`: user 1 spent 10, user 2 spent 20."""
    pairs = [each.split(":") for each in text.split()]
    return pa.RecordBatch.from_pylist(
        [{"ds": ds, "user_id": int(user), "spend": Decimal(spend)} for user, spend in pairs],
        schema=pa.schema({"ds": pa.date32(), "user_id": pa.int64(), "spend": pa.decimal128(12, 2)}),
    )


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


def spends(amount: int, users: int = 500) -> Iterator[pa.RecordBatch]:
    for start in range(0, users, 100):
        yield rows(" ".join(f"{user}:{amount}" for user in range(start, start + 100)))


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
from tests.online.test_store import spends
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


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([b"x"]), "binary, which can't be stored online exactly"),
        (pa.array([[1]]), "list<.*can't be stored online exactly"),
        (pa.array([datetime(2026, 1, 5)], pa.timestamp("ns")), "can't be stored online exactly"),
    ],
)
def test_values_that_would_not_round_trip_are_refused(column: pa.Array, said: str, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    batch = pa.RecordBatch.from_arrays([pa.array([1]), column], ["user_id", "found"])
    with pytest.raises(UsageError, match=said):
        store.load("sales_v1", "user_id", [batch], {})


def test_rows_need_the_entity(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    with pytest.raises(UsageError, match="no column 'shop'"):
        store.load("sales_v1", "shop", [rows("1:1")], {})
    with pytest.raises(ContractViolationError, match="some rows have no user_id"):
        store.load("sales_v1", "user_id", [pa.RecordBatch.from_pylist([{"user_id": 1}, {"user_id": None}])], {})
    with pytest.raises(UsageError, match="the store's own"):
        store.load("sales_v1", "user_id", [rows("1:1")], {"entity": "shop"})


VALUES = {
    "an_int": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "a_long": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "a_double": (pa.float64(), st.floats()),
    "a_decimal": (pa.decimal128(22, 2), st.decimals(-(10**19), 10**19, places=2)),
    "a_boolean": (pa.bool_(), st.booleans()),
    "a_text": (pa.string(), st.text()),
    "a_date": (pa.date32(), st.dates()),
    "a_time": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "a_local_time": (pa.timestamp("us"), st.datetimes()),
}
SCHEMA = pa.schema({"entity": pa.string(), **{name: type_ for name, (type_, _) in VALUES.items()}})
ROWS = st.lists(
    st.fixed_dictionaries({"entity": st.text(), **{name: st.none() | values for name, (_, values) in VALUES.items()}}),
    max_size=8,
    unique_by=lambda row: row["entity"],
)


def exactly(row: dict[str, Any]) -> dict[str, tuple[type, str]]:
    """A value's type and exact digits, in which NaN equals NaN."""
    return {name: (type(value), str(value) if isinstance(value, float) else value) for name, value in row.items()}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_value_comes_back_exactly_as_it_was(store: Store, found: list[dict[str, Any]]) -> None:
    batch = pa.RecordBatch.from_pylist(found, schema=SCHEMA)
    store.load("all_v1", "entity", [batch], {})
    for row in found:
        back = store.get("all_v1", row["entity"])
        assert back is not None
        assert exactly(back) == exactly(row)
        assert list(back) == SCHEMA.names
    assert compare_with_offline(store, "all_v1", [batch]).share == 1


@given(st.floats() | st.decimals(allow_nan=False) | st.dates() | st.datetimes() | st.text() | st.integers() | st.none())
def test_stored_values_are_standard_json(value: Any) -> None:
    text = encode({"a": value})
    assert exactly(decode(text)) == exactly({"a": value})
    assert text.isascii()
    assert not {"NaN", "Infinity"} & set(text.replace(":", ",").strip("{}").split(","))


def test_times_in_other_zones_come_back_as_the_same_utc_instant() -> None:
    berlin = pa.array([datetime(2026, 1, 5, 12, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")).to_pylist()[0]
    assert decode(encode(berlin)) == berlin
    assert decode(encode(berlin)).tzinfo == UTC


@pytest.mark.parametrize(
    ("offline", "total", "agreeing", "examples"),
    [
        ("1:10 2:20", 2, 2, []),
        ("1:10 2:21", 2, 1, [Difference(2, "differs", ("spend",))]),
        ("1:10", 2, 1, [Difference(2, "not offline")]),
        ("1:10 2:20 3:30", 3, 2, [Difference(3, "missing online")]),
    ],
)
def test_each_kind_of_difference_is_counted_and_named(
    store: Store, offline: str, total: int, agreeing: int, examples: list[Difference]
) -> None:
    store.load("sales_v1", "user_id", [rows("1:10 2:20")], {})
    found = compare_with_offline(store, "sales_v1", [rows("1:1", DAY - timedelta(days=1)), rows(offline)])
    assert (found.total, found.agreeing, found.share) == (total, agreeing, agreeing / total)
    assert list(found.examples) == examples


def test_of_many_differences_five_are_named(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", spends(1, users=100), {})
    found = compare_with_offline(store, "sales_v1", spends(2, users=200))
    assert (found.total, found.agreeing, len(found.examples)) == (200, 0, 5)


def test_a_number_of_another_type_is_a_difference(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", [pa.RecordBatch.from_pylist([{"user_id": 1, "spend": 1}])], {})
    found = compare_with_offline(store, "sales_v1", [pa.RecordBatch.from_pylist([{"user_id": 1, "spend": 1.0}])])
    assert found.examples == (Difference(1, "differs", ("spend",)),)


def test_two_empty_sides_agree(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", [], {})
    assert compare_with_offline(store, "sales_v1", []).share == 1


def test_sqlite_is_for_the_user_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", spends(1), {})
    assert (tmp_path / "online.db-wal").exists()
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_an_sqlite_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/online.db"
    open_store(address).load("sales_v1", "user_id", spends(1), {})
    for file in tmp_path.iterdir():
        file.chmod(0o666)
    open_store(address).load("sales_v1", "user_id", spends(2), {})
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_address_comes_from_online_where_none_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONLINE", f"sqlite:///{tmp_path}/there.db")
    open_store().load("sales_v1", "user_id", [rows("1:1")], {})
    assert (tmp_path / "there.db").exists()
    monkeypatch.delenv("ONLINE")
    assert open_store().path == ROOT / "data/online.db"  # type: ignore[attr-defined]


def test_reading_an_absent_file_creates_none(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError):
        open_store(f"sqlite:///{tmp_path}/online.db").get("sales_v1", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["mongodb://me:hush@there/x", "sqlite:online.db", "hush"])
def test_an_address_of_unknown_kind_is_a_usage_error(address: str) -> None:
    with pytest.raises(UsageError, match="of an unknown kind; expected sqlite:///") as error:
        open_store(address)
    assert error.value.exit_code == 2
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "install"),
    [("redis://there:1/0", "pip install redis"), ("postgresql://there/x", "pip install 'psycopg[binary]'")],
)
def test_a_store_whose_library_is_absent_says_what_to_install(
    address: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(store_module.importlib, "import_module", absent)
    with pytest.raises(UsageError) as error:
        open_store(address)
    assert str(error.value) == f"the online store needs a library that is not installed: {install}"


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_an_unreachable_server_is_named_without_its_password(scheme: str) -> None:
    if not importlib.util.find_spec({"redis": "redis", "postgresql": "psycopg"}[scheme]):
        pytest.skip("its library is not installed")
    port = free_port()
    with pytest.raises(PipelineError, match=f"{scheme}://127.0.0.1:{port}/0 can't be reached") as error:
        open_store(f"{scheme}://me:hu%24h@127.0.0.1:{port}/0").load("sales_v1", "user_id", [], {})
    assert "hu" not in str(error.value).replace("that", "")


SECRETS: list[tuple[Callable[[], str], str]] = [
    (lambda: store_module.without_credentials("redis://me:hush@there:6379/0?password=hush"), "redis://there:6379/0"),
    (lambda: store_module.without_credentials("postgresql://me:h@ush@there/x#hush"), "postgresql://there/x"),
    (lambda: repr(open_store("sqlite:////tmp/online.db")), "SqliteStore(sqlite:////tmp/online.db)"),
    (lambda: str(store_module.unreachable("redis://me:h%24sh@there", ValueError("h$sh h%24sh"))), "(*** ***)"),
]


@pytest.mark.parametrize(("say", "expected"), SECRETS)
def test_a_password_is_never_shown(say: Callable[[], str], expected: str) -> None:
    assert expected in say()
    assert "hush" not in say()


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
