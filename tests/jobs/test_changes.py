"""A table that comes as its changes: the newest position counts, whatever the order, and every version is kept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from common.contracts.changes import Debezium
from common.contracts.contract import Contract, Files
from common.errors import ContractDeclarationError, ContractViolationError
from common.orchestration import staleness
from common.quality.checks import freshness
from jobs.clean import CLEAN
from jobs.leakcheck import LEAKCHECK
from tests.support.changes import Envelope, change, history, land, segments, write_customers
from tests.support.datasets import datasets_in
from tests.support.play_lake import PlayLake

MON, TUE, WED = DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")
FIRST, SECOND, THIRD = map(date.fromisoformat, DAYS)


# What the lake of two days was made from.
FEED = {MON: [change("c", 1, 1), change("c", 2, 2)], TUE: [change("d", 1, 3), change("c", 3, 4)]}


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Iterator[Path]:
    with datasets_in(write_customers(tmp_path_factory.mktemp("datasets")).parent) as folder:
        yield folder


@pytest.fixture
def customers(tmp_path: Path, declared: Path) -> PlayLake:
    return PlayLake(tmp_path, "customers")


@pytest.fixture(scope="module")
def played_once(tmp_path_factory: pytest.TempPathFactory, declared: Path) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("played"), "customers")
    play(lake, FEED)
    return lake


@pytest.fixture
def played(played_once: PlayLake, tmp_path: Path) -> PlayLake:
    """Customers 1 and 2 came on Monday; on Tuesday 1 went and 3 came."""
    return played_once.copied(tmp_path)


def other(lake: PlayLake, name: str) -> PlayLake:
    return PlayLake(lake.root / name, "customers")


def play(lake: PlayLake, feed: dict[str, list[Envelope]], order: tuple[str, ...] = ()) -> None:
    """Runs the days, in that order if it is given, and again those that it has made stale."""
    for ds, changes in feed.items():
        land(lake, ds, changes)
    for ds in order or feed:
        lake.day(ds)
    for ds in stale(lake):
        lake.day(ds)
    assert stale(lake) == []


def stale(lake: PlayLake) -> list[str]:
    return [str(day) for day in staleness.all_stale(lake.dataset, lake.plan("ask", MON).settings)]


def known(feed: dict[str, list[Envelope]], on: str) -> dict[int, str]:
    """What the feed says by the end of that day, by sorting its changes."""
    arrived = [each for ds in DAYS if ds <= on for each in feed[ds]]
    rows = dict[int, str]()
    for each in sorted(arrived, key=lambda one: one["source"]["lsn"]):
        row = each["after"] or each["before"]
        rows |= {row["user_id"]: row["segment"]}
        if each["op"] == "d":
            del rows[row["user_id"]]
    return rows


def test_every_version_knows_from_when_until_when(customers: PlayLake) -> None:
    feed = {
        MON: [change("r", 1, 1, "new"), change("c", 2, 2)],
        TUE: [change("u", 1, 5, "gold"), change("d", 2, 6), "null"],
        WED: [change("c", 2, 9, "back"), change("u", 1, 4, "late")],
    }
    play(customers, feed)
    assert history(customers) == [
        (1, 1, False, "new", FIRST, SECOND),
        (1, 4, False, "late", THIRD, SECOND),
        (1, 5, False, "gold", SECOND, None),
        (2, 2, False, "new", FIRST, SECOND),
        (2, 6, True, None, SECOND, THIRD),
        (2, 9, False, "back", THIRD, None),
    ]
    assert [segments(customers, ds) for ds in DAYS] == [
        {1: "new", 2: "new"},
        {1: "gold"},
        {1: "gold", 2: "back"},
    ]


def test_books_count_changes_and_no_tombstone(customers: PlayLake) -> None:
    land(customers, MON, [change("c", 1, 1), change("d", 1, 2), "null", change("c", 2, 3), change("c", 2, 3)])
    lines = customers.day(MON)
    assert lines["ingest"]["counts"] == {"landed": 4, "accepted": 4, "quarantined": 0, "files": 1, "refused_files": 0}
    assert lines["clean"]["counts"] == {
        "rows_in": 4, "accepted": 2, "late": 0, "superseded": 1, "duplicates": 1, "quarantined": 0,
    }  # fmt: skip
    assert segments(customers, MON) == {2: "new"}


def test_what_is_no_envelope_is_in_quarantine_with_its_reason(customers: PlayLake) -> None:
    bad = ['{"user_id": 1}', change("t", 1, 7), change("c", 1, 7, source={})]
    land(customers, MON, [change("c", 1, 1), *bad, change("c", 2, 2, None), change("c", "x", 2), "{"])
    customers.day(MON)
    reasons = sorted(reason for row in customers.rows("quarantine") for reason in row["reasons"])
    assert reasons == [
        "no_position", "not_an_envelope", "not_json", "segment:missing", "unknown_op", "user_id:not_long",
    ]  # fmt: skip
    assert segments(customers, MON) == {1: "new"}


def test_two_changes_at_one_position_end_the_same(customers: PlayLake) -> None:
    pair = [change("u", 1, 7, "gold"), change("u", 1, 7, "silver")]
    lakes = [other(customers, name) for name in ("here", "there")]
    for lake, changes in zip(lakes, (pair, pair[::-1]), strict=True):
        land(lake, MON, changes)
        lake.ingest(MON)
        lake.clean(MON)
    assert history(lakes[0]) == history(lakes[1])
    lakes[0].features(MON)
    assert len(segments(lakes[0], MON)) == 1


def test_a_day_that_is_sent_again_changes_nothing(played: PlayLake) -> None:
    before = played.content()
    (played.folder(TUE) / "changes.jsonl").unlink()
    land(played, TUE, [*FEED[TUE][::-1], *FEED[TUE]], "again.jsonl")
    played.day(TUE)
    after = played.content()
    assert {name: after[name] for name in after if "raw" not in name} == {
        name: before[name] for name in before if "raw" not in name
    }
    assert stale(played) == []


def test_a_replay_on_a_later_day_is_duplicates(customers: PlayLake) -> None:
    first = [change("c", 1, 1), change("u", 1, 2, "gold")]
    land(customers, MON, first)
    customers.ingest(MON)
    customers.clean(MON)
    land(customers, TUE, [*first, change("d", 1, 3)])
    customers.day(TUE)
    assert segments(customers, TUE) == {}
    current = [row for row in history(customers) if row[-1] is None]
    assert current == [(1, 3, True, None, SECOND, None)]


def test_an_earlier_day_that_changes_makes_the_later_ones_stale(played: PlayLake) -> None:
    land(played, MON, [change("u", 2, 5, "gold")], "more.jsonl")
    played.ingest(MON)
    assert played.clean(MON)["stale"] == [MON, TUE]
    for ds in stale(played):
        played.day(ds)
    assert [segments(played, ds) for ds in (MON, TUE)] == [{1: "new", 2: "gold"}, {2: "gold", 3: "new"}]


@pytest.mark.parametrize("days", [(MON, TUE), pytest.param(DAYS, marks=pytest.mark.slow)], ids=len)
def test_any_order_of_a_feed_ends_in_equal_tables(customers: PlayLake, days: tuple[str, ...]) -> None:
    rng = random.Random(len(days))
    changes = [
        change(rng.choice("cuud"), rng.randrange(6), 100 + place, rng.choice(["new", "gold", "silver"]))
        for place in range(60)
    ]
    rng.shuffle(changes)  # arrival has nothing to do with position
    feed = {ds: changes[at :: len(days)] for at, ds in enumerate(days)}
    shuffled = {ds: rng.sample(each, len(each)) for ds, each in feed.items()}
    lakes = [other(customers, name) for name in ("here", "there")]
    play(lakes[0], feed)
    play(lakes[1], shuffled, (*days[::-1], rng.choice(days)))
    assert history(lakes[0]) == history(lakes[1])
    for ds in days:
        assert segments(lakes[0], ds) == segments(lakes[1], ds) == known(feed, ds)


def test_a_refused_day_is_left_out_until_it_is_mended(customers: PlayLake) -> None:
    strict = customers.with_contract(refused_share=0.1)
    land(strict, MON, [change("c", 1, 1)])
    strict.ingest(MON)
    strict.clean(MON)
    land(strict, TUE, [change("u", 1, 2, "bad"), change("c", "x", 3)])
    strict.ingest(TUE)
    strict.run(CLEAN, TUE)
    with pytest.raises(ContractViolationError):
        strict.validate(TUE)
    land(strict, WED, [change("c", 2, 4)])
    strict.day(WED)
    assert segments(strict, WED) == {1: "new", 2: "new"}
    land(strict, TUE, [change("u", 1, 2, "gold")])
    strict.day(TUE)
    assert stale(strict) == [WED]
    strict.day(WED)
    assert segments(strict, WED) == {1: "gold", 2: "new"}


def test_the_gate_passes_a_day_of_changes(played: PlayLake) -> None:
    for table in ("raw", "processed", "features"):
        assert played.validate(TUE, table)["outcome"] == "done"


def test_files_of_changes_that_stay_the_same_grow_old(customers: PlayLake) -> None:
    for ds in DAYS:
        land(customers, ds, [change("c", 1, 1)])
        customers.ingest(ds)
    assert [freshness(customers.plan("validate", ds), []).observed for ds in DAYS] == [24, 48, 72]


def test_no_feature_depends_on_later_changes(played: PlayLake) -> None:
    assert played.run(LEAKCHECK, TUE)["counts"] == {"rows": 2, "poisoned": 2, "taken_in": 2, "leaks": 0}


def test_rows_are_no_changes(customers: PlayLake) -> None:
    customers.land_bytes(MON, b"user_id,segment\n1,new\n", "rows.csv")
    with pytest.raises(ContractViolationError, match="it holds rows, and the contract expects changes"):
        customers.ingest(MON)


def test_a_feed_makes_no_events(customers: PlayLake) -> None:
    dated = (*customers.contract.columns[:2], replace(customers.contract.columns[0], name="at", type="timestamp"))
    with pytest.raises(ContractDeclarationError, match="changes make a snapshot, so event_time must be None"):
        replace(customers.contract, columns=dated, event_time="at")
    with pytest.raises(ContractDeclarationError, match="expected Debezium"):
        Files(changes="debezium")  # type: ignore[arg-type]
    assert isinstance(customers.contract, Contract)
    assert Debezium() == Debezium(position="lsn")
