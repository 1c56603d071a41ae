"""The gate on unusual but valid days, and the cost of a validation in Spark jobs."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from common.contracts.expectations import Drift, Rule, Severity
from common.contracts.layout import STAGES
from common.errors import ContractViolationError
from common.lake import spark_tables
from common.quality import gx
from common.quality.gx_check import run_rules
from tests.support.openings import Openings
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
NO_WARNINGS: dict[str, list[str]] = {"raw": [], "processed": [], "features": []}
HEADER = b"transaction_id,user_id,age,purchase_amount,timestamp,category,payment_method\n"


def through(lake: PlayLake, ds: str) -> dict[str, list[str]]:
    """The warnings of each table's gate."""
    return {table: [each["expectation"] for each in lake.validate(ds, table).get("warnings", [])] for table in STAGES}


@pytest.fixture(scope="module")
def then_empty(openings: Openings, tmp_path_factory: pytest.TempPathFactory) -> PlayLake:
    """A day of one purchase, and one without."""
    lake = openings.one_made.copied(tmp_path_factory.mktemp("then-empty"))
    lake.land_bytes(NEXT, HEADER)
    lake.day(NEXT)
    return lake


def test_an_empty_day_is_reported_and_no_other_rule_fails(then_empty: PlayLake) -> None:
    watched = then_empty.with_contract(drift=Drift(days=1))
    assert through(watched, DAY) == NO_WARNINGS, "a day of one row"
    empty = ["ExpectTableRowCountToBeBetween(min_value=1)"]
    assert through(watched, NEXT) == {"raw": empty, "processed": empty, "features": []}


@pytest.mark.parametrize("table", ["raw", "processed"])
def test_a_contract_may_stop_at_a_day_without_rows(then_empty: PlayLake, table: str) -> None:
    with pytest.raises(ContractViolationError, match=r"RowCountToBeBetween\(min_value=1\) failed, observed 0, limit 1"):
        then_empty.with_contract(empty_severity=Severity.ERROR).validate(NEXT, table)


@pytest.fixture(scope="module")
def ageless(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """Nobody's age is known."""
    lake = PlayLake(tmp_path_factory.mktemp("ageless"))
    lake.land(DAY, "transaction_id | age\na | -\nb | -")
    lake.day(DAY)
    return lake


def test_a_column_of_nulls_breaks_no_value_rule(ageless: PlayLake) -> None:
    assert through(ageless, DAY) == NO_WARNINGS


def test_a_rule_on_the_maximum_fails_without_values(ageless: PlayLake) -> None:
    oldest = Rule("ExpectColumnMaxToBeBetween", {"column": "age", "max_value": 120}, Severity.WARN)
    (warning,) = ageless.with_contract(rules=(oldest,)).validate(DAY)["warnings"]
    assert warning["expectation"] == "ExpectColumnMaxToBeBetween(max_value=120)"


@pytest.fixture(scope="module")
def fractional(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """Ages are no whole numbers, and have no bounds."""
    lake = PlayLake(tmp_path_factory.mktemp("fractional"))
    lake = lake.with_contract(columns=lake.columns("age", type="double", minimum=None, maximum=None))
    lake.land(DAY, "transaction_id\na\nb")
    lake.day(DAY)
    return lake


@pytest.mark.parametrize("value", [math.inf, pytest.param(-math.inf, marks=pytest.mark.slow), math.nan], ids=str)
def test_infinite_and_nan_values_are_checked_like_others(
    fractional: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    """Casting never yields such a number, but a transform or another writer may."""
    lake = fractional.copied(tmp_path)
    monkeypatch.setattr(spark_tables, "read_partitions", endless(spark_tables.read_partitions, value))
    assert through(lake, DAY) == NO_WARNINGS
    bounded = lake.with_contract(columns=PlayLake(tmp_path).columns("age", type="double"))
    with pytest.raises(ContractViolationError, match=f"on age failed: 2 of 2 rows, .* for example {value}"):
        bounded.validate(DAY)


def endless(read: Callable[..., DataFrame], value: float) -> Callable[..., DataFrame]:
    def reading(*asked: Any) -> DataFrame:
        rows = read(*asked)
        is_double = dict(rows.dtypes).get("age") == "double"
        return rows.withColumn("age", F.lit(value)) if is_double else rows

    return reading


MANY = [
    Rule("ExpectTableRowCountToBeBetween", {"min_value": 1}),
    *[Rule("ExpectColumnValuesToNotBeNull", {"column": name}) for name in ("id", "age", "kind")],
    Rule("ExpectColumnValuesToBeBetween", {"column": "age", "max_value": 120}),
    Rule("ExpectColumnValuesToBeInSet", {"column": "kind", "value_set": ["x", "y"]}),
    Rule("ExpectColumnValuesToMatchRegex", {"column": "kind", "regex": "^[xy]$"}),
    Rule("ExpectColumnMaxToBeBetween", {"column": "age", "max_value": 120}),
    Rule("ExpectColumnMeanToBeBetween", {"column": "age", "max_value": 120}),
]


def jobs_of(spark: SparkSession, name: str, rules: list[Rule]) -> int:
    rows = spark_tables.materialize(
        spark.createDataFrame([("a", 5, "x"), ("b", 6, "y")], "id string, age int, kind string")
    )[0]
    spark.sparkContext.setJobGroup(name, name)
    try:
        assert all(each.success for each in run_rules(rows, rules, name))
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)  # type: ignore[arg-type]
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(name))


def test_many_rules_cost_one_pass_and_a_unique_column_one_more(spark: SparkSession) -> None:
    one = jobs_of(spark, "one", [MANY[1]])
    assert jobs_of(spark, "many", MANY) == one
    assert jobs_of(spark, "unique", [*MANY, Rule("ExpectColumnValuesToBeUnique", {"column": "id"})]) == one + 1


def test_great_expectations_alone_needs_more_than_one_pass(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = jobs_of(spark, "together", MANY)
    monkeypatch.setattr(gx, "counted_once", lambda engine, number: nullcontext())
    assert jobs_of(spark, "one after the other", MANY) > together
