"""Every bad value of the table is accepted or refused as the table says."""

from datetime import date

from pyspark.sql import SparkSession

from common.clean.casting import cast_rows
from common.contracts import datasets
from tests.support.bad_inputs import VALUES
from tests.support.landing import PURCHASE


def test_a_bad_value_becomes_what_the_table_says(spark: SparkSession) -> None:
    records = [{**PURCHASE, "record_hash": str(place), column: text} for place, (column, text, _) in enumerate(VALUES)]
    contract = datasets.load("transactions").contract
    rows = cast_rows(spark.createDataFrame(records).coalesce(1), contract, date(2026, 1, 5)).collect()
    reasons = {int(row["record_hash"]): " ".join(row["reasons"]) or "accepted" for row in rows}
    assert [(*value[:2], reasons[place]) for place, value in enumerate(VALUES)] == list(VALUES)
