"""What is particular to churn: pure functions of rows."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.datasets.churn.contract import DAYS_IN_A_MONTH


def derive(rows: DataFrame) -> DataFrame:
    return rows.withColumn("tenure_months", F.floor(F.col("tenure_days") / DAYS_IN_A_MONTH).cast("int"))


def measure(rows: DataFrame) -> DataFrame:
    return rows
