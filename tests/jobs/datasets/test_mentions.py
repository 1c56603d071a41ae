"""What mentions add to their rows."""

from decimal import Decimal

from chispa import assert_df_equality
from pyspark.sql import SparkSession

from jobs.datasets.mentions.transforms import derive, measure

MENTIONS = "mention_id string, score decimal(5,4)"


def test_a_mention_is_negative_pending_or_neither(spark: SparkSession) -> None:
    scores = {"a": Decimal("-0.0500"), "b": Decimal("-0.0499"), "c": None}
    rows = spark.createDataFrame([*scores.items()], MENTIONS)
    expected = spark.createDataFrame(
        [("a", scores["a"], True, 0), ("b", scores["b"], False, 0), ("c", None, None, 1)],
        f"{MENTIONS}, negative boolean, pending int",
    )
    assert_df_equality(measure(derive(rows)), expected, ignore_nullable=True)
