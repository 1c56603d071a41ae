"""Messages of a real Kafka broker: every one in one period, read again exactly, and what is wrong is told."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.contracts.contract import Column
from common.errors import (
    ContractDeclarationError,
    ContractViolationError,
    SourceMissingError,
    SourceUnreachableError,
    UsageError,
)
from common.orchestration.job import Line
from common.sources.kafka.topic import Kafka, OpenedTopic
from common.sources.source import SourceListing
from tests.support.disturbed import disturbed
from tests.support.kafka import Broker, broker
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
ORDERS = Kafka(cluster="shop", topic="orders")


def sold(shop: Broker, name: str, at: str, partition: int = 0, **message: Any) -> None:
    value = json.dumps({**PURCHASE, "transaction_id": name})
    shop.send("orders", message.pop("value", value), at, partition, **message)


def ingest(lake: PlayLake, ds: str = DAY, source: Kafka = ORDERS, **options: Any) -> Line:
    return lake.with_contract(source=source).ingest(ds, **options)


def ids(lake: PlayLake, ds: str = DAY) -> list[str]:
    return sorted(row["transaction_id"] for row in lake.rows("raw", f"ds = '{ds}'"))


def test_a_period_is_the_range_that_its_time_finds(lake: PlayLake, shop: Broker) -> None:
    for name, at in (("a", "2026-01-04T23:59:59.999Z"), ("b", "2026-01-05T00:00:00Z"), ("c", "2026-01-05T23:59:59Z")):
        sold(shop, name, at)
    sold(shop, "d", "2026-01-06T00:00:00Z")
    sold(shop, "e", "2026-01-05T12:00:00Z", 1)
    assert ingest(lake)["counts"] == {"landed": 3, "accepted": 3, "quarantined": 0, "files": 2, "refused_files": 0}
    assert ids(lake) == ["b", "c", "e"]
    assert lake.ingested(DAY)["offsets"] == {"0": [1, 3], "1": [0, 1]}
    before = lake.state()
    sold(shop, "late", "2026-01-05T13:00:00Z", 1)
    assert ingest(lake)["outcome"] == "nothing"
    # Asked anew, it reads the same offsets again; what came late is the next period's.
    assert ingest(lake, full_refresh=True)["outcome"] == "nothing"
    assert lake.state() == before
    ingest(lake, NEXT)
    assert ids(lake, NEXT) == ["d", "late"]


def test_a_message_that_is_no_record_goes_to_quarantine(lake: PlayLake, shop: Broker) -> None:
    for value in ("{", "[1]", '{"age": 1, "age": 2}', b"\xff", None):
        sold(shop, "x", f"{DAY}T10:00:00Z", value=value, key="k")
    sold(shop, "a", f"{DAY}T10:00:00Z")
    sold(shop, "a", f"{DAY}T10:00:01Z")
    sold(
        shop, "b", f"{DAY}T10:00:02Z", value=json.dumps({**PURCHASE, "transaction_id": "b", "age": 30, "colour": "red"})
    )
    line = ingest(lake)
    assert (line["counts"]["accepted"], line["counts"]["quarantined"], line["drift"]) == (
        3,
        5,
        {"orders-0": ["colour"]},
    )
    refused = {row["reasons"][0]: row["record"] for row in lake.rows("quarantine")}
    assert refused == {
        "not_json": "{", "not_an_object": "[1]", "name_twice": '{"age": 1, "age": 2}', "not_utf8": "/w==",
        "tombstone": '{"key": "k"}',
    }  # fmt: skip
    assert sorted((row["transaction_id"], row["copies"]) for row in lake.rows("raw")) == [("a", 2), ("b", 1)]


@pytest.mark.slow
def test_key_time_place_and_headers_become_columns(lake: PlayLake, shop: Broker) -> None:
    names = ("product", "sent", "place", "deleted", "trace")
    more = tuple(Column(name=name, type="string", description=name) for name in names)
    source = replace(
        ORDERS, key_as="product", sent_as="sent", offset_as="place", deleted_as="deleted", headers=("trace",)
    )
    sold(shop, "a", f"{DAY}T10:00:00.120Z", 1, key="p1", headers=(("trace", "old"), ("trace", "t1")))
    sold(shop, "b", f"{DAY}T10:00:01Z", 1, key="p2", value=None)
    sold(shop, "c", f"{DAY}T10:00:02Z", 1, key="p3", value=json.dumps({**PURCHASE, "place": "here"}))
    lake.with_contract(source=source, columns=(*lake.contract.columns, *more)).ingest(DAY)
    rows = sorted(tuple(row[name] for name in names) for row in lake.rows("raw"))
    assert rows == [
        ("p1", f"{DAY} 10:00:00.120Z", "1:0", "false", "t1"),
        ("p2", f"{DAY} 10:00:01.000Z", "1:1", "true", None),
    ]
    assert [row["reasons"] for row in lake.rows("quarantine")] == [["name_twice"]]


@pytest.mark.slow
def test_a_day_goes_to_features(lake: PlayLake, shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    sold(shop, "a", f"{DAY}T10:00:00Z", 1)
    sold(shop, "b", f"{DAY}T11:00:00Z", 1)
    line = lake.with_contract(source=ORDERS).day(DAY)
    assert line["clean"]["counts"]["duplicates"] == 1
    assert lake.feature_rows(DAY)[0]["purchases_7d"] == 2


@pytest.mark.slow
def test_neighbours_meet_in_any_order_and_with_wrong_clocks(lake: PlayLake, shop: Broker) -> None:
    """A clock five minutes fast, one a year fast, one that stands still: each message is in one period."""
    times = ("2026-01-05T10:00:00Z", "2026-01-06T00:04:00Z", "2026-01-05T23:59:00Z", "2099-01-01T00:00:00Z",
             "2026-01-06T01:00:00Z", "1970-01-01T00:00:01Z", "2026-01-07T00:00:00Z", "2026-01-06T23:00:00Z")  # fmt: skip
    for number, at in enumerate(times):
        sold(shop, f"t{number}", at)
    for ds in (NEXT, "2026-01-07", DAY):
        ingest(lake, ds)
    assert [ids(lake, ds) for ds in (DAY, NEXT, "2026-01-07")] == [
        ["t0"], ["t1", "t2", "t3", "t4", "t5"], ["t6", "t7"],
    ]  # fmt: skip
    sold(shop, "t8", "2026-01-08T00:00:00Z")
    ingest(lake, "2026-01-08")
    assert ids(lake, "2026-01-08") == ["t8"]


@pytest.mark.slow
def test_a_new_partition_is_read_from_its_beginning(lake: PlayLake, shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    ingest(lake)
    shop.grow("orders", 3)
    sold(shop, "b", f"{DAY}T23:59:59Z", 2)
    sold(shop, "c", f"{NEXT}T10:00:00Z", 2)
    ingest(lake, NEXT)
    assert ids(lake, NEXT) == ["b", "c"]


@pytest.mark.slow
def test_what_the_topic_has_lost_is_told(lake: PlayLake, shop: Broker) -> None:
    for name in "abc":
        sold(shop, name, f"{DAY}T10:00:00Z")
    ingest(lake)
    sold(shop, "d", f"{NEXT}T10:00:00Z")
    sold(shop, "e", f"{NEXT}T10:00:00Z")
    shop.remove_before("orders", 4)
    before = lake.state()
    with pytest.raises(
        SourceMissingError, match="partition 0 holds 4..4, the period held 0..2. Raw keeps what was read"
    ):
        ingest(lake, full_refresh=True)
    with pytest.raises(ContractViolationError, match="orders-0@3..3: offsets 3..3 were removed from the topic before"):
        ingest(lake, NEXT)
    assert lake.state() == before
    line = ingest(lake, NEXT, replace(ORDERS, on_bad_file="quarantine"))
    assert (line["counts"]["accepted"], line["counts"]["refused_files"], ids(lake, NEXT)) == (1, 1, ["e"])
    with pytest.raises(SourceMissingError, match="orders does not go back to 2026-01-01"):
        shop.remove_before("orders", 5)
        shop.topic("other")
        sold(shop, "f", f"{NEXT}T10:00:00Z", 1)
        shop.remove_before("orders", 1, 1)
        ingest(lake, "2026-01-01")


@pytest.mark.slow
def test_a_topic_that_was_made_anew_is_another(lake: PlayLake, shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    ingest(lake)
    shop.topic("orders")
    sold(shop, "b", f"{DAY}T11:00:00Z")
    sold(shop, "c", f"{NEXT}T11:00:00Z")
    with pytest.raises(SourceMissingError, match="deleted and created again. Raw keeps"):
        ingest(lake, full_refresh=True)
    ingest(lake, NEXT)
    assert (ids(lake), ids(lake, NEXT)) == (["a"], ["b", "c"])


@pytest.mark.slow
def test_what_a_producer_took_back_was_never_sent(lake: PlayLake, shop: Broker) -> None:
    one, two = (shop.producer(name, transactional_id=name) for name in ("one", "two"))
    for name, producer in (("a", one), ("b", two)):
        producer.initTransactions()
        producer.beginTransaction()
        sold(shop, name, f"{DAY}T10:00:00Z", producer=producer)
    one.abortTransaction()
    two.commitTransaction()
    shop.await_end("orders", 4)  # with the two marks
    ingest(lake)
    assert (ids(lake), lake.ingested(DAY)["offsets"]["0"]) == (["b"], [0, 2])


@pytest.mark.slow
def test_a_compacted_topic_is_read_once(lake: PlayLake, shop: Broker) -> None:
    shop.topic("orders", cleanup_policy="compact")
    sold(shop, "a", f"{DAY}T10:00:00Z", key="a")
    with pytest.raises(ContractDeclarationError, match="orders is compacted: .*Declare Kafka.compacted=True."):
        ingest(lake)
    source = replace(ORDERS, compacted=True)
    ingest(lake, source=source)
    assert lake.ingested(DAY)["repeatable"] is False
    assert lake.with_contract(source=source, refused_share=0.5).ingest(DAY)["outcome"] == "nothing"


@pytest.mark.slow
def test_an_empty_period_is_missing_or_empty_as_declared(lake: PlayLake, shop: Broker) -> None:
    with pytest.raises(SourceMissingError, match=f"orders of shop holds nothing for {DAY}"):
        ingest(lake)
    assert ingest(lake, source=replace(ORDERS, on_empty="accept"))["outcome"] == "empty"
    with pytest.raises(SourceMissingError, match="is not over before"):
        ingest(lake, str(datetime.now(UTC).date()))
    with pytest.raises(SourceMissingError, match="is not over before"):
        ingest(lake, str(datetime.now(UTC).date() - timedelta(days=1)), replace(ORDERS, settle_minutes=24 * 60 + 1))


def test_wrong_logins_topics_and_silence_are_told_apart(
    lake: PlayLake, shop: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UsageError, match="has no topic order: .* Correct the source in the contract, or create it"):
        ingest(lake, source=replace(ORDERS, topic="order"))
    login = f"@{shop.login_address}?security.protocol=SASL_PLAINTEXT"
    monkeypatch.setenv("SHOP_KAFKA", f"kafka://ours:guess{login}")
    with pytest.raises(UsageError, match="refuses the login: .* Correct SHOP_KAFKA, or the file it names") as wrong:
        ingest(lake)
    assert "guess" not in str(wrong.value) + caplog.text
    sold(shop, "a", f"{DAY}T10:00:00Z")
    monkeypatch.setenv("SHOP_KAFKA", f"kafka://ours:hu%3Bsh{login}")
    assert ingest(lake)["outcome"] == "done"
    logs = "".join(file.read_text() for file in lake.lake_folder.rglob("*.json"))
    assert "hu;sh" not in logs + caplog.text


@pytest.mark.slow
def test_a_cluster_that_is_down_is_told_in_time(lake: PlayLake, shop: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KAFKA", "127.0.0.1:1")
    begun = datetime.now(UTC)
    with pytest.raises(SourceUnreachableError, match="127.0.0.1:1 did not answer within 15 s"):
        ingest(lake)
    assert datetime.now(UTC) - begun < timedelta(seconds=25)
    assert lake.state() == {}


@pytest.mark.slow
def test_a_broker_that_goes_while_it_is_read_ends_the_day(
    lake: PlayLake, spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as running:
        other = running.enter_context(broker(spark))
        monkeypatch.setenv("SHOP_KAFKA", other.address)
        other.topic("orders")
        sold(other, "a", f"{DAY}T10:00:00Z")
        with pytest.raises(SourceUnreachableError, match="orders of shop could not be read to its end: .*; run again"):
            ingest(lake, source=disturbed(ORDERS, OpenedTopic, running.close))
    assert lake.state() == {}


@pytest.mark.slow
def test_messages_that_go_while_they_are_read_end_the_day(
    lake: PlayLake, shop: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        sold(shop, name, f"{DAY}T10:00:00Z")
    read = OpenedTopic.read

    def read_too_late(self: OpenedTopic, spark: Any, listing: SourceListing) -> Any:
        shop.remove_before("orders", 2)
        return read(self, spark, listing)

    monkeypatch.setattr(OpenedTopic, "read", read_too_late)
    with pytest.raises(
        SourceUnreachableError, match="orders of shop could not be read to its end: .*; run again|run again"
    ):
        ingest(lake)
    assert lake.state() == {}
