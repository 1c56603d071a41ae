"""A third dataset, written the way a newcomer would add it: one folder with a contract and its transforms."""

from __future__ import annotations

from pathlib import Path

from tests.support.datasets import write_dataset

CONTRACT = """
from common.contracts.aggregates import Count, Max
from common.contracts.contract import Column, Contract, Feature, Features

CONTRACT = Contract(
    name="visits",
    description="Visits to the shop.",
    columns=(
        Column(name="visit_id", type="long", required=True, description="The number that the door counter gave"),
        Column(name="visitor", type="string", required=True, description="The visitor's name"),
        Column(name="day", type="date", required=True, formats=("dd.MM.yyyy",), description="Day of the visit"),
        Column(name="minutes", type="double", minimum=0, description="Length of the visit in minutes"),
    ),
    derived=(Column(name="hours", type="double", description="Length of the visit in hours"),),
    key=("visit_id",),
    event_time="day",
    lateness_days=2,
    refused_share=0.5,
    features=Features(
        version=1,
        entity="visitor",
        columns=(Feature("visits_3d", Count(3)), Feature("longest_3d", Max(3, "minutes"))),
    ),
)
"""
TRANSFORMS = """
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def derive(rows: DataFrame) -> DataFrame:
    return rows.withColumn("hours", F.col("minutes") / 60)


def measure(rows: DataFrame) -> DataFrame:
    return rows
"""


def write_visits(datasets: Path) -> Path:
    return write_dataset(datasets, "visits", CONTRACT, TRANSFORMS)
