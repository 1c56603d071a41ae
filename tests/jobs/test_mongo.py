"""Documents of a server that speaks MongoDB's protocol: nothing lost, nothing changed, and mistakes told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection

from common.errors import SourceMissingError, SourceUnreachableError, UsageError
from common.orchestration.job import Line
from common.sources.mongo.collection import Mongo, OpenedCollection
from common.sources.opening import open_source
from tests.support.disturbed import disturbed
from tests.support.landing import PURCHASE
from tests.support.mongo import mongo
from tests.support.play_lake import PlayLake

pytestmark = pytest.mark.slow
DAY = "2026-01-05"
YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
SALES = Mongo(database="shop", collection="sales", watermark="updated_at")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with mongo() as address:
        yield address


@pytest.fixture
def sales(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection[dict[str, Any]]]:
    monkeypatch.setenv("SHOP_DATABASE", f"{server}shop")
    with MongoClient(server) as client:
        client.shop.drop_collection("sales")
        client.shop.create_collection("sales")
        yield client.shop.sales


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def sold(sales: Collection[dict[str, Any]], *rows: tuple[str, str], **fields: Any) -> None:
    """Of an id, and the time in UTC of its last change."""
    sales.insert_many(
        {**PURCHASE, **fields, "transaction_id": name, "updated_at": at(changed)} for name, changed in rows
    )


def ingest(lake: PlayLake, source: Mongo, ds: str = DAY, **options: Any) -> Line:
    return lake.with_contract(source=source).ingest(ds, **options)


def ids(lake: PlayLake) -> list[str]:
    return sorted(row["transaction_id"] for row in lake.rows("raw"))


def test_a_period_holds_what_was_changed_in_it(lake: PlayLake, sales: Collection[Any]) -> None:
    times = ("2026-01-04 23:49:59.999", "2026-01-04 23:50:00", "2026-01-05 23:59:59.999", "2026-01-06 00:00:00")
    sold(sales, *zip("abcd", times, strict=True))
    sales.insert_one({**PURCHASE, "transaction_id": "undated"})
    for parallel in (1, 3):
        found = ingest(lake, replace(SALES, parallel=parallel), full_refresh=True)
        assert (ids(lake), found["counts"]["landed"]) == (["b", "c"], 2)
    assert found["drift"] == {"sales": ["_id", "updated_at"]}
    facts = lake.ingested(DAY)
    assert (facts["range"], facts["one_moment"], facts["repeatable"]) == (
        ["2026-01-04 23:50:00+00:00", "2026-01-06 00:00:00+00:00"], False, False,
    )  # fmt: skip
    sales.delete_many({})
    assert ingest(lake, SALES)["outcome"] == "nothing"


def test_parts_are_read_side_by_side_only_with_an_index(lake: PlayLake, sales: Collection[Any]) -> None:
    """Without one, the server looks through the whole collection for each part."""
    sold(sales, *((name, f"{DAY} {hour}:00:00") for name, hour in zip("abcd", ("01", "09", "15", "23"), strict=True)))
    source = replace(SALES, parallel=3)
    for number in (1, 3):
        with closing(open_source(lake.with_contract(source=source).plan("ingest", DAY))) as opened:
            opened.holds()
            assert isinstance(opened, OpenedCollection) and len(opened.parts) == number
        assert ingest(lake, source, full_refresh=True)["counts"]["landed"] == 4
        assert ids(lake) == [*"abcd"]
        sales.create_index("updated_at")


def test_a_period_may_hold_what_was_made_in_it(lake: PlayLake, sales: Collection[Any]) -> None:
    for name, made in (("a", "2026-01-04 23:59:59"), ("b", "2026-01-05 00:00:00"), ("c", "2026-01-06 00:00:00")):
        sales.insert_one({**PURCHASE, "_id": ObjectId.from_datetime(at(made)), "transaction_id": name})
    ingest(lake, replace(SALES, watermark="_id", overlap_minutes=0, parallel=2))
    assert ids(lake) == ["b"]


def test_a_day_goes_to_features_and_its_overlap_counts_once(lake: PlayLake, sales: Collection[Any]) -> None:
    sold(sales, ("a", "2026-01-05 23:55:00"), ("b", "2026-01-06 08:00:00"), timestamp=at(f"{DAY} 10:00:00"))
    ours = lake.with_contract(source=SALES)
    ours.day(DAY)
    line = ours.day("2026-01-06")
    assert (line["ingest"]["counts"]["accepted"], line["clean"]["counts"]["duplicates"]) == (2, 1)
    assert lake.feature_rows("2026-01-06")[0]["purchases_7d"] == 2


def test_fields_are_found_by_their_paths(lake: PlayLake, sales: Collection[Any]) -> None:
    buyer = {"id": 7, "cards": [{"kind": "visa"}, {"kind": None}], "since": at("2020-01-01 00:00:00")}
    sold(sales, ("a", f"{DAY} 10:00:00"), buyer=buyer, tags=["x", 1, None], payment_method="")
    sold(sales, ("b", f"{DAY} 10:00:00"), buyer=None, category=None)
    columns = {
        column.name: replace(column, source={"user_id": "buyer.id", "category": "buyer.cards.kind"}.get(column.name))
        for column in lake.contract.columns
    }
    columns["age"] = replace(columns["age"], source="tags")
    lake.with_contract(source=SALES, columns=tuple(columns.values())).ingest(DAY)
    one, two = sorted(lake.rows("raw"), key=lambda row: row["transaction_id"])
    assert [one[name] for name in ("user_id", "category", "age", "payment_method")] == [
        "7", '["visa",null]', '["x",1,null]', "",
    ]  # fmt: skip
    assert [two[name] for name in ("user_id", "category", "age")] == [None, None, None]


def test_an_empty_period_is_missing_or_empty_as_declared(lake: PlayLake, sales: Collection[Any]) -> None:
    sold(sales, ("a", "2020-01-01 00:00:00"))
    with pytest.raises(SourceMissingError, match=f"sales of shop holds nothing for {DAY}"):
        ingest(lake, SALES)
    assert ingest(lake, replace(SALES, on_empty="accept"))["outcome"] == "empty"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"collection": "sale"}, r"shop has no collection 'sale' \(did you mean sales\?\)"),
        ({"watermark": "category"}, "watermark 'category' holds no date in any document of sales"),
        ({"watermark": "_id"}, "watermark '_id' holds no objectId in any document of sales"),
    ],
)
def test_a_wrong_declaration_is_a_usage_error(
    lake: PlayLake, sales: Collection[Any], change: dict[str, Any], told: str
) -> None:
    sales.insert_one({**PURCHASE, "_id": 1, "updated_at": at(f"{DAY} 10:00:00")})
    with pytest.raises(UsageError, match=told):
        ingest(lake, replace(SALES, **change))
    assert lake.state() == {}


def test_a_wrong_login_and_a_silent_server_are_told_apart(
    lake: PlayLake, sales: Collection[Any], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", f"{server.replace('//', '//me:guess@')}shop?authSource=admin")
    with pytest.raises(UsageError, match="refuses the login: .* Correct SHOP_DATABASE, or the file") as wrong:
        ingest(lake, SALES)
    assert "guess" not in str(wrong.value)
    monkeypatch.setenv("SHOP_DATABASE", "mongodb://127.0.0.1:1/shop")
    with pytest.raises(SourceUnreachableError, match="run again later"):
        ingest(lake, replace(SALES, timeout_seconds=1))


def test_a_whole_collection_is_read_in_parts_once(lake: PlayLake, sales: Collection[Any]) -> None:
    sold(sales, ("odd", "2020-01-01 00:00:00"), _id="no object id")
    for number in range(40):
        made = at("2026-01-05 00:00:00") + timedelta(minutes=number)
        sales.insert_one({**PURCHASE, "_id": ObjectId.from_datetime(made), "transaction_id": f"t{number:02}"})
    whole = replace(SALES, watermark=None)
    with pytest.raises(SourceMissingError, match=f"sales as it was on {DAY} can no longer be read"):
        ingest(lake, whole)
    for parallel in (1, 2, 5):
        line = ingest(lake, replace(whole, parallel=parallel), YESTERDAY, full_refresh=True)
        assert line["counts"]["landed"] == 41
    assert (len(set(ids(lake))), lake.ingested(YESTERDAY)["range"]) == (41, "whole collection")


def test_a_field_whose_type_changes_is_judged_by_its_text(lake: PlayLake, sales: Collection[Any]) -> None:
    for name, age in (("a", "30"), ("b", 31), ("c", 32.5), ("d", [33]), ("e", {"years": 34})):
        sold(sales, (name, f"{DAY} 10:00:00"), age=age)
    ours = lake.with_contract(source=SALES, refused_share=1.0)
    ours.day(DAY)
    ages = {row["transaction_id"]: row["age"] for row in lake.rows("processed")}
    assert ages == {"a": 30, "b": 31}
    assert {row["reasons"][0] for row in lake.rows("quarantine")} == {"age:not_int"}


def test_a_watermark_that_goes_back_changes_no_day_read(lake: PlayLake, sales: Collection[Any]) -> None:
    """By a few minutes, as by a clock that is off, the next day takes the document; by more, raw keeps what was read."""
    sold(sales, ("a", f"{DAY} 10:00:00"), ("b", f"{DAY} 10:00:00"))
    ingest(lake, SALES)
    before = lake.rows("raw")
    for name, moment in (("a", f"{DAY} 23:55:00"), ("b", "2026-01-03 10:00:00")):
        sales.update_one({"transaction_id": name}, {"$set": {"age": 31, "updated_at": at(moment)}})
    sold(sales, ("late", f"{DAY} 23:56:00"))
    for ds in (DAY, "2026-01-06"):
        ingest(lake, SALES, ds)
    assert lake.rows("raw", f"ds = '{DAY}'") == before
    found = sorted((row["transaction_id"], row["age"]) for row in lake.rows("raw", "ds = '2026-01-06'"))
    assert found == [("a", "31"), ("late", "30")]


def test_a_server_that_goes_while_it_is_read_ends_the_day(lake: PlayLake, sales: Collection[Any]) -> None:
    sold(sales, ("a", f"{DAY} 10:00:00"))
    with ExitStack() as running, pytest.MonkeyPatch.context() as patch:
        other = running.enter_context(mongo())
        patch.setenv("SHOP_DATABASE", f"{other}shop")
        with MongoClient(other) as client:
            sold(client.shop.sales, ("a", f"{DAY} 10:00:00"))
        with pytest.raises(SourceUnreachableError, match="MongoDB stopped answering: .*; run again later"):
            ingest(lake, disturbed(replace(SALES, timeout_seconds=2), OpenedCollection, running.close))
    assert lake.state() == {}
    assert ingest(lake, SALES)["outcome"] == "done"
