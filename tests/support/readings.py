"""A dataset with a period every hour, written the way a newcomer would add it, and what its windows must hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.support.datasets import write_dataset

CONTRACT = """
from common.contracts.aggregates import Count, Sum
from common.contracts.contract import Column, Contract, Feature, Features
from common.contracts.expectations import Freshness

CONTRACT = Contract(
    name="readings",
    description="Readings of meters.",
    columns=(
        Column(name="reading_id", type="long", required=True, description="The reading"),
        Column(name="meter", type="string", required=True, description="The meter"),
        Column(name="at", type="timestamp", required=True, description="When it was read"),
        Column(name="amount", type="decimal(12,2)", required=True, description="What was used since, in kWh"),
    ),
    key=("reading_id",),
    event_time="at",
    every="hour",
    lateness_hours=2,
    refused_share=0.9,
    freshness=Freshness(hours=100),
    features=Features(
        version=1,
        entity="meter",
        columns=(
            Feature("readings_3h", Count(3)),
            Feature("amount_3h", Sum(3, "amount")),
            Feature("amount_24h", Sum(24, "amount")),
        ),
    ),
)
"""
TRANSFORMS = """
from pyspark.sql import DataFrame


def derive(rows: DataFrame) -> DataFrame:
    return rows


def measure(rows: DataFrame) -> DataFrame:
    return rows
"""
HEADER = "reading_id,meter,at,amount"
Record = tuple[int, str, str, str]  # the reading, its meter, when it was read and what it says


def write_readings(datasets: Path) -> Path:
    return write_dataset(datasets, "readings", CONTRACT, TRANSFORMS)


def as_csv(records: Sequence[Record]) -> str:
    return "\n".join([HEADER, *(",".join(map(str, record)) for record in records)]) + "\n"


def expected(landed: Mapping[str, Sequence[Record]], ds: str) -> dict[str, tuple[int, Decimal, Decimal]]:
    """By meter: readings and amount of the last 3 hours, and amount of the last 24, as known at the end of ds."""
    end = _hour(ds) + timedelta(hours=1)
    known: dict[int, Record] = {}
    for arrived in sorted(landed):
        arrival = _hour(arrived)
        for record in landed[arrived]:
            at = datetime.fromisoformat(record[2]).replace(minute=0, second=0)
            if arrived <= ds and arrival - timedelta(hours=2) <= at <= arrival:
                known[record[0]] = record
    rows: dict[str, list[tuple[timedelta, Decimal]]] = defaultdict(list)
    for _, meter, at, amount in known.values():
        rows[meter].append((end - datetime.fromisoformat(at), Decimal(amount)))
    found = {}
    for meter, events in rows.items():
        last = {hours: [amount for age, amount in events if age <= timedelta(hours=hours)] for hours in (3, 24)}
        if last[24]:
            found[meter] = len(last[3]), sum(last[3], Decimal("0.00")), sum(last[24], Decimal("0.00"))
    return found


def _hour(ds: str) -> datetime:
    return datetime.strptime(ds, "%Y-%m-%dT%H")
