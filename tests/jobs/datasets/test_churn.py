"""What churn adds to its rows. Copy this file for the transforms of a new dataset."""

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from jobs.datasets.churn.transforms import derive, measure

CUSTOMERS = "customer_id string, tenure_days int"


def test_tenure_months_are_whole_months_of_30_days(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 0), ("b", 29), ("c", 30), ("d", 59), ("e", 60), ("f", 365)], CUSTOMERS)
    expected = spark.createDataFrame(
        [("a", 0, 0), ("b", 29, 0), ("c", 30, 1), ("d", 59, 1), ("e", 60, 2), ("f", 365, 12)],
        f"{CUSTOMERS}, tenure_months int",
    )
    assert_df_equality(derive(rows), expected)


def test_an_unknown_tenure_has_no_months(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", None)], CUSTOMERS)
    expected = spark.createDataFrame([("a", None, None)], f"{CUSTOMERS}, tenure_months int")
    assert_df_equality(derive(rows), expected)


def test_churn_measures_no_column(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 30)], CUSTOMERS)
    assert_df_equality(measure(rows), rows)
