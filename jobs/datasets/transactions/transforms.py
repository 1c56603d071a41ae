"""What is particular to transactions: pure functions of rows."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def derive(rows: DataFrame) -> DataFrame:
    return rows


def measure(rows: DataFrame) -> DataFrame:
    return rows.withColumn("weekend", F.weekday("event_date") >= 5)
