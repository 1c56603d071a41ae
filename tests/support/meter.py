"""A dataset with a source of its own, as common/sources/own_source.md shows it: readings of meters in an SQLite database."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from tests.support.datasets import write_dataset

PAGE = Path(__file__).resolve().parents[2] / "common" / "sources" / "own_source.md"
CONTRACT = """
from common.contracts.aggregates import Sum
from common.contracts.contract import Column, Contract, Feature, Features
from jobs.datasets.meters.source import Meters

CONTRACT = Contract(
    name="meters",
    description="Readings of electricity meters.",
    source=Meters(file="{file}"),
    columns=(
        Column(name="meter", type="string", required=True, description="The meter's number"),
        Column(name="read_at", type="timestamp", required=True, description="When it was read"),
        Column(name="kwh", type="decimal(12,3)", minimum=0, description="Kilowatt-hours since the last reading"),
    ),
    key=("meter", "read_at"),
    event_time="read_at",
    features=Features(version=1, entity="meter", columns=(Feature("kwh_7d", Sum(7, "kwh")),)),
)
"""
TRANSFORMS = """
def derive(rows):
    return rows


def measure(rows):
    return rows
"""


def code_blocks() -> dict[str, str]:
    """The Python files that the page shows, by the name in their first line."""
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(blocks)


def write_meters(datasets: Path, database: Path) -> Path:
    folder = write_dataset(datasets, "meters", CONTRACT.format(file=database), TRANSFORMS)
    for name, text in code_blocks().items():
        (folder / name).write_text(text)
    return folder


def write_readings(database: Path, *readings: tuple[str, str, str | None]) -> None:
    """Of meter, time in UTC and kWh."""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS reading (meter TEXT, read_at TEXT, kwh TEXT)")
        connection.executemany("INSERT INTO reading VALUES (?, ?, ?)", readings)
