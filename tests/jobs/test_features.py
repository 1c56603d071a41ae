"""processed -> features: compared with an independent DuckDB computation of what was known on ds."""

import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from common.contracts.aggregates import Count, Distinct, FeatureRatio, Mean, Share, Sum
from common.contracts.contract import Column, Feature
from common.errors import SourceMissingError
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

SLOW = pytest.mark.slow
FIRST = date(2026, 1, 1)
DAY, NEXT = "2026-01-05", "2026-01-06"

# What a feature row of ds says, from all records that had arrived by then: nothing of the pipeline's own code.
ORACLE = """
WITH known AS (
    SELECT * FROM records WHERE arrived <= $ds
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY happened DESC, arrived DESC) = 1
),
inside AS (SELECT *, happened::date AS day FROM known WHERE happened::date > $ds - 30),
categories AS (
    SELECT user_id, category, count(*) AS times FROM inside GROUP BY user_id, category
    QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY times DESC, category) = 1
)
SELECT
    i.user_id,
    coalesce(sum(amount) FILTER (day > $ds - 7), 0)::decimal(22, 2) AS spend_7d,
    sum(amount)::decimal(22, 2) AS spend_30d,
    count(*) FILTER (day > $ds - 7) AS purchases_7d,
    count(*) AS purchases_30d,
    round(avg(amount::double), 6) AS avg_purchase_30d,
    max(amount)::decimal(12, 2) AS max_purchase_30d,
    count(DISTINCT i.category) AS categories_30d,
    count(DISTINCT day) AS active_days_30d,
    $ds - max(day) AS days_since_last,
    round(count(*) FILTER (isodow(day) >= 6) / count(*)::double, 6) AS weekend_share_30d,
    any_value(c.category) AS favourite_category_30d,
    round(coalesce(sum(amount) FILTER (day > $ds - 7), 0)::double / sum(amount)::double, 6) AS spend_share_7d,
    max_by(age, happened) FILTER (age IS NOT NULL) AS age
FROM inside i JOIN categories c USING (user_id)
GROUP BY i.user_id
"""
COLUMNS = [
    "user_id", "spend_7d", "spend_30d", "purchases_7d", "purchases_30d", "avg_purchase_30d", "max_purchase_30d",
    "categories_30d", "active_days_30d", "days_since_last", "weekend_share_30d", "favourite_category_30d",
    "spend_share_7d", "age",
]  # fmt: skip


def oracle(records: list[dict[str, Any]], ds: date) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE records (id text, user_id bigint, age int, amount decimal(12, 2), "
            "happened timestamp, category text, arrived date)"
        )
        names = ("id", "user_id", "age", "amount", "happened", "category", "arrived")
        connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", [[record[name] for name in names] for record in records]
        )
        cursor = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM ({ORACLE})", {"ds": ds})
        return sorted(cursor.fetchall())


def computed(lake: PlayLake, ds: date) -> list[tuple[Any, ...]]:
    def cell(value: Any) -> Any:
        return round(value, 6) if isinstance(value, float) else value

    return sorted(tuple(cell(row[name]) for name in COLUMNS) for row in lake.feature_rows(str(ds)))


def history(rng: random.Random, days: Iterable[int]) -> Iterator[dict[str, Any]]:
    """A small history with late events, corrections of the same instant, moved events and the same record again."""
    known: list[dict[str, Any]] = []
    number = 0
    for ds in (FIRST + timedelta(days=n) for n in days):
        for _ in range(rng.randint(2, 7)):
            number += 1
            back = rng.choice([0, 0, 0, 1, 3, 6, 7])
            record = {
                "id": f"t{number}",
                "user_id": rng.randint(1, 4),
                "age": rng.choice([None, 20, 30]),
                "amount": f"{rng.randint(1, 9999) / 100:.2f}",
                # All instants differ, so that "last known" has no ties.
                "happened": f"{ds - timedelta(days=back)} 10:{number % 60:02d}:{number // 60:02d}",
                "category": rng.choice(["food", "home", "sports"]),
                "arrived": ds,
            }
            known.append(record)
            yield record
        for earlier in rng.sample(known, min(len(known), 2)):
            if (ds - date.fromisoformat(earlier["happened"][:10])).days > 7 or earlier["arrived"] == ds:
                continue
            change = rng.choice(
                [{"amount": "77.77"}, {"happened": f"{ds} 23:00:{number % 60:02d}"}, {"user_id": 9}, {}]
            )
            yield {**earlier, **change, "arrived": ds}


def land(lake: PlayLake, records: list[dict[str, Any]]) -> list[date]:
    days = sorted({record["arrived"] for record in records})
    for ds in days:
        lines = [
            f"{r['id']} | {r['user_id']} | {r['age'] or '-'} | {r['amount']} | {r['happened']} | {r['category']}"
            for r in records
            if r["arrived"] == ds
        ]
        text = "transaction_id | user_id | age | purchase_amount | timestamp | category\n" + "\n".join(lines)
        lake.land(str(ds), text)
    return days


def known_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A record that arrives twice counts from its first arrival."""
    seen: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        seen.setdefault(tuple(value for name, value in record.items() if name != "arrived"), record)
    return list(seen.values())


@pytest.mark.parametrize(("seed", "number"), [(42, 2), *(pytest.param(seed, 4, marks=SLOW) for seed in (1, 2, 3))])
def test_features_in_any_order_equal_another_computation(
    lake: PlayLake, seed: int, number: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = list(history(random.Random(seed), range(number)))
    days = land(lake, records)
    for ds in days:
        lake.day(str(ds))
    for ds in days:
        assert computed(lake, ds) == oracle(known_records(records), ds), ds
    in_order = lake.content()

    shuffled = PlayLake(tmp_path_factory.mktemp("shuffled"))
    land(shuffled, records)
    random.Random(seed).shuffle(days)
    run_until_nothing_is_stale(shuffled, [str(ds) for ds in days])
    assert shuffled.content() == in_order


# What happened on the first of these days is just out of the windows of the others; a day later, it is the last in them.
EDGES = {0, 7, 30}


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "more"), [(29, 0), (5, 6), (11, 6), (30, 6)])
def test_features_at_window_edges_equal_another_computation(lake: PlayLake, seed: int, more: int) -> None:
    """Five weeks of sparse days: old events leave the windows even when nothing new arrives."""
    rng = random.Random(seed)
    records = list(history(rng, sorted(EDGES | {*rng.sample(range(37), more)})))
    days = land(lake, records)
    for ds in days:
        lake.day(str(ds))
        assert computed(lake, ds) == oracle(known_records(records), ds), ds
    ages = {(ds - date.fromisoformat(r["happened"][:10])).days for ds in days for r in records if r["arrived"] <= ds}
    assert {6, 7, 29, 30} <= ages


def run_until_nothing_is_stale(lake: PlayLake, days: list[str]) -> None:
    waiting = list(days)
    while waiting:
        ds = waiting.pop(0)
        for line in lake.day(ds).values():
            waiting += [day for day in line["stale"] if day not in waiting and day != ds]


def test_a_late_event_enters_its_windows_but_no_earlier_rows(one_made: PlayLake) -> None:
    before = one_made.feature_rows(DAY)
    one_made.land(NEXT, "transaction_id | purchase_amount | timestamp\nb | 7 | 2026-01-05T01:00:00Z")
    assert one_made.day(NEXT)["clean"]["stale"] == []
    assert one_made.feature_rows(DAY) == before
    assert_rows(
        one_made.feature_rows(NEXT),
        "user_id | spend_7d | purchases_7d | active_days_30d | days_since_last\n1 | 17.00 | 2 | 1 | 1",
    )


def test_a_replayed_day_uses_only_what_was_known_then(one_made: PlayLake) -> None:
    before = one_made.content()["features/transactions/v1"]
    one_made.land(NEXT, "transaction_id | purchase_amount | timestamp\na | 99 | 2026-01-05T10:00:00Z")
    one_made.day(NEXT)
    state = one_made.state()
    assert one_made.features(DAY, full_refresh=True)["outcome"] == "nothing"
    assert one_made.state() == state
    assert [
        row for row in one_made.content()["features/transactions/v1"] if "2026, 1, 5)" in row.split("'ds'")[1][:40]
    ] == before


def test_windows_are_half_open_and_users_without_events_fall_out(lake: PlayLake) -> None:
    lake.land("2026-01-02", "transaction_id | user_id | timestamp\na | 1 | 2026-01-01\nb | 2 | 2026-01-02")
    lake.ingest("2026-01-02")
    lake.clean("2026-01-02")
    late = "c | 2 | 2026-01-24\nd | 2 | 2026-01-31\ne | 3 | 2026-01-24\nf | 4 | 2026-01-25"
    lake.land("2026-01-31", f"transaction_id | user_id | timestamp\n{late}")
    lake.day("2026-01-31")
    assert_rows(
        lake.feature_rows("2026-01-31"),
        """
        user_id | purchases_7d | purchases_30d | days_since_last | spend_share_7d
        2       | 1            | 3             | 0               | 0.3333333333333333
        3       | 0            | 1             | 7               | 0.0
        4       | 1            | 1             | 6               | 1.0
        """,
    )


def test_a_window_may_end_some_days_before_ds(lake: PlayLake) -> None:
    columns = (
        Feature("today", Count(1)),
        Feature("day_before", Count(1, ago=1)),
        Feature("kinds_before", Distinct(2, "category", ago=1)),
        Feature("spike", FeatureRatio("today", "day_before")),
    )
    lake = lake.with_contract(features=replace(lake.contract.features, columns=columns))
    assert lake.contract.features.window_days == 3
    lake.land(
        "2026-01-07",
        """
        transaction_id | user_id | category | timestamp
        too old        | 1       | clothing | 2026-01-04
        a              | 1       | home     | 2026-01-05
        b              | 1       | food     | 2026-01-06
        c              | 1       | home     | 2026-01-06
        d              | 1       | sports   | 2026-01-07
        e              | 2       | home     | 2026-01-07
        """,
    )
    lake.day("2026-01-07")
    names = "user_id | today | day_before | kinds_before | spike\n"
    assert_rows(lake.feature_rows("2026-01-07"), names + "1 | 1 | 2 | 2 | 0.5\n2 | 1 | 0 | 0 | 0.0")


def test_favourite_ties_go_by_alphabet_and_null_age_stays_null(lake: PlayLake) -> None:
    lake.land("2026-01-05", "transaction_id | category | age\na | sports | -\nb | home | -")
    lake.day("2026-01-05")
    assert_rows(lake.feature_rows("2026-01-05"), "favourite_category_30d | categories_30d | age\nhome | 2 | -")


def test_features_twice_change_nothing_at_all(one_made: PlayLake) -> None:
    before = one_made.state()
    assert one_made.features(DAY)["outcome"] == "nothing"
    assert one_made.features(DAY, full_refresh=True)["outcome"] == "nothing"
    assert one_made.state() == before


def test_an_earlier_day_is_followed_by_the_stale_days_until_they_ran(one_made: PlayLake) -> None:
    """The run that first reported the stale day may have failed or been killed before it could rerun it."""
    lake, before = one_made, "2026-01-04"
    lake.land(before, "transaction_id\nb")
    lake.ingest(before)
    assert lake.clean(before)["stale"] == [DAY]
    assert lake.clean(before)["stale"] == [DAY]
    assert lake.clean(before, full_refresh=True)["stale"] == [DAY]
    assert lake.features(DAY)["outcome"] == "done"
    assert_rows(lake.feature_rows(DAY), "purchases_7d\n2")
    assert lake.clean(before)["stale"] == []
    assert lake.clean(before, full_refresh=True)["stale"] == []


def test_a_day_that_was_never_cleaned_has_no_features(lake: PlayLake) -> None:
    with pytest.raises(SourceMissingError, match="clean has not run"):
        lake.features("2026-01-05")


def test_changed_code_computes_a_day_again(one_made: PlayLake) -> None:
    before = one_made.features(DAY)["run_id"]
    assert one_made.features(DAY, code="other")["run_id"] != before


def test_features_aggregate_days_without_partials_or_run_log(two_cleaned: PlayLake) -> None:
    """The run log may be lost: the tables show which days were cleaned."""
    shutil.rmtree(two_cleaned.lake_folder / "runs")
    two_cleaned.features(NEXT)
    assert_rows(two_cleaned.feature_rows(NEXT), "user_id | spend_7d | purchases_7d | purchases_30d\n1 | 20.00 | 2 | 2")


@pytest.fixture
def anonymous(lake: PlayLake) -> PlayLake:
    """Purchases by day and user; somebody else is unknown, also in a correction of the second day."""
    lake = lake.with_contract(columns=lake.columns("user_id", required=False), null_entity="drop")
    lake.land("2026-01-05", "transaction_id | user_id\na | 1\nb | -\nc | 2")
    late = "2026-01-05T11:00:00Z"
    lake.land(
        "2026-01-06",
        f"transaction_id | user_id | timestamp\nc | - | {late}\nd | - | {late}\ne | 1 | 2026-01-06T11:00:00Z",
    )
    return lake


def test_rows_without_an_entity_are_kept_but_in_no_feature(anonymous: PlayLake) -> None:
    assert anonymous.day("2026-01-05")["clean"]["counts"]["without_entity"] == 1
    assert anonymous.day("2026-01-06")["clean"]["counts"]["without_entity"] == 2
    assert_rows(anonymous.rows("processed"), "transaction_id | user_id\na | 1\nb | -\nc | -\nd | -\ne | 1")
    assert_rows(anonymous.feature_rows("2026-01-05"), "user_id | purchases_7d\n1 | 1\n2 | 1")
    assert_rows(anonymous.feature_rows("2026-01-06"), "user_id | purchases_7d\n1 | 2")
    assert anonymous.validate("2026-01-06", "processed")["outcome"] == "done"


def test_rows_without_an_entity_are_refused_where_declared(lake: PlayLake) -> None:
    lake = lake.with_contract(columns=lake.columns("user_id", required=False), null_entity="refuse", refused_share=0.5)
    lake.land("2026-01-05", "transaction_id | user_id\na | 1\nb | -")
    lake.day("2026-01-05")
    assert_rows(lake.rows("quarantine"), "job | reasons\nclean | ['user_id:missing']")
    assert_rows(lake.feature_rows("2026-01-05"), "user_id | purchases_7d\n1 | 1")


def test_a_share_of_known_values_leaves_out_nulls(lake: PlayLake) -> None:
    gift = Column(name="gift", type="boolean", description="Wrapped as a gift")
    shares = (Feature("of_all", Share(7, "gift")), Feature("of_known", Share(7, "gift", of="known")))
    contract = lake.contract
    features = replace(contract.features, columns=shares)
    lake = lake.with_contract(columns=(*contract.columns, gift), features=features)
    header = [*PURCHASE, "gift"]
    rows = [("a", "1", "true"), ("b", "1", ""), ("c", "1", ""), ("d", "1", "false"), ("e", "2", "")]
    records = [{**PURCHASE, "transaction_id": id_, "user_id": user, "gift": gift} for id_, user, gift in rows]
    lines = [",".join(header), *(",".join(record[name] for name in header) for record in records)]
    lake.land_bytes("2026-01-05", "\n".join([*lines, ""]).encode())
    lake.day("2026-01-05")
    assert_rows(lake.feature_rows("2026-01-05"), "user_id | of_all | of_known\n1 | 0.25 | 0.5\n2 | 0.0 | -")


def test_sums_of_the_largest_integers_are_exact(lake: PlayLake) -> None:
    large, features = 2**63 - 1, lake.contract.features
    more = (Feature("ages_30d", Sum(30, "age")), Feature("mean_age_30d", Mean(30, "age")))
    columns = lake.columns("age", type="long", maximum=None)
    wide = lake.with_contract(columns=columns, features=replace(features, columns=(*features.columns, *more)))
    rows = [f"{name} | {large} | {ds}" for name, ds in (("a", DAY), ("b", DAY), ("c", NEXT))]
    wide.land(NEXT, "\n".join(["transaction_id | age | timestamp", *rows]))
    wide.day(NEXT)
    (row,) = wide.feature_rows(NEXT)
    assert (row["ages_30d"], row["mean_age_30d"]) == (3 * large, float(large))
