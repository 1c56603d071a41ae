"""Which versions of a key count: `settle` agrees with a plain model, and takes linear time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

import pytest
from pyspark.sql import SparkSession

from common.clean import typed_day
from common.clean.as_of import settle
from common.contracts import datasets
from common.published.resettled import superseded_on
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

FIRST = date(2026, 1, 5)
COLUMNS = "transaction_id string, event_date date, arrived date, record_hash string, age int, superseded date"
LATENESS = 2
TODAY = FIRST + timedelta(days=3)
DAY = "2026-01-05"


class Version(NamedTuple):
    key: str
    event_date: date
    arrived: date
    record_hash: str
    age: int
    superseded: date | None


def at_random(number: int, seed: int) -> list[Version]:
    choose = random.Random(seed)
    made = {}
    for _ in range(number):
        event = FIRST + timedelta(days=choose.randrange(4))
        arrived = event + timedelta(days=choose.randrange(LATENESS + 1))
        name = f"{choose.randrange(6)}"
        stored = choose.choice([None, None, arrived + timedelta(days=choose.randrange(3)), TODAY])
        age = int(name) % 3
        version = Version(f"k{choose.randrange(3)}", event, arrived, name, age, stored)
        made[version[:5]] = version
    return list(made.values())


def by_the_book(versions: list[Version]) -> set[Version]:
    """Compares each version with each other one of its key."""
    first: dict[tuple[str, str], date] = {}
    for each in versions:
        place = (each.key, each.record_hash)
        first[place] = min(each.arrived, first.get(place, each.arrived))

    def rank(each: Version) -> tuple[int, date, str, int]:
        return (each.age, first[each.key, each.record_hash], each.record_hash, -each.arrived.toordinal())

    def beaten_on(one: Version) -> date | None:
        days = [
            other.arrived
            for other in versions
            if other.key == one.key and rank(other) > rank(one)
            if max(one.arrived, other.arrived) <= min(one.event_date, other.event_date) + timedelta(days=LATENESS)
        ]
        kept = [one.superseded] if one.superseded not in (None, TODAY) else []
        return min([*days, *kept], default=None)

    return {each._replace(superseded=beaten_on(each)) for each in versions}


def test_versions_settle_as_if_each_was_compared_with_each(spark: SparkSession) -> None:
    contract = replace(datasets.load("transactions").contract, lateness_days=LATENESS, winner=("age",))
    for seed in range(2):
        versions = at_random(40, seed)
        settled = settle(spark.createDataFrame(versions, COLUMNS), contract, TODAY).collect()
        assert len(settled) == len(versions)
        assert {Version(*row) for row in settled} == by_the_book(versions), f"seed {seed}"
        # Without Spark, as if what superseded versions today had never come.
        rows = [dict(zip(settled[0].asDict(), version, strict=True)) for version in versions]
        ends = superseded_on(rows, [TODAY], contract)
        wanted = {
            (each.key, each.event_date, each.record_hash, each.arrived): each.superseded
            for each in by_the_book(versions)
        }
        assert ends == wanted, f"seed {seed}"


def test_a_key_with_too_many_versions_is_no_key(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_day, "MAX_VERSIONS", 2)
    rows = "\n".join(f"n/a | {amount}" for amount in (1, 2, 3, 3, -1))
    lake.land(DAY, f"transaction_id | purchase_amount\n{rows}\na | 1\na | 2\nb | 1")
    lake.ingest(DAY)
    counts = lake.clean(DAY)["counts"]
    assert {name: counts[name] for name in ("rows_in", "accepted", "superseded", "duplicates", "quarantined")} == {
        "rows_in": 8,
        "accepted": 2,
        "superseded": 1,
        "duplicates": 0,
        "quarantined": 5,
    }
    assert sorted((row["reasons"], row["copies"]) for row in lake.rows("quarantine")) == [
        (["purchase_amount:not_over_0", "too_many_versions"], 1),
        (["too_many_versions"], 1),
        (["too_many_versions"], 1),
        (["too_many_versions"], 2),
    ]
    assert all('"n/a"' in row["record"] and row["file"] for row in lake.rows("quarantine"))
    assert_rows(lake.rows("processed"), "transaction_id | purchase_amount\na | 2.00\nb | 1.00")


@pytest.mark.parametrize(
    "order",
    [
        ("2026-01-05", "2026-01-16"),
        pytest.param(("2026-01-16", "2026-01-05"), marks=pytest.mark.slow),
        pytest.param(("2026-02-10", "2026-01-05"), marks=pytest.mark.slow),
    ],
)
def test_a_correction_that_moves_an_event_too_far_is_refused(lake: PlayLake, order: tuple[str, str]) -> None:
    """Further than lateness allows (7 days), within a window (30 days): both rows would count."""
    later = max(order)
    for ds in order:
        lake.land(ds, f"transaction_id | timestamp\nmoved | {ds}T10:00:00Z\nof {ds} | {ds}T10:00:00Z")
        lake.ingest(ds)
        line = lake.clean(ds)
    if line["stale"]:
        assert line["stale"] == [order[0]]
        lake.clean(order[0])
    assert line["stale"] or order[0] < order[1]
    rows = f"transaction_id | event_date\nmoved | 2026-01-05\nof 2026-01-05 | 2026-01-05\nof {later} | {later}"
    assert_rows(lake.rows("processed"), rows)
    (refused,) = lake.rows("quarantine")
    assert (str(refused["ds"]), refused["reasons"]) == (later, ["moved_too_far"])
    assert f'"{later}T10:00:00Z"' in refused["record"]
    assert lake.clean(later)["outcome"] == "nothing"


def test_a_key_that_comes_back_much_later_is_another_event(lake: PlayLake) -> None:
    for ds in ("2026-01-05", "2026-03-05"):
        lake.land(ds, f"transaction_id | timestamp\na | {ds}T10:00:00Z")
        lake.ingest(ds)
        lake.clean(ds)
    assert_rows(lake.rows("processed"), "transaction_id | event_date\na | 2026-01-05\na | 2026-03-05")
    assert lake.rows("quarantine") == []


@pytest.mark.parametrize("later", ["2026-01-16", pytest.param("2026-02-10", marks=pytest.mark.slow)])
def test_a_moved_record_counts_once_the_old_one_is_withdrawn(lake: PlayLake, later: str) -> None:
    for ds in ("2026-01-05", later):
        before = date.fromisoformat(ds) - timedelta(days=1)
        lake.land(ds, f"transaction_id | timestamp\nmoved | {ds}T10:00:00Z\nof {ds} | {before}T10:00:00Z")
        lake.ingest(ds)
        lake.clean(ds)
    lake.land("2026-01-05", "transaction_id | timestamp\nof 2026-01-05 | 2026-01-04T10:00:00Z")
    lake.ingest("2026-01-05")
    assert lake.clean("2026-01-05")["stale"] == [later]
    lake.clean(later)
    assert_rows(lake.rows("processed", "transaction_id = 'moved'"), f"transaction_id | event_date\nmoved | {later}")
