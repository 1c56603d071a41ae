"""A feature that another dataset has: as it was known when the event came, and never later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from common.contracts import datasets
from common.contracts.lookup import Lookup
from common.errors import ContractDeclarationError, ContractViolationError
from common.orchestration import staleness
from jobs.clean import CLEAN
from jobs.leakcheck import LEAKCHECK
from tests.support.changes import CONTRACT, ORDERS, change, land, land_orders, segments, write_customers, write_orders
from tests.support.datasets import datasets_in, spoil
from tests.support.play_lake import PlayLake

MON, TUE, WED, THU = DAYS = ("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    write_customers(tmp_path / "datasets")
    return write_orders(tmp_path / "datasets").parent


@pytest.fixture
def orders(folders: Path, spark: object) -> Iterator[PlayLake]:
    with datasets_in(folders):
        yield PlayLake(folders.parent, "orders")


@pytest.fixture
def customers(orders: PlayLake) -> PlayLake:
    return PlayLake(orders.root, "customers")


def heal(lake: PlayLake) -> None:
    for ds in stale(lake):
        lake.day(ds)
    assert stale(lake) == []


def stale(lake: PlayLake) -> list[str]:
    return [str(day) for day in staleness.all_stale(lake.dataset, lake.plan("ask", MON).settings)]


def day_of(lake: PlayLake, ds: str, changes: list[object]) -> None:
    land(lake, ds, changes)
    lake.day(ds)


def test_an_event_sees_what_was_known_before_its_day(orders: PlayLake, customers: PlayLake) -> None:
    day_of(customers, MON, [change("c", 1, 1, "new"), change("c", 2, 2, "new")])
    day_of(customers, TUE, [change("u", 1, 3, "gold"), change("d", 2, 4)])
    for ds, placed in ((MON, [(1, 1, MON)]), (TUE, [(2, 1, TUE), (3, 2, TUE)]), (WED, [(4, 1, WED), (5, 2, WED)])):
        land_orders(orders, ds, placed)
        orders.day(ds)
    assert [segments(orders, ds) for ds in (MON, TUE, WED)] == [
        {1: None},
        {1: "new", 2: "new"},
        {1: "gold", 2: None},
    ]


def test_a_late_event_sees_what_was_known_before_it_happened(orders: PlayLake, customers: PlayLake) -> None:
    day_of(customers, MON, [change("c", 1, 1, "new")])
    day_of(customers, TUE, [change("u", 1, 2, "gold")])
    land_orders(orders, WED, [(1, 1, TUE)])
    orders.day(WED)
    assert segments(orders, WED) == {1: "new"}


def test_a_later_change_never_reaches_an_earlier_event(orders: PlayLake, customers: PlayLake) -> None:
    day_of(customers, MON, [change("c", 1, 10, "new")])
    for number, ds in enumerate((TUE, WED)):
        land_orders(orders, ds, [(number, 1, ds)])
        orders.day(ds)
    before = orders.content()["features/orders/v1"]
    # A newer change, and one that comes late: neither was known when the orders came.
    day_of(customers, WED, [change("u", 1, 20, "gold"), change("u", 1, 5, "old")])
    assert stale(orders) == []
    for ds in (TUE, WED):
        orders.features(ds, full_refresh=True)
    assert orders.content()["features/orders/v1"] == before
    land_orders(orders, THU, [(9, 1, THU)])
    orders.day(THU)
    assert segments(orders, THU) == {1: "gold"}


def test_a_changed_dimension_makes_the_days_after_it_stale(orders: PlayLake, customers: PlayLake) -> None:
    for ds in (MON, TUE):
        day_of(customers, ds, [change("c", 1, 1 if ds == MON else 2, ds)])
    for number, ds in enumerate((MON, TUE, WED)):
        land_orders(orders, ds, [(number, 1, ds)])
        orders.day(ds)
    land(customers, TUE, [change("u", 1, 3, "gold")], "more.jsonl")
    customers.day(TUE)
    assert stale(orders) == [WED]
    heal(orders)
    assert [segments(orders, ds) for ds in (MON, TUE, WED)] == [{1: None}, {1: MON}, {1: "gold"}]


def test_what_the_gate_refused_is_not_looked_up(orders: PlayLake, customers: PlayLake) -> None:
    strict = customers.with_contract(refused_share=0.1)
    day_of(strict, MON, [change("c", 1, 1, "new")])
    land(strict, TUE, [change("u", 1, 2, "bad"), change("c", "x", 3)])  # type: ignore[arg-type]
    strict.ingest(TUE)
    strict.run(CLEAN, TUE)
    with pytest.raises(ContractViolationError):
        strict.validate(TUE)
    land_orders(orders, WED, [(1, 1, WED)])
    orders.day(WED)
    assert segments(orders, WED) == {1: "new"}
    day_of(strict, TUE, [change("u", 1, 2, "gold")])
    assert stale(orders) == [WED]
    heal(orders)
    assert segments(orders, WED) == {1: "gold"}


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_lookups_are_those_of_an_asof_join(orders: PlayLake, customers: PlayLake, seed: int) -> None:
    rng = random.Random(seed)
    feed, placed = [], []
    for place in rng.sample(range(50), 50):
        ds = rng.choice(DAYS)
        feed.append((ds, change(rng.choice("cuud"), rng.randrange(5), place, rng.choice(["new", "gold", "silver"]))))
        arrival = rng.choice(DAYS)
        placed.append((arrival, (place, rng.randrange(5), rng.choice([d for d in DAYS if d <= arrival][-3:]))))
    for ds in DAYS:
        land(customers, ds, [each for day, each in feed if day == ds])
        land_orders(orders, ds, [each for day, each in placed if day == ds])
    # The two datasets, and their days, in any order.
    todo = [(lake, ds) for lake in (orders, customers) for ds in DAYS]
    for lake, ds in rng.sample(todo, len(todo)):
        lake.day(ds)
    heal(customers)
    heal(orders)
    for ds in DAYS:
        assert segments(orders, ds) == expected(feed, placed, ds)


def expected(feed: list[tuple[str, dict]], placed: list[tuple[str, tuple]], ds: str) -> dict[int, str | None]:  # type: ignore[type-arg]
    """DuckDB's: each order beside what was known at the end of the last day before it, and of each user the last order."""
    changes = [
        (day, (each["after"] or each["before"])["user_id"], each["source"]["lsn"], (each["after"] or {}).get("segment"))
        for day, each in feed
    ]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE changes (arrived DATE, user_id INT, lsn INT, segment TEXT)")
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?, ?)", changes)
        connection.execute("CREATE TABLE orders (arrived DATE, order_id INT, user_id INT, placed DATE)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", [(day, *each) for day, each in placed])
        found = connection.execute(
            """
            WITH known AS (
                SELECT day, user_id, arg_max_null(segment, lsn) AS segment
                FROM (SELECT DISTINCT arrived AS day FROM changes) JOIN changes ON arrived <= day
                GROUP BY ALL
            ), seen AS (
                SELECT orders.user_id, orders.placed, known.segment
                FROM orders ASOF LEFT JOIN known ON orders.user_id = known.user_id AND orders.placed > known.day
                WHERE orders.arrived <= ?::DATE AND orders.placed > ?::DATE - 3 AND orders.placed <= ?::DATE
            )
            SELECT user_id, arg_max_null(segment, placed) FROM seen GROUP BY user_id
            """,
            [ds, ds, ds],
        ).fetchall()
    return dict(found)


def test_the_leak_check_looks_up_too(orders: PlayLake, customers: PlayLake) -> None:
    day_of(customers, MON, [change("c", 1, 1, "new")])
    land_orders(orders, TUE, [(1, 1, TUE)])
    orders.day(TUE)
    assert orders.run(LEAKCHECK, TUE)["counts"]["leaks"] == 0


def test_a_whole_snapshot_is_looked_up_on_the_day_before(folders: Path, spark: object) -> None:
    spoil(folders / "customers" / "contract.py", 'source=Files(changes=Debezium(position="lsn")),', "source=Files(),")
    with datasets_in(folders):
        orders, customers = PlayLake(folders.parent, "orders"), PlayLake(folders.parent, "customers")
        for number, (ds, segment) in enumerate(((MON, "new"), (TUE, "gold"), (WED, "silver"))):
            customers.land_bytes(ds, f"user_id,segment\n1,{segment}\n".encode())
            customers.day(ds)
            land_orders(orders, ds, [(number, 1, ds)])
            orders.day(ds)
        assert [segments(orders, ds) for ds in (MON, TUE, WED)] == [{1: None}, {1: "new"}, {1: "gold"}]
        customers.land_bytes(TUE, b"user_id,segment\n1,other\n")
        customers.day(TUE)
        assert stale(orders) == [WED]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("customers@processed", "customer@processed", "there is no other dataset 'customer' .did you mean customers"),
        ("customers@processed", "transactions@processed", "transactions has events; expected a snapshot"),
        ('Lookup("segment"', 'Lookup("segments"', "customers has no such column; expected one of"),
        ('"user_id", type="long"', '"user_id", type="string"', "the entity is string, that of customers long"),
        ("customers@processed", "customers", "from_ 'customers' is not allowed"),
    ],
)  # fmt: skip
def test_a_lookup_that_can_not_be_is_told(folders: Path, old: str, new: str, fault: str) -> None:
    spoil(folders / "orders" / "contract.py", old, new)
    with datasets_in(folders), pytest.raises(ContractDeclarationError, match=fault):
        datasets.load("orders")


def test_a_lookup_knows_the_type_of_what_it_looks_up(folders: Path) -> None:
    assert "Lookup" in ORDERS and "Debezium" in CONTRACT
    with datasets_in(folders):
        rules = [feature.rule for feature in datasets.load("orders").contract.features.columns]
    assert [rule.type(str) for rule in rules if isinstance(rule, Lookup)] == ["string"]
