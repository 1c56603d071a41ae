"""The change feed of another lake's table: periods are its versions, and each day ends as that table was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from common.errors import SourceMissingError, UsageError
from common.quality.checks import freshness
from common.sources.delta.feed import DeltaFeed
from tests.support.changes import history, segments, write_customers
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake

MON, TUE, WED, THU = DAYS = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08")
FEED = DeltaFeed(lake="crm", table="customers", on_empty="accept")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CRM_LAKE", str(tmp_path / "crm"))
    return write_table(tmp_path)


def write_table(root: Path) -> str:
    """Another lake's table, which has a day of creation, one of changes, one without, and one of an overwrite."""
    uri = str(root / "crm" / "customers")
    write_deltalake(uri, rows({1: "new", 2: "new"}), configuration={"delta.enableChangeDataFeed": "true"})
    merge(uri, {1: "gold", 3: "new"})
    DeltaTable(uri).delete("user_id = 2")
    write_deltalake(uri, rows({2: "back", 3: "new"}), mode="overwrite")
    for version, at in enumerate((f"{MON}T08", f"{TUE}T08", f"{TUE}T09", f"{THU}T08")):
        dated(uri, version, f"{at}:00:00+00:00")
    return uri


def rows(customers: dict[int, str]) -> pa.Table:
    return pa.table({"user_id": pa.array([*customers], pa.int64()), "segment": [*customers.values()]})


def merge(uri: str, customers: dict[int, str]) -> None:
    merger = DeltaTable(uri).merge(rows(customers), "t.user_id = s.user_id", source_alias="s", target_alias="t")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


def dated(uri: str, version: int, at: str) -> None:
    """Sets the time of a commit."""

    file = Path(uri) / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in file.read_text().splitlines()]
    for action in actions:
        if "commitInfo" in action:
            action["commitInfo"]["timestamp"] = round(datetime.fromisoformat(at).timestamp() * 1000)
    file.write_text("".join(f"{json.dumps(action)}\n" for action in actions))


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("datasets")
    write_customers(folder)
    with datasets_in(folder):
        yield folder


def following(root: Path) -> PlayLake:
    lake = PlayLake(root, "customers")
    names = [column for column in lake.contract.columns if not column.name.startswith("change_")]
    return lake.with_contract(source=FEED, columns=tuple(names))


@pytest.fixture
def customers(tmp_path: Path, declared: Path) -> PlayLake:
    return following(tmp_path)


def run_days(lake: PlayLake, *days: str) -> PlayLake:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CRM_LAKE", str(lake.root / "crm"))
        for ds in days:
            lake.day(ds)
    return lake


@pytest.fixture(scope="module")
def half_once(tmp_path_factory: pytest.TempPathFactory, declared: Path) -> PlayLake:
    """Two days were read."""
    root = tmp_path_factory.mktemp("half")
    write_table(root)
    return run_days(following(root), MON, TUE)


@pytest.fixture(scope="module")
def whole_once(half_once: PlayLake, tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    """All days were read, in order."""
    return run_days(half_once.copied(tmp_path_factory.mktemp("whole")), WED, THU)


@pytest.fixture
def half(half_once: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayLake:
    monkeypatch.setenv("CRM_LAKE", str(tmp_path / "crm"))
    return half_once.copied(tmp_path)


@pytest.fixture
def whole(whole_once: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlayLake:
    monkeypatch.setenv("CRM_LAKE", str(tmp_path / "crm"))
    return whole_once.copied(tmp_path)


def test_each_day_ends_as_the_table_was(whole: PlayLake) -> None:
    versions = [whole.ingested(ds)["versions"] for ds in DAYS]
    assert versions == [[0, 0], [1, 2], [], [3, 3]]
    for ds, version in zip(DAYS, (0, 2, 2, 3), strict=True):
        stored = DeltaTable(f"{whole.root}/crm/customers", version=version).to_pyarrow_table().to_pylist()
        assert segments(whole, ds) == {row["user_id"]: row["segment"] for row in stored}


def test_a_period_is_read_again_exactly(half: PlayLake) -> None:
    customers, table = half, f"{half.root}/crm/customers"
    before, kept = customers.content(), history(customers)
    merge(table, {1: "silver"})
    dated(table, 4, f"{TUE}T23:00:00+00:00")  # a clock that is behind
    for ds in (MON, TUE):
        assert customers.ingest(ds, full_refresh=True)["outcome"] == "nothing"
        customers.day(ds)
    assert (customers.content(), history(customers)) == (before, kept)
    customers.day(THU)
    assert customers.ingested(THU)["versions"] == [3, 4]
    assert segments(customers, THU) == {1: "silver", 2: "back", 3: "new"}


def test_a_silent_feed_is_as_fresh_as_it_was_read(whole: PlayLake) -> None:
    silent = ("2026-01-09", "2026-01-10")
    whole.ingest(silent[0])
    whole.day(silent[1])
    ages = [freshness(whole.plan("validate", ds), []).observed for ds in (*DAYS, *silent)]
    assert ages == [24] * 6
    assert {whole.validate(silent[-1], name)["outcome"] for name in ("processed", "features")} == {"done"}


def test_a_feed_that_was_not_read_is_not_fresh(customers: PlayLake, table: str) -> None:
    customers.ingest(MON)
    unread = freshness(customers.plan("validate", TUE), [])
    assert (unread.success, "has no source listing for 2026-01-06" in unread.problem) == (False, True)


def test_days_in_any_order_end_the_same(whole: PlayLake, tmp_path: Path) -> None:
    other = PlayLake(tmp_path / "other", "customers").with_contract(**whole.contract_changes)
    for ds in (THU, MON, TUE, THU):
        other.day(ds)
    assert history(other) == history(whole)
    assert segments(other, THU) == segments(whole, THU)


def test_a_table_without_a_feed_is_told(customers: PlayLake, table: str, tmp_path: Path) -> None:
    write_deltalake(str(tmp_path / "crm" / "plain"), rows({1: "new"}))
    plain = customers.with_contract(**{**customers.contract_changes, "source": DeltaFeed(lake="crm", table="plain")})
    with pytest.raises(UsageError, match="keeps no changes; set its property delta.enableChangeDataFeed to true"):
        plain.ingest(MON)
    gone = customers.with_contract(**{**customers.contract_changes, "source": DeltaFeed(lake="crm", table="gone")})
    with pytest.raises(UsageError, match="there is no table gone in the lake crm"):
        gone.ingest(MON)


def test_a_table_that_was_created_again_is_told(customers: PlayLake, table: str) -> None:

    customers.ingest(MON)
    shutil.rmtree(table)
    write_deltalake(table, rows({9: "other"}), configuration={"delta.enableChangeDataFeed": "true"})
    with pytest.raises(SourceMissingError, match="was created again, and no longer has what"):
        customers.ingest(MON, full_refresh=True)


def test_a_table_whose_types_changed_is_told(customers: PlayLake, table: str) -> None:
    customers.ingest(MON)
    numbers = pa.table({"user_id": pa.array([1], pa.int64()), "segment": pa.array([7], pa.int64())})
    write_deltalake(table, numbers, mode="overwrite", schema_mode="overwrite")
    dated(table, 4, f"{THU}T09:00:00+00:00")
    with pytest.raises(UsageError, match=f"has other columns, or other types, than when {TUE} changed it"):
        customers.ingest(TUE)
    assert customers.ingest(MON)["outcome"] == "nothing"


def test_a_lake_without_a_place_is_told(customers: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_LAKE", raising=False)
    with pytest.raises(UsageError, match="CRM_LAKE is not set"):
        customers.ingest(MON)
