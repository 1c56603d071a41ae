"""How a cluster is addressed, and which offsets a period holds, without a broker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ContractDeclarationError, SourceUnreachableError, UsageError
from common.sources.kafka.client import FoundOffset, explained, kafka_address
from common.sources.kafka.ranges import KeptRanges, OffsetRange, PeriodOffsets
from common.sources.kafka.topic import Kafka

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_address_with_a_login_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KAFKA", "kafka://me:p%22%40ss@one:9092,two:9093?ssl.truststore.type=PEM")
    told = kafka_address("shop")
    assert (told.place, told.properties["security.protocol"], told.properties["ssl.truststore.type"]) == (
        "one:9092,two:9093", "SASL_SSL", "PEM",
    )  # fmt: skip
    assert told.options["kafka.sasl.jaas.config"].endswith(' required username="me" password="p\\"@ss";')
    assert "@ss" not in repr(told)
    monkeypatch.setenv("SHOP_KAFKA", "one:9092")
    assert "security.protocol" not in kafka_address("shop").properties


@pytest.mark.parametrize(
    "address",
    ["kafka://me:secret@one", "one", "http://one:9092", "one:9092?secret", "kafka://me:secret@one:9092/topic"],
)
def test_a_wrong_address_is_told_without_the_secret(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SHOP_KAFKA", address)
    with pytest.raises(UsageError, match="SHOP_KAFKA is no address of a Kafka cluster; expected host:9092") as error:
        kafka_address("shop")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message", "type_"),
    [
        ("SaslAuthenticationException", "Invalid username or password", UsageError),
        ("SaslAuthenticationException", "Token expired", SourceUnreachableError),
        ("TopicAuthorizationException", "Not authorized", UsageError),
        ("UnknownTopicOrPartitionException", "no such topic.", UsageError),
        ("TimeoutException", "Timed out", SourceUnreachableError),
        ("ConfigException", "No resolvable bootstrap urls", SourceUnreachableError),
        ("ConfigException", "Invalid value x", UsageError),
    ],
)
def test_errors_of_the_client_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, message: str, type_: type[Exception]
) -> None:
    monkeypatch.setenv("SHOP_KAFKA", "one:9092")
    assert type(explained(kafka_address("shop"), "orders", name, message)) is type_


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"topic": "a b"}, "topic 'a b' is not allowed"),
        ({"cluster": "Shop"}, "cluster 'Shop' is not allowed"),
        ({"value": "avro"}, "value 'avro' is unknown"),
        ({"deleted_as": "gone"}, "deleted_as needs key_as"),
        ({"settle_minutes": -1}, "settle_minutes -1 is not allowed"),
    ],
)
def test_a_wrong_declaration_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ContractDeclarationError, match=told):
        Kafka(**{"cluster": "shop", "topic": "orders", **fields})


@dataclass
class PlainTopic:
    """The hours of a partition's messages, as a list."""

    hours: list[int]
    topic: str = "orders"
    id: str = "1"
    partitions: tuple[int, ...] = (0,)

    def first(self) -> dict[int, int]:
        return {0: 0}

    def last(self) -> dict[int, int]:
        return {0: len(self.hours)}

    def since(self, moment: datetime) -> dict[int, FoundOffset]:
        found = ((at, sent(hour)) for at, hour in enumerate(self.hours))
        at, time = next(((at, time) for at, time in found if time >= moment), (-1, BEGIN))
        return {0: FoundOffset(at, round(1000 * time.timestamp()))}

    def scan(self, ranges: Any, moment: datetime, now: datetime) -> dict[int, int]:
        [each] = ranges.values()
        later = (at for at in range(each.start, each.end) if moment <= sent(self.hours[at]) <= now)
        return {0: next(later, each.end)}


def sent(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


@settings(max_examples=200)
@given(
    hours=st.lists(st.integers(-30, 130), max_size=12),
    order=st.permutations(range(4)),
    later=st.lists(st.integers(0, 130), max_size=4),
)
def test_periods_share_out_the_messages(hours: list[int], order: list[int], later: list[int]) -> None:
    """Four days, read in any order while messages still come: neighbours meet, whatever the times of the messages."""
    topic, kept = PlainTopic([*hours]), {}
    for day in order:
        offsets = PeriodOffsets(topic, sent(96), topic.scan)  # type: ignore[arg-type]
        earlier, later_days = [each for each in kept if each < day], [each for each in kept if each > day]
        before, after = (kept[pick(days)] if days else None for pick, days in ((max, earlier), (min, later_days)))
        before = before and replace(before, adjacent=day - 1 in kept)
        after = after and replace(after, adjacent=day + 1 in kept)
        found = offsets.between(sent(24 * day), sent(24 * day + 24), before, after)
        kept[day] = KeptRanges(topic.id, found.ranges)
        topic.hours += later[day : day + 1]
    ranges = [kept[day].ranges[0] for day in range(4)]
    assert all(one.end == other.start for one, other in pairwise(ranges)), (topic.hours, ranges)


def test_a_neighbour_of_another_topic_decides_nothing() -> None:
    topic = PlainTopic([1, 25])
    kept = KeptRanges("another", {0: OffsetRange(7, 9)})
    found = PeriodOffsets(topic, sent(96), topic.scan).between(sent(0), sent(24), kept, kept)  # type: ignore[arg-type]
    assert found.ranges == {0: OffsetRange(0, 1)}
