"""A mention whose score comes later ends where one with a score ends, and nothing waits for the service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from common.contracts.contract import Files
from common.days import current
from common.errors import SourceUnreachableError, UsageError
from common.orchestration.job import Line
from common.sources.http.api import Http
from common.sources.kafka.topic import Kafka
from common.sources.send_back import require_takes_records
from jobs.datasets.mentions.contract import TOPIC
from jobs.stream import stream
from tests.support.kafka import Broker
from tests.support.mentions import hour, land, mention, score
from tests.support.play_lake import PlayLake
from tests.support.scorer import Scorer, scorer
from tests.support.tables_as_text import assert_rows

TEN, ELEVEN = "2026-01-05T10", "2026-01-05T11"
AT_TEN = (
    mention("a", "2026-01-05T10:05:00Z", "good good, so good"),
    mention("b", "2026-01-05T10:20:00Z", "bad"),
    mention("c", "2026-01-05T10:40:00Z", "it boils", product="Toaster"),
)
AT_ELEVEN = (
    mention("d", "2026-01-05T11:05:00Z", "bad bad"),
    mention("b", "2026-01-05T10:20:00Z", "good after all", edit="1"),
)
DATA = ("raw/", "quarantine/", "processed/", "superseded/", "partials/", "features/", "published/")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scorer]:
    with scorer() as started:
        monkeypatch.setenv("SENTIMENT_SERVICE", started.address)
        yield started


@pytest.fixture
def mentions(lake: PlayLake) -> PlayLake:
    return another(lake, "mentions")


def another(lake: PlayLake, name: str) -> PlayLake:
    lake = PlayLake(lake.root / name, "mentions")
    land(lake, TEN, *AT_TEN)
    land(lake, ELEVEN, *AT_ELEVEN)
    return lake


def contents(lake: PlayLake) -> dict[str, list[str]]:
    return {path: rows for path, rows in lake.content().items() if path.startswith(DATA)}


def by_product(lake: PlayLake, ds: str) -> list[dict[str, Any]]:
    return sorted(lake.feature_rows(ds), key=lambda row: row["product"])


def known_now(lake: PlayLake) -> list[dict[str, Any]]:
    """The current mentions, whenever they came."""
    rows = [{name: value for name, value in row.items() if name != "arrived"} for row in lake.rows("processed")]
    return sorted(rows, key=lambda row: row["mention_id"])


@pytest.mark.slow
def test_mentions_are_pending_until_the_service_is_back(mentions: PlayLake, service: Scorer) -> None:
    service.behaviours = [service.broken]
    mentions.day(TEN)
    with pytest.raises(SourceUnreachableError, match="answers with 500"):
        score(mentions, TEN)
    names = "product | mentions_1h | sentiment_1h | negative_share_1h | pending_7d\n"
    assert_rows(mentions.feature_rows(TEN), names + "kettle | 2 | - | - | 2\ntoaster | 1 | - | - | 1")

    service.behaviours = []
    assert score(mentions, TEN)["counts"] == {"scored": 3, "pending": 0}
    mentions.day(TEN)
    assert_rows(mentions.feature_rows(TEN), names + "kettle | 2 | 0.25 | 0.5 | 0\ntoaster | 1 | 0.0 | 0.0 | 0")
    before, files = mentions.state(), sorted(mentions.folder(TEN).iterdir())
    assert score(mentions, TEN)["outcome"] == "nothing"
    assert {line["outcome"] for line in mentions.day(TEN).values()} == {"nothing"}
    assert (mentions.state(), sorted(mentions.folder(TEN).iterdir())) == (before, files)


@pytest.mark.slow
def test_pending_then_scored_equals_scored_at_once(lake: PlayLake, service: Scorer) -> None:
    at_once, later, next_hour = (another(lake, name) for name in ("once", "later", "next"))
    for ds in (TEN, ELEVEN):
        hour(at_once, ds)
        score(at_once, ds)
        hour(at_once, ds)

    for ds in (TEN, ELEVEN):
        hour(later, ds)
        service.behaviours = [service.broken]
        with pytest.raises(SourceUnreachableError):
            score(later, ds)
        service.behaviours = []
        score(later, ds)
        hour(later, ds)
    assert contents(later) == contents(at_once)

    hour(next_hour, TEN)
    hour(next_hour, ELEVEN)
    assert_rows(next_hour.feature_rows(ELEVEN), "product | pending_7d\nkettle | 3\ntoaster | 1")
    score(next_hour, ELEVEN)
    hour(next_hour, ELEVEN)
    assert known_now(next_hour) == known_now(at_once)
    assert by_product(next_hour, ELEVEN) == by_product(at_once, ELEVEN)
    # As known at the end of its hour, it was pending: a score that came later leaves no trace there.
    assert {row["sentiment_1h"] for row in next_hour.feature_rows(TEN)} == {None}
    assert next_hour.published.at().pandas(ds=ELEVEN)["pending_7d"].sum() == 0


@pytest.mark.slow
def test_an_edited_text_gets_a_score_of_its_own(mentions: PlayLake, service: Scorer) -> None:
    hour(mentions, TEN)
    score(mentions, TEN)
    hour(mentions, TEN, ELEVEN)
    assert_rows(mentions.rows("processed", "mention_id = 'b'"), "edit | text | score\n1 | good after all | -")
    score(mentions, ELEVEN)
    hour(mentions, ELEVEN)
    assert_rows(mentions.rows("processed", "mention_id = 'b'"), "edit | score | arrived\n1 | 0.2500 | 2026-01-05T11")
    # A newer model's score wins, whenever it came; an older one's does not.
    newer = mention("d", "2026-01-05T11:05:00Z", "bad bad", score="-0.9", score_model=2)
    land(mentions, "2026-01-05T12", newer, name="by-hand.jsonl")
    hour(mentions, "2026-01-05T12")
    assert_rows(mentions.rows("processed", "mention_id = 'd'"), "score | score_model\n-0.9000 | 2")


def test_scores_of_a_part_are_kept_and_the_rest_stays(mentions: PlayLake, service: Scorer) -> None:
    poison = mention("p", "2026-01-05T10:10:00Z", "poison")
    land(mentions, TEN, poison, name="more.jsonl")
    mentions.ingest(TEN)
    mentions.clean(TEN)
    service.behaviours = [service.poisoned]
    assert score(mentions, TEN)["counts"] == {"scored": 3, "pending": 1}
    [sent] = mentions.folder(TEN).glob("scores-*.jsonl")
    records = {record["mention_id"]: record for record in map(json.loads, sent.read_text().splitlines())}
    assert {name: record["score"] for name, record in records.items()} == {"a": "0.7500", "b": "-0.2500", "c": "0.0000"}
    kept = {name: records["a"][name] for name in ("text", "posted_at", "edit", "author", "score_model")}
    assert kept == {
        "text": "good good, so good",
        "posted_at": "2026-01-05T10:05:00.000000Z",
        "edit": "0",
        "author": "ann",
        "score_model": "1",
    }


def test_nothing_is_pending_in_a_lake_without_mentions(mentions: PlayLake, service: Scorer) -> None:
    assert score(mentions, TEN)["outcome"] == "nothing"
    assert service.asked == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Files(complete="_SUCCESS"), "takes no further file"),
        (Kafka(cluster="social", topic="mentions", sent_as="posted_at"), "posted_at.* are not part of a message"),
        (Http(base="http://127.0.0.1:1", path="/x"), "expected Files or Kafka, found Http"),
    ],
)
def test_a_source_that_takes_no_record_is_told(mentions: PlayLake, source: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        require_takes_records(replace(mentions.contract, source=source))


@pytest.mark.slow
def test_scores_come_back_by_the_topic(
    lake: PlayLake, kafka_server: Broker, service: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIAL_KAFKA", kafka_server.address)
    kafka_server.topic("mentions", 2)
    now, ds = datetime.now(UTC), str(current("hour"))
    lake = PlayLake(lake.root, "mentions").with_contract(source=TOPIC)

    def follow() -> Line:
        options = {"available_now": True, "every": 1.0, "most_records": 100, "online": False}
        return stream([lake.plan("stream", ds, code="the same", **options)])

    for name, text in (("a", "good"), ("b", "bad")):
        said = mention(name, f"{now:%Y-%m-%dT%H:%M:%SZ}", text)
        kafka_server.send("mentions", json.dumps(said), f"{now:%Y-%m-%dT%H:%M:%SZ}", key=name)
    follow()
    assert [row["score"] for row in lake.rows("processed")] == [None, None]
    # Sent twice before they are taken, the scores are equal messages.
    assert [score(lake, ds)["counts"]["scored"] for _ in range(2)] == [2, 2]
    follow()
    assert_rows(lake.rows("processed"), "mention_id | score | score_model\na | 0.2500 | 1\nb | -0.2500 | 1")
    assert sorted(row["copies"] for row in lake.rows("raw")) == [1, 1, 2, 2]
    newest = max(lake.published.at().days())
    assert lake.published.at().pandas(ds=newest)["pending_7d"].tolist() == [0]
    before = lake.state()
    assert score(lake, ds)["outcome"] == "nothing"
    assert follow()["outcome"] == "nothing"
    assert lake.state() == before
