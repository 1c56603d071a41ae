"""What a stream leaves is what one batch over the same messages leaves, wherever it was killed."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from common.errors import ContractViolationError, UsageError
from common.orchestration.chain import run_chain
from common.orchestration.job import Line
from common.sources.kafka.topic import Kafka
from jobs.backfill import CHAIN
from jobs.stream import stream
from tests.support.followed import follow_killed, rows
from tests.support.kafka import Broker
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
OVER = Kafka(cluster="shop", topic="orders")
# As if the days were not over yet: messages of them may still come.
OPEN = replace(OVER, settle_minutes=10_000_000)
USUAL = {"available_now": True, "every": 1.0, "most_records": 100, "online": False}


def sold(shop: Broker, name: str, at: str, partition: int = 0, value: str | None = None) -> None:
    text = json.dumps({**PURCHASE, "transaction_id": name, "timestamp": at})
    shop.send("orders", value or text, at, partition)


def streamed(lake: PlayLake, source: Kafka = OPEN, **options: Any) -> Line:
    ours = lake.with_contract(source=source, refused_share=1.0)
    return stream([ours.plan("stream", DAY, code="the same", **{**USUAL, **options})])


def batch(lake: PlayLake, ds: str) -> str:
    """The daily job."""
    ours = lake.with_contract(source=OVER, refused_share=1.0)
    [line] = run_chain(CHAIN, [ours.plan("backfill", ds, code="the same")])
    return str(line["outcome"])


@pytest.mark.slow
def test_an_open_period_grows_and_its_batch_stands_in_the_commit(lake: PlayLake, shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    sold(shop, "x", f"{DAY}T10:00:01Z", value="{")
    line = streamed(lake)
    assert (line["job"], line["ds"], line["outcome"]) == ("stream", DAY, "done")
    said = lake.ingested(DAY)
    assert (said["whole"], said["batch"], said["offsets"]) == (False, "0", {"0": [0, 2], "1": [0, 0]})
    assert [row["reasons"] for row in lake.rows("quarantine")] == [["not_json"]]
    assert lake.feature_rows(DAY)[0]["purchases_7d"] == 1
    before = lake.state()
    assert streamed(lake)["outcome"] == "nothing"
    assert lake.state() == before
    sold(shop, "b", f"{DAY}T10:00:02Z", 1)
    streamed(lake)
    assert lake.published.at().pandas(ds=DAY)["purchases_7d"].tolist() == [2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stream_and_batch_end_in_equal_tables(lake: PlayLake, shop: Broker, seed: int) -> None:
    """Random micro-batches, with a kill before a random write of most of them; the seed is the test's."""
    random = Random(seed)
    hours = sorted(random.sample(range(48), 16))
    for number, hour in enumerate(hours):
        at = f"{DAY if hour < 24 else NEXT}T{hour % 24:02}:00:00Z"
        late = f"{DAY}T00:30:00Z" if random.random() < 0.2 else at
        poison = random.choice(["{", "[]", '{"age": 1}']) if random.random() < 0.2 else None
        sold(shop, f"t{random.randrange(12)}", late, random.randrange(2), poison)
        if number % 4 == 3:
            follow_killed(lambda most: streamed(lake, most_records=most), random)
    streamed(lake)
    streamed(lake, OVER)
    whole = lake.state()
    assert [batch(lake, ds) for ds in (DAY, NEXT)] == ["nothing", "nothing"]
    assert lake.state() == whole
    other = PlayLake(lake.root / "other")
    for ds in (DAY, NEXT):
        batch(other, ds)
    assert rows(lake) == rows(other)


@pytest.mark.slow
def test_a_day_left_open_by_the_stream_is_closed_by_a_daily_job(lake: PlayLake, shop: Broker) -> None:
    sold(shop, "a", f"{DAY}T10:00:00Z")
    streamed(lake)
    sold(shop, "b", f"{DAY}T11:00:00Z")
    assert batch(lake, DAY) == "done"
    assert sorted(row["transaction_id"] for row in lake.rows("raw")) == ["a", "b"]
    assert streamed(lake)["outcome"] == "nothing"


@pytest.mark.slow
def test_a_refused_day_does_not_stop_the_stream(lake: PlayLake, shop: Broker) -> None:
    ours = lake.with_contract(source=OPEN)
    sold(shop, "a", f"{DAY}T10:00:00Z", value="{")
    for number in range(30):
        sold(shop, f"t{number}", f"{DAY}T11:00:00Z")
    # The first micro-batches hold too much that is refused; the last one brings the day below the limit.
    assert stream([ours.plan("stream", DAY, **{**USUAL, "most_records": 10})])["outcome"] == "done"
    sold(shop, "b", f"{DAY}T10:00:00Z", value="{1")
    sold(shop, "c", f"{DAY}T10:00:00Z", value="{2")
    sold(shop, "d", f"{DAY}T10:00:00Z")
    with pytest.raises(ContractViolationError, match="RefusedShareToBeAtMost.0.05. failed"):
        stream([ours.plan("stream", DAY, **USUAL)])
    assert (len(lake.rows("raw")), len(lake.rows("quarantine"))) == (31, 3)


def test_what_is_compacted_can_not_be_followed(lake: PlayLake) -> None:
    with pytest.raises(UsageError, match="the source of transactions can't be followed; expected Files"):
        streamed(lake, replace(OVER, compacted=True))
