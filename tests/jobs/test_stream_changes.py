"""A change topic that is followed ends in the tables of one batch: deletes, late positions, poison and kills included."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from common.contracts.changes import Debezium
from common.orchestration.chain import run_chain
from common.orchestration.job import Line
from common.sources.kafka.topic import Kafka
from jobs.backfill import CHAIN
from jobs.stream import stream
from tests.support.changes import Envelope, change, segments, write_customers
from tests.support.datasets import datasets_in
from tests.support.followed import follow_killed, rows
from tests.support.kafka import Broker
from tests.support.play_lake import PlayLake

pytestmark = pytest.mark.slow

DAY, NEXT = DAYS = "2026-01-05", "2026-01-06"
OVER = Kafka(cluster="shop", topic="orders", on_empty="accept", changes=Debezium(position="lsn"))
# As if the days were not over yet: changes of them may still come.
OPEN = replace(OVER, settle_minutes=10_000_000)
USUAL = {"available_now": True, "every": 1.0, "most_records": 100, "online": False}
POISON = ["{", "[]", '{"user_id": 1}', json.dumps(change("c", 1, 7, source={})), json.dumps(change("t", 1, 7))]
Feed = list[tuple[str, Envelope | str | None]]


@pytest.fixture
def customers(tmp_path: Path, shop: Broker) -> Iterator[PlayLake]:
    with datasets_in(write_customers(tmp_path / "datasets").parent):
        yield PlayLake(tmp_path, "customers")


def sent(shop: Broker, record: Envelope | str | None, at: str, partition: int = 0) -> None:
    shop.send("orders", json.dumps(record) if isinstance(record, dict) else record, at, partition)


def streamed(lake: PlayLake, source: Kafka = OPEN, **options: Any) -> Line:
    return stream([lake.with_contract(source=source).plan("stream", DAY, code="the same", **{**USUAL, **options})])


def batch(lake: PlayLake, ds: str) -> str:
    """The daily job."""
    ours = lake.with_contract(source=OVER)
    return str(run_chain(CHAIN, [ours.plan("backfill", ds, code="the same")])[0]["outcome"])


def known(feed: Feed, until: str) -> dict[int, str]:
    """What the changes of the days until then say, by sorting them."""
    said = [each for ds, each in feed if ds <= until and isinstance(each, dict)]
    found = dict[int, str]()
    for each in sorted(said, key=lambda one: one["source"]["lsn"]):
        row = each["after"] or each["before"]
        found[row["user_id"]] = row["segment"]
        if each["op"] == "d":
            del found[row["user_id"]]
    return found


def random_feed(random: Random) -> Feed:
    """Changes of six customers whose positions have nothing to do with the order of arrival, with poison and tombstones."""
    positions = random.sample(range(100, 200), 24)
    feed = Feed()
    for number, position in enumerate(positions):
        said = change(random.choice("crud"), random.randrange(6), position, random.choice(["new", "gold"]))
        feed.append((DAYS[number // 14], said))
        if random.random() < 0.3:
            feed.append((DAYS[number // 14], random.choice([*POISON, None, said])))
    return feed


@pytest.mark.parametrize("seed", [1, 2])
def test_followed_changes_end_in_the_tables_of_one_batch(customers: PlayLake, shop: Broker, seed: int) -> None:
    """Random micro-batches, with a kill before a random write of most of them; the seed is the test's."""
    random = Random(seed)
    feed = random_feed(random)
    for number, (ds, said) in enumerate(feed):
        sent(shop, said, f"{ds}T{number % 24:02}:00:00Z", random.randrange(2))
        if number % 7 == 6:
            follow_killed(lambda most: streamed(customers, most_records=most), random)
    streamed(customers)
    streamed(customers, OVER)
    assert [segments(customers, ds) for ds in DAYS] == [known(feed, ds) for ds in DAYS]
    whole = customers.state()
    assert [batch(customers, ds) for ds in DAYS] == ["nothing", "nothing"]
    assert customers.state() == whole
    other = PlayLake(customers.root / "other", "customers")
    for ds in DAYS:
        batch(other, ds)
    assert rows(customers) == rows(other)


def test_poison_among_changes_stops_no_stream(customers: PlayLake, shop: Broker) -> None:
    sent(shop, change("c", 1, 1), f"{DAY}T10:00:00Z")
    for poison in POISON:
        sent(shop, poison, f"{DAY}T10:00:01Z")
    sent(shop, change("d", 1, 2), f"{DAY}T10:00:02Z")
    sent(shop, None, f"{DAY}T10:00:02Z")
    sent(shop, change("c", 2, 3), f"{DAY}T10:00:03Z")
    assert streamed(customers, most_records=2)["outcome"] == "done"
    reasons = sorted(reason for row in customers.rows("quarantine") for reason in row["reasons"])
    assert reasons == ["no_position", "not_an_envelope", "not_an_envelope", "not_json", "unknown_op"]
    assert segments(customers, DAY) == {2: "new"}
    before = customers.state()
    assert streamed(customers)["outcome"] == "nothing"
    assert customers.state() == before
