"""Labels join only what was known before them, and splits are the same on any machine."""

import hashlib
import random
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.errors import ContractDeclarationError
from common.training.as_of_join import as_of, split_of
from common.training.training_set import TIME, From, Split

FIRST = date(2026, 1, 1)


def frames(spark: SparkSession, seed: int) -> tuple[DataFrame, DataFrame]:
    rng = random.Random(seed)
    days = [
        (who, FIRST + timedelta(days=day), rng.randrange(100))
        for who in range(5)
        for day in range(20)
        if rng.random() < 0.4
    ]
    start = datetime(2026, 1, 1)
    asked = [(rng.randrange(6), start + timedelta(hours=rng.randrange(24 * 22)), n) for n in range(60)]
    return (
        spark.createDataFrame(asked, f"who int, {TIME} timestamp, label int"),
        spark.createDataFrame(days, "who int, ds date, spend int"),
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
@pytest.mark.parametrize(("gap_hours", "max_age_days"), [(0, None), (30, None), (0, 2), (30, 3)])
def test_the_join_equals_pandas_merge_asof(
    spark: SparkSession, seed: int, gap_hours: int, max_age_days: int | None
) -> None:
    examples, features = frames(spark, seed)
    wanted = From(table="t@v1", gap_hours=gap_hours, max_age_days=max_age_days)
    found = as_of(examples, features, "who", wanted, {"spend": "spend"}).toPandas()

    asked, known = examples.toPandas().sort_values(TIME), features.toPandas()
    known["when"] = pd.to_datetime(known["ds"]) + timedelta(days=1, hours=gap_hours)
    age = timedelta(days=max_age_days) - timedelta(hours=gap_hours) if max_age_days else None
    expected = pd.merge_asof(asked, known.sort_values("when"), left_on=TIME, right_on="when", by="who", tolerance=age)
    pd.testing.assert_series_equal(
        found.set_index("label")["spend"].sort_index().astype(float),
        expected.set_index("label")["spend"].sort_index().astype(float),
    )
    assert found["spend"].notna().any()


def test_a_row_is_not_known_before_its_day_is_over(spark: SparkSession) -> None:
    features = spark.createDataFrame([(1, date(2026, 1, 5), 7)], "who int, ds date, spend int")
    asked = [(1, datetime(2026, 1, 5, 23, 59, 59)), (1, datetime(2026, 1, 6))]
    examples = spark.createDataFrame(asked, f"who int, {TIME} timestamp")
    found = as_of(examples, features, "who", From(table="t@v1"), {"spend": "spend"}).orderBy(TIME)
    assert [row["spend"] for row in found.collect()] == [None, 7]


def entities(spark: SparkSession, parts: int) -> DataFrame:
    rows = [(f"c{number}", datetime(2026, 1, 1 + number % 20)) for number in range(2_000)]
    return spark.createDataFrame(rows, f"who string, {TIME} timestamp").repartition(parts)


def test_a_seed_gives_one_split_whatever_the_row_layout(spark: SparkSession) -> None:
    split = Split(seed="s1", shares=(0.7, 0.2, 0.1))

    def expected(who: str) -> str:
        place = int(hashlib.md5(f"s1:{who}".encode()).hexdigest()[:8], 16) / 16**8
        return "train" if place < 0.7 else "val" if place < 0.9 else "test"

    for parts in (1, 7):
        found = entities(spark, parts).withColumn("split", split_of(split, "who", F.to_date(TIME))).collect()
        assert all(row["split"] == expected(row["who"]) for row in found)
    assert {expected(f"c{number}") for number in range(2_000)} == {"train", "val", "test"}


def test_a_split_by_time_tests_on_the_later_days(spark: SparkSession) -> None:
    split = Split(train_until=date(2026, 1, 10), val_until=date(2026, 1, 15))
    found = entities(spark, 2).withColumn("split", split_of(split, "who", F.to_date(TIME))).groupBy("split")
    days = {
        row["split"]: (row["a"].day, row["b"].day)
        for row in found.agg(F.min(TIME).alias("a"), F.max(TIME).alias("b")).collect()
    }
    assert days == {"train": (1, 10), "val": (11, 15), "test": (16, 20)}


def test_split_by_both_shares_no_entity_and_no_later_day(spark: SparkSession) -> None:
    split = Split(train_until=date(2026, 1, 10), val_until=date(2026, 1, 15), seed="s")
    many = entities(spark, 2).crossJoin(spark.range(20)).withColumn(TIME, F.expr(f"{TIME} + make_interval(0,0,0,id)"))
    found = many.withColumn("split", split_of(split, "who", F.to_date(TIME))).where("split IS NOT NULL")
    assert found.groupBy("who").agg(F.countDistinct("split").alias("splits")).where("splits > 1").count() == 0
    assert found.where("split = 'train'").agg(F.max(TIME)).first()[0] == datetime(2026, 1, 10)
    assert found.select("split").distinct().count() == 3


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({}, "neither days nor a seed"),
        ({"train_until": date(2026, 1, 1)}, "go together"),
        ({"train_until": date(2026, 1, 2), "val_until": date(2026, 1, 1)}, "is after val_until"),
        ({"seed": "s", "shares": (0.5, 0.1, 0.1)}, "do not add up to 1"),
    ],
)
def test_a_contradictory_split_is_refused(declared: dict[str, object], said: str) -> None:
    with pytest.raises(ContractDeclarationError, match=said):
        Split(**declared)  # type: ignore[arg-type]
