"""Customers as a database's change feed sends them: a dataset of its own, and envelopes to land."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.datasets import write_dataset
from tests.support.play_lake import PlayLake

CONTRACT = """
from common.contracts.aggregates import Pick
from common.contracts.changes import Debezium
from common.contracts.contract import Column, Contract, Feature, Features, Files

CONTRACT = Contract(
    name="customers",
    description="Customers, as the shop's database knows them.",
    source=Files(changes=Debezium(position="lsn")),
    columns=(
        Column(name="user_id", type="long", required=True, description="The customer"),
        Column(name="segment", type="string", required=True, description="What they are to us"),
    ),
    key=("user_id",),
    refused_share=0.9,
    features=Features(version=1, entity="user_id", columns=(Feature("segment", Pick("segment")),)),
)
"""
TRANSFORMS = """
from pyspark.sql import DataFrame


def derive(rows: DataFrame) -> DataFrame:
    return rows


def measure(rows: DataFrame) -> DataFrame:
    return rows
"""
Envelope = dict[str, Any]


def write_customers(datasets: Path) -> Path:
    return write_dataset(datasets, "customers", CONTRACT, TRANSFORMS)


def change(op: str, user: int, lsn: int, segment: str | None = "new", **more: Any) -> Envelope:
    """An envelope as PostgreSQL's connector sends it."""
    row, key = {"user_id": user, "segment": segment}, {"user_id": user, "segment": None}
    sides = {"before": key, "after": None} if op == "d" else {"before": None, "after": row}
    return {**sides, "source": {"connector": "postgresql", "lsn": lsn}, "op": op, "ts_ms": 1767600000000, **more}


def land(lake: PlayLake, ds: str, changes: Iterable[Any], name: str = "changes.jsonl") -> None:
    """Each change is a line; a text is one as it is."""
    lines = [each if isinstance(each, str) else json.dumps(each) for each in changes]
    lake.land_bytes(ds, "".join(f"{line}\n" for line in lines).encode(), name)


def segments(lake: PlayLake, ds: str) -> dict[int, str]:
    """The features of the day."""
    return {row["user_id"]: row["segment"] for row in lake.feature_rows(ds)}


def history(lake: PlayLake) -> list[tuple[Any, ...]]:
    """Every version of every row, with the days between which it was known."""
    names = ("user_id", "change_position", "change_deleted", "segment", "arrived", "superseded")
    tables = [kind for kind in ("processed", "superseded") if (lake.lake_folder / kind / lake.dataset).exists()]
    rows = [{"superseded": None, **row} for kind in tables for row in lake.rows(kind)]
    return sorted((tuple(row[name] for name in names) for row in rows), key=str)


ORDERS = """
from common.contracts.aggregates import Count
from common.contracts.contract import Column, Contract, Feature, Features
from common.contracts.lookup import Lookup

CONTRACT = Contract(
    name="orders",
    description="Orders of customers.",
    columns=(
        Column(name="order_id", type="long", required=True, description="The order"),
        Column(name="user_id", type="long", required=True, description="Who ordered"),
        Column(name="at", type="timestamp", required=True, description="When it was ordered"),
    ),
    key=("order_id",),
    event_time="at",
    lateness_days=2,
    features=Features(
        version=1,
        entity="user_id",
        columns=(Feature("orders_3d", Count(3)), Feature("segment", Lookup("segment", from_="customers@processed"))),
    ),
)
"""


def write_orders(datasets: Path, contract: str = ORDERS) -> Path:
    return write_dataset(datasets, "orders", contract, TRANSFORMS)


def land_orders(lake: PlayLake, ds: str, orders: Iterable[tuple[int, int, str]], name: str = "orders.csv") -> None:
    """Each order is its number, who ordered, and the day."""
    lines = [f"{order},{user},{day}T10:00:00Z\n" for order, user, day in orders]
    lake.land_bytes(ds, "".join(["order_id,user_id,at\n", *lines]).encode(), name)
