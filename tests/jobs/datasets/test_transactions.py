"""What transactions adds to its rows. Copy this file for the transforms of a new dataset."""

from datetime import date

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from jobs.datasets.transactions.transforms import derive, measure

PURCHASES = "transaction_id string, event_date date"


def test_saturday_and_sunday_are_weekend(spark: SparkSession) -> None:
    friday, saturday, sunday, monday = (date(2026, 1, day) for day in (9, 10, 11, 12))
    rows = spark.createDataFrame([("a", friday), ("b", saturday), ("c", sunday), ("d", monday)], PURCHASES)
    expected = spark.createDataFrame(
        [("a", friday, False), ("b", saturday, True), ("c", sunday, True), ("d", monday, False)],
        f"{PURCHASES}, weekend boolean",
    )
    assert_df_equality(measure(rows), expected)


def test_measure_keeps_every_row(spark: SparkSession) -> None:
    """A measure may neither drop nor add rows: the features job counts them."""
    rows = spark.createDataFrame([("a", date(2026, 1, 9)), ("a", date(2026, 1, 9))], PURCHASES)
    assert_df_equality(measure(rows).drop("weekend"), rows)


def test_transactions_derive_no_column(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", date(2026, 1, 9))], PURCHASES)
    assert_df_equality(derive(rows), rows)
