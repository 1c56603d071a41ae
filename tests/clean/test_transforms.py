"""What a dataset's own functions return is what its contract declares, or nothing is written."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.clean import transforms
from common.clean.transforms import TransformError
from common.contracts import layout
from common.contracts.contract import Column
from common.contracts.datasets import Dataset
from common.errors import ColumnMismatchError
from common.lake import spark_tables
from common.orchestration.job import run_day
from common.runtime.run import Run
from common.runtime.session_kind import is_remote
from jobs.clean import CLEAN
from jobs.ingest import INGEST
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
Transform = Callable[[DataFrame], Any]


@dataclass(frozen=True)
class Written(Dataset):
    """Purchases with other functions."""

    derived: Transform = lambda rows: rows
    measured: Transform = lambda rows: rows.withColumn("weekend", F.weekday("event_date") >= 5)

    @property
    def derive(self) -> Transform:
        return self.derived

    @property
    def measure(self) -> Transform:
        return self.measured


def written(lake: PlayLake, job: str = "ingest", type_: str = "long", **functions: Transform) -> Run:
    run = lake.with_contract(derived=(Column(name="cents", type=type_, description=""),)).plan(job, DAY)
    return replace(run, dataset=Written(run.contract, run.dataset.package, **functions))


def cents(rows: DataFrame) -> DataFrame:
    return rows.withColumn("cents", (F.col("purchase_amount") * 100).cast("long"))


def test_declared_columns_and_helpers_of_their_own_are_accepted(lake: PlayLake) -> None:
    transforms.require_declared(written(lake, derived=lambda rows: cents(rows).withColumn("helper", F.lit(1))))


def test_the_days_of_a_range_are_checked_once(lake: PlayLake) -> None:
    calls = []

    def counted(rows: DataFrame) -> DataFrame:
        calls.append(rows)
        return cents(rows)

    first = written(lake, derived=counted)
    for run in (first, replace(first, ds=date(2026, 1, 6)), written(lake, derived=counted)):
        transforms.require_declared(run)
    assert len(calls) == 2, "once for the range, and once for another dataset"


@pytest.mark.parametrize(
    ("functions", "both_sides"),
    [
        ({"derived": lambda rows: rows.withColumn("cents", F.col("amont"))}, "derive of transactions fails: .*`amont`"),
        ({}, "cents is declared as long, but it is missing"),
        ({"derived": lambda rows: cents(rows).withColumnRenamed("cents", "Cents")}, "cents .*missing.*'Cents'"),
        ({"derived": lambda rows: rows.withColumn("cents", F.lit(1.5))}, "cents is declared as long, but it is double"),
        ({"derived": lambda rows: cents(rows).drop("category")}, "category is declared as string, but it is missing"),
        ({"derived": lambda rows: rows.select("*", F.lit(1).alias("cents"), F.lit(2).alias("cents"))}, "int and int"),
        (
            {"derived": lambda rows: None},
            "transforms.py: derive of transactions returns builtins's NoneType; .*return",
        ),
        ({"derived": lambda rows: cents(rows).toPandas()}, "returns pandas's DataFrame; expected Spark's DataFrame"),
        ({"derived": cents, "measured": lambda rows: rows}, "measure.* weekend is declared as boolean.*missing"),
        (
            {"derived": cents, "measured": lambda rows: rows.withColumn("weekend", F.lit(1))},
            "weekend is declared as boolean, but it is int",
        ),
    ],
    ids=[
        "misspelled",
        "none",
        "renamed",
        "another type",
        "one lost",
        "twice",
        "no rows",
        "rows of pandas",
        "no measure",
        "a measure's type",
    ],
)
def test_other_columns_than_declared_exit_with_2(
    lake: PlayLake, functions: dict[str, Transform], both_sides: str
) -> None:
    lake.land(DAY, "transaction_id\na")
    with pytest.raises(TransformError, match=both_sides) as refused:
        run_day(INGEST, written(lake, **functions))
    assert refused.value.exit_code == 2
    assert lake.state() == {}


def test_a_fault_in_a_transform_is_named_with_its_line(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    def derive(rows: DataFrame) -> DataFrame:
        return rows.withColumn("cents", F.col("amont"))

    run = written(lake, derived=derive)
    monkeypatch.setattr(Written, "transforms_file", Path(__file__))
    line = derive.__code__.co_firstlineno + 1
    place = (
        "test_transforms.py" if is_remote() else f"test_transforms.py:{line}"
    )  # a server does not look before it is asked
    with pytest.raises(TransformError, match=rf"{place}: derive of transactions fails"):
        transforms.derive(run, spark_tables.empty_rows(run.spark, layout.processed(lake.contract)))


def test_clean_writes_no_row_that_lacks_a_derived_column(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    lake.ingest(DAY)
    before = lake.state()
    with pytest.raises(TransformError, match="cents is declared as long"):
        run_day(CLEAN, written(lake, "clean"))
    assert lake.state() == before


def test_rows_end_with_the_columns_of_their_table_or_not_at_all(lake: PlayLake, spark: SparkSession) -> None:
    table = layout.partials(lake.contract)
    rows = spark_tables.empty_rows(spark, table)
    assert spark_tables.conform(rows, table).columns == table.names
    with pytest.raises(ColumnMismatchError, match="events is declared as long, but it is missing"):
        spark_tables.conform(rows.drop("events"), table)
    with pytest.raises(ColumnMismatchError, match="events is declared as long, but it is int"):
        spark_tables.conform(rows.withColumn("events", F.lit(1)), table)


def test_a_first_day_that_fails_does_not_bind_the_contract(lake: PlayLake) -> None:
    def too_large(rows: DataFrame) -> DataFrame:
        return rows.withColumn("cents", (F.col("purchase_amount") * 1_000_000_000).cast("int"))

    lake.land(DAY, "transaction_id\na")
    run_day(INGEST, written(lake, type_="int", derived=too_large))
    with pytest.raises(Exception, match="CAST_OVERFLOW"):
        run_day(CLEAN, written(lake, "clean", type_="int", derived=too_large))
    assert run_day(CLEAN, written(lake, "clean", derived=cents))["outcome"] == "done"
    assert_rows(lake.rows("processed"), "transaction_id | cents\na | 1000")


def rates(rows: DataFrame) -> DataFrame:
    return rows.sparkSession.read.parquet(os.environ["RATES"])


def from_a_file(rows: DataFrame) -> DataFrame:
    return cents(rows).join(F.broadcast(rates(rows)), "category", "left")


def from_a_subquery(rows: DataFrame) -> DataFrame:
    rates(rows).createOrReplaceTempView("rates")
    return cents(rows).withColumn("rate", F.expr("(SELECT max(rate) FROM rates)"))


def from_memory(rows: DataFrame) -> DataFrame:
    return cents(rows).join(rows.sparkSession.createDataFrame([("food", 2)], "category string, rate int"), "category")


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (
            from_a_file,
            "derive of transactions reads (Relation .category,rate. parquet|parquet /.*). A transform may use only the rows",
        ),
        (from_a_subquery, "derive of transactions reads Relation .category,rate. parquet"),
        (from_memory, "derive of transactions reads (Lo.* .category, rate|local relation).*F.create_map or F.when"),
    ],
)
def test_a_transform_may_not_read_data_of_its_own(
    lake: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Transform, found: str
) -> None:
    pq.write_table(pa.table({"category": ["food"], "rate": [2]}), tmp_path / "rates.parquet")
    monkeypatch.setenv("RATES", str(tmp_path / "rates.parquet"))
    lake.land(DAY, "transaction_id\na")
    with pytest.raises(TransformError, match=found) as refused:
        run_day(INGEST, written(lake, derived=own))
    assert refused.value.exit_code == 2
    assert lake.state() == {}


def test_a_transform_may_use_its_rows_twice(lake: PlayLake) -> None:
    def derived(rows: DataFrame) -> DataFrame:
        largest = rows.groupBy("user_id").agg(F.max("purchase_amount").alias("largest"))
        size = F.create_map(F.lit("food"), F.lit(1), F.lit("home"), F.lit(2))
        days = rows.sparkSession.range(1).crossJoin(rows.sparkSession.sql("SELECT 1 AS one"))
        both = cents(rows).union(cents(rows)).distinct().join(largest, "user_id").crossJoin(days)
        return both.withColumn("size", size[F.col("category")])

    lake.land(DAY, "transaction_id\na\nb")
    lake.ingest(DAY)
    counts = run_day(CLEAN, written(lake, "clean", derived=derived))["counts"]
    assert counts["accepted"] == 2
