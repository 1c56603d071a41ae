"""Many rows are digested in Spark's tasks: the hash is that of all rows in one place, and so are the differences."""

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.errors import ContractViolationError
from common.lake import content_hash
from common.lake.row_diff import diff_rows
from common.lake.spark_hash import diff_frames, hash_frame

ROWS = 40
MANY = 1_000_000  # said of rows that are few, so that they are taken for many


def rows_of(spark: SparkSession) -> DataFrame:
    number = F.col("id")
    return spark.range(ROWS).repartition(3).select(
        number.alias("user_id"),
        F.when(number % 5 > 0, F.concat(F.lit("t"), number)).alias("text"),
        F.when(number == 3, F.lit(float("nan"))).otherwise(number / 7).alias("share"),
        (number / 3).cast("decimal(12,2)").alias("money"),
        F.timestamp_seconds(1_767_571_200 + number).alias("time"),
        F.array(number, F.lit(None).cast("long")).alias("list"),
        F.struct(number.alias("a"), F.lit("b").alias("b")).alias("pair"),
    )  # fmt: skip


def test_many_rows_have_the_hash_of_all_in_one_place(spark: SparkSession) -> None:
    rows = rows_of(spark)
    assert hash_frame(rows, ["user_id"], MANY) == content_hash.hash_rows(rows.toArrow())


def test_no_rows_have_one_hash_too(spark: SparkSession) -> None:
    rows = rows_of(spark).where("false")
    assert hash_frame(rows, ["user_id"], MANY) == hash_frame(rows, ["user_id"], 0)


@pytest.mark.parametrize("size", [2 * ROWS, MANY])
def test_a_key_that_came_twice_is_refused(spark: SparkSession, size: int) -> None:
    rows = rows_of(spark)
    with pytest.raises(ContractViolationError, match="share values of user_id; expected one row for each"):
        hash_frame(rows.unionAll(rows.where("user_id = 7")), ["user_id"], size)


@pytest.mark.parametrize("size", [ROWS, MANY])
def test_differing_rows_are_named_by_key_and_column(spark: SparkSession, size: int) -> None:
    before = rows_of(spark)
    after = before.withColumn("money", F.when(F.col("user_id") == 9, 0).otherwise(F.col("money")).cast("decimal(12,2)"))
    found = diff_frames(before, after.where("user_id <> 4"), ["user_id"], size)
    assert found is not None
    assert found.columns == {"money": ["9"], "the row itself": ["4"]}


def test_the_same_rows_in_another_order_do_not_differ(spark: SparkSession) -> None:
    rows = rows_of(spark)
    assert diff_frames(rows, rows.orderBy(F.desc("money")), ["user_id"], MANY) is None


def test_a_zero_of_the_other_sign_is_a_difference(spark: SparkSession) -> None:
    before, after = (spark.sql(f"SELECT 1 AS user_id, {zero} AS share") for zero in ("0.0D", "-0.0D"))
    assert diff_rows(before.toArrow(), after.toArrow(), ["user_id"]) is not None
    assert diff_frames(before, after, ["user_id"], MANY) is not None
