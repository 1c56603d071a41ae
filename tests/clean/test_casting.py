"""Casting of timestamps: accepted forms, time zones, and days of 23 and 25 hours."""

from dataclasses import replace
from datetime import date

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from common.clean.casting import cast_rows
from common.contracts import datasets
from common.contracts.contract import Column
from tests.support.landing import PURCHASE


def judged(spark: SparkSession, text: str, ds: str, zone: str = "UTC") -> tuple[str | None, str, list[str]]:
    """Returns the UTC instant, the event date and the reasons to refuse the record."""
    contract = replace(datasets.load("transactions").contract, zone=zone)
    rows = spark.createDataFrame([{**PURCHASE, "timestamp": text}])
    found = cast_rows(rows, contract, date.fromisoformat(ds))
    shown = F.date_format("timestamp", "yyyy-MM-dd HH:mm:ss").alias("instant")
    (row,) = found.select(shown, F.col("event_date").cast("string"), "reasons").collect()
    return row["instant"], row["event_date"], row["reasons"]


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-01-05T00:30:00", "2026-01-04 23:30:00"),
        ("2026-07-05T00:30:00", "2026-07-04 22:30:00"),
        # Start of summer time: 02:30 does not exist.
        ("2026-03-29T01:30:00", "2026-03-29 00:30:00"),
        ("2026-03-29T03:30:00", "2026-03-29 01:30:00"),
        # End of summer time: 02:30 occurs twice.
        ("2026-10-25T01:30:00", "2026-10-24 23:30:00"),
        ("2026-10-25T03:30:00", "2026-10-25 02:30:00"),
        # An explicit zone wins.
        ("2026-01-05T10:00:00+05:00", "2026-01-05 05:00:00"),
        ("2026-01-05T10:00:00Z", "2026-01-05 10:00:00"),
    ],
)
def test_a_time_without_zone_is_in_the_sources_zone(spark: SparkSession, local: str, utc: str) -> None:
    instant, event_date, reasons = judged(spark, local, local[:10], "Europe/Berlin")
    assert (instant, event_date, reasons) == (utc, utc[:10], [])


@pytest.mark.parametrize(
    "text", ["2026-01-05", "2026-01-05 10:00", "2026-01-05T10:00:00.123456Z", "2026-01-05T10:00:00+00:00"]
)
def test_iso_8601_is_accepted_with_and_without_its_parts(spark: SparkSession, text: str) -> None:
    _, event_date, reasons = judged(spark, text, "2026-01-05")
    assert (event_date, reasons) == ("2026-01-05", [])


@pytest.mark.parametrize(
    "text",
    ["12:30", "2026", "2026-1-5", "20260105", "05.01.2026", "2026-01-05T25:00:00Z", "2026-02-31", "now", "today"],
)
def test_times_in_other_forms_are_refused(spark: SparkSession, text: str) -> None:
    instant, _, reasons = judged(spark, text, "2026-01-05")
    assert (instant, reasons) == (None, ["timestamp:not_timestamp"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0001-01-01T00:00:00Z", "timestamp:older_than_7_days"),
        ("2025-12-28T23:59:59Z", "timestamp:older_than_7_days"),
        ("9999-12-31T23:59:59Z", "timestamp:after_ds"),
        ("2026-01-06T00:00:00Z", "timestamp:after_ds"),
    ],
)
def test_an_instant_out_of_reach_is_refused_with_the_limit(spark: SparkSession, text: str, reason: str) -> None:
    assert judged(spark, text, "2026-01-05")[2] == [reason]


@pytest.mark.parametrize("text", ["0001-01-01", "9999-12-31"])
def test_a_placeholder_year_is_refused(spark: SparkSession, text: str) -> None:
    contract = datasets.load("transactions").contract
    born = Column(name="born", type="date", description="")
    contract = replace(contract, columns=(*contract.columns, born))
    rows = spark.createDataFrame([{**PURCHASE, "born": text}, {**PURCHASE, "born": "1970-01-01"}])
    found = [row["reasons"] for row in cast_rows(rows, contract, date.fromisoformat("2026-01-05")).collect()]
    assert found == [["born:no_real_date"], []]
