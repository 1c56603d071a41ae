"""A feature that another dataset has: as it was known when the event came, and never later."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
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


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("datasets")
    write_customers(folder)
    write_orders(folder)
    with datasets_in(folder):
        yield folder


@pytest.fixture
def orders(tmp_path: Path, declared: Path) -> PlayLake:
    return PlayLake(tmp_path, "orders")


@pytest.fixture
def customers(orders: PlayLake) -> PlayLake:
    return PlayLake(orders.root, "customers")


@pytest.fixture(scope="module")
def known_once(tmp_path_factory: pytest.TempPathFactory, declared: Path) -> PlayLake:
    orders = PlayLake(tmp_path_factory.mktemp("known"), "orders")
    customers = PlayLake(orders.root, "customers")
    know(customers, MON, [change("c", user, user, "new") for user in (1, 2, 3, 4)])
    know(customers, TUE, [change("u", 1, 5, "gold"), change("d", 2, 6), change("u", 4, 7, "gold")])
    land_orders(orders, TUE, [(1, 1, TUE), (2, 2, TUE), (3, 3, MON)])
    land_orders(orders, WED, [(4, 1, WED), (5, 2, WED), (6, 4, TUE)])
    for ds in (TUE, WED):
        orders.day(ds)
    return orders


@pytest.fixture
def ordered(known_once: PlayLake, tmp_path: Path) -> PlayLake:
    """Orders of two days, by customers that two days told of; that of user 4 comes late."""
    return known_once.copied(tmp_path)


def heal(lake: PlayLake) -> None:
    for ds in stale(lake):
        lake.day(ds)
    assert stale(lake) == []


def stale(lake: PlayLake) -> list[str]:
    return [str(day) for day in staleness.all_stale(lake.dataset, lake.plan("ask", MON).settings)]


def know(customers: PlayLake, ds: str, changes: list[object]) -> None:
    """What is looked up are processed rows."""
    land(customers, ds, changes)
    clean(customers, ds)


def clean(lake: PlayLake, ds: str) -> None:
    lake.ingest(ds)
    lake.clean(ds)


def test_an_event_sees_what_was_known_before_its_day(ordered: PlayLake) -> None:
    assert segments(ordered, TUE) == {1: "new", 2: "new", 3: None}
    assert segments(ordered, WED) == {1: "gold", 2: None, 3: None, 4: "new"}


def test_a_later_change_never_reaches_an_earlier_event(orders: PlayLake, customers: PlayLake) -> None:
    know(customers, MON, [change("c", 1, 10, "new")])
    land_orders(orders, WED, [(1, 1, WED), (2, 2, WED)])
    orders.day(WED)
    before = orders.content()["features/orders/v1"]
    # A newer change, and one that comes late: neither was known when the orders came.
    know(customers, WED, [change("u", 1, 20, "gold"), change("u", 1, 5, "old"), change("c", 2, 21, "new")])
    assert stale(orders) == []
    orders.features(WED, full_refresh=True)
    assert orders.content()["features/orders/v1"] == before
    land_orders(orders, THU, [(9, 1, THU)])
    orders.day(THU)
    assert segments(orders, THU) == {1: "gold", 2: None}


def test_a_changed_dimension_makes_the_days_after_it_stale(ordered: PlayLake, customers: PlayLake) -> None:
    before = segments(ordered, TUE)
    land(customers, TUE, [change("u", 1, 8, "silver")], "more.jsonl")
    clean(customers, TUE)
    assert stale(ordered) == [WED]
    heal(ordered)
    assert segments(ordered, TUE) == before
    assert segments(ordered, WED) == {1: "silver", 2: None, 3: None, 4: "new"}


def test_what_the_gate_refused_is_not_looked_up(orders: PlayLake, customers: PlayLake) -> None:
    strict = customers.with_contract(refused_share=0.1)
    know(strict, MON, [change("c", 1, 1, "new")])
    land(strict, TUE, [change("u", 1, 2, "bad"), change("c", "x", 3)])  # type: ignore[arg-type]
    strict.ingest(TUE)
    strict.run(CLEAN, TUE)
    with pytest.raises(ContractViolationError):
        strict.validate(TUE)
    land_orders(orders, WED, [(1, 1, WED)])
    orders.day(WED)
    assert segments(orders, WED) == {1: "new"}
    know(strict, TUE, [change("u", 1, 2, "gold")])
    assert stale(orders) == [WED]
    heal(orders)
    assert segments(orders, WED) == {1: "gold"}


@pytest.mark.parametrize("days", [DAYS[:2], pytest.param(DAYS, marks=pytest.mark.slow)], ids=len)
def test_lookups_are_those_of_an_asof_join(orders: PlayLake, customers: PlayLake, days: tuple[str, ...]) -> None:
    rng = random.Random(len(days))
    feed, placed = [], []
    for place in rng.sample(range(50), 50):
        ds = rng.choice(days)
        feed.append((ds, change(rng.choice("cuud"), rng.randrange(5), place, rng.choice(["new", "gold", "silver"]))))
        arrival = rng.choice(days)
        placed.append((arrival, (place, rng.randrange(5), rng.choice([d for d in days if d <= arrival][-3:]))))
    for ds in days:
        land(customers, ds, [each for day, each in feed if day == ds])
        land_orders(orders, ds, [each for day, each in placed if day == ds])
    # The two datasets, and their days, in any order.
    todo = [(run, ds) for run in (orders.day, partial(clean, customers)) for ds in days]
    for run, ds in rng.sample(todo, len(todo)):
        run(ds)
    for ds in stale(customers):
        clean(customers, ds)
    heal(orders)
    for ds in days:
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


def test_the_leak_check_looks_up_too(ordered: PlayLake) -> None:
    assert ordered.run(LEAKCHECK, WED)["counts"]["leaks"] == 0


def test_a_whole_snapshot_is_looked_up_on_the_day_before(folders: Path, spark: object) -> None:
    spoil(folders / "customers" / "contract.py", 'source=Files(changes=Debezium(position="lsn")),', "source=Files(),")
    with datasets_in(folders):
        orders, customers = PlayLake(folders.parent, "orders"), PlayLake(folders.parent, "customers")
        for ds, segment in ((MON, "new"), (TUE, "gold")):
            customers.land_bytes(ds, f"user_id,segment\n1,{segment}\n".encode())
            clean(customers, ds)
        land_orders(orders, TUE, [(1, 1, TUE), (2, 2, TUE), (3, 3, MON)])
        orders.day(TUE)
        assert segments(orders, TUE) == {1: "new", 2: None, 3: None}
        customers.land_bytes(MON, b"user_id,segment\n1,other\n")
        clean(customers, MON)
        assert stale(orders) == [TUE]


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
