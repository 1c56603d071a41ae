"""The gate stops a bad day and names failed rules with column, count and examples."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pyspark.sql import SparkSession

from common.contracts.expectations import Rule, Severity
from common.errors import ContractViolationError, SourceMissingError
from common.orchestration import stages, staleness
from common.orchestration.job import run_day
from common.quality import result
from common.quality.gx_check import run_rules
from jobs.validate import VALIDATE
from tests.support.play_lake import PlayLake

DAY = "2026-01-05"


@pytest.fixture
def cleaned(lake: PlayLake) -> PlayLake:
    lake.land(DAY, "transaction_id | category\na | food\nb | toys")
    lake.ingest(DAY)
    lake.clean(DAY)
    return lake


def test_a_good_day_passes_every_gate(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\nb")
    lake.day(DAY)
    for table in ("raw", "processed", "features"):
        counts = lake.validate(DAY, table)["counts"]
        assert counts["passed"] == counts["rules"] > 3
    assert lake.validate(DAY, "features")["outcome"] == "nothing"


def test_two_validations_at_once_agree_and_are_stored_once(lake: PlayLake) -> None:
    """Without the lock that normally excludes the second job."""
    lake.land(DAY, "transaction_id\na\nb")
    lake.day(DAY)
    asked = staleness.with_sources(stages.validation("processed"), lake.plan("validate", DAY, table="processed"))
    runs = [replace(asked, run_id=f"run {number}") for number in (1, 2)]
    with ThreadPoolExecutor(2) as machines:
        first, second = [each.result() for each in [machines.submit(VALIDATE.main, run) for run in runs]]
    assert first.counts == second.counts
    assert first.counts["passed"] == first.counts["rules"]
    columns = [row["column"] for row in lake.rows("profiles") if row["table"] == "processed"]
    assert sorted(columns) == sorted(set(columns))


def test_too_many_quarantined_records_stop_the_day(cleaned: PlayLake) -> None:
    with pytest.raises(
        ContractViolationError, match=r"RefusedShareToBeAtMost\(0.05\) failed: 1 of 2 rows, observed 0.5, limit 0.05"
    ) as stopped:
        cleaned.validate(DAY)
    assert stopped.value.exit_code == 3
    (failure,) = stopped.value.failures
    assert (failure["failed"], failure["checked"]) == (1, 2)
    assert failure["examples"] == ["category:not_one_of_the_values in 1"], "why they were refused"


def test_quarantine_as_a_warning_lets_the_day_go_on(cleaned: PlayLake) -> None:
    run = cleaned.plan("validate", DAY, table="processed")
    contract = replace(run.contract, refused_severity=Severity.WARN)
    line = run_day(VALIDATE, replace(run, dataset=replace(run.dataset, contract=contract)))
    assert line["counts"]["warnings"] == 1
    assert line["warnings"][0]["observed"] == 0.5


def test_a_failed_rule_names_its_column_count_and_examples(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 5), ("b", 900), ("b", 901)], "id string, age int")
    rules = [
        Rule("ExpectColumnValuesToBeUnique", {"column": "id"}),
        Rule("ExpectColumnValuesToBeBetween", {"column": "age", "max_value": 120}, Severity.WARN),
        Rule("ExpectTableRowCountToBeBetween", {"min_value": 5}),
        Rule("ExpectColumnValuesToNotBeNull", {"column": "age"}),
    ]
    unique, between, count, present = run_rules(rows, rules, "ages")
    assert (unique.success, unique.failed, unique.examples) == (False, 2, ["b"])
    assert (
        between.words == "ExpectColumnValuesToBeBetween(max_value=120) on age failed: 2 of 3 rows, limit 120, "
        "for example 900, 901"
    )
    assert between.severity == "warn"
    assert (count.success, count.observed) == (False, 3)
    assert present.success


def test_a_check_that_could_not_run_differs_from_bad_data(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a",)], "id string")
    (gone,) = run_rules(rows, [Rule("ExpectColumnValuesToNotBeNull", {"column": "age"})], "gone")
    assert not gone.success
    assert "could not be checked" in gone.words
    assert "age" in gone.problem


def test_a_key_of_two_columns_says_how_many_rows_it_holds_for(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 1), ("a", 2)], "id string, number int")
    (found,) = run_rules(rows, [Rule("ExpectCompoundColumnsToBeUnique", {"column_list": ["id", "number"]})], "pairs")
    assert (found.success, found.checked) == (True, 2)


@pytest.mark.parametrize(("weights", "holds"), [([0.5, 0.5], True), ([0.9, 0.1], False)])
def test_a_rule_that_computes_with_scipy(spark: SparkSession, weights: list[float], holds: bool) -> None:
    """Which is imported for it alone."""
    rows = spark.createDataFrame([("x",), ("y",)], "kind string")
    shares = {"column": "kind", "partition_object": {"values": ["x", "y"], "weights": weights}, "threshold": 0.1}
    (found,) = run_rules(rows, [Rule("ExpectColumnKLDivergenceToBeLessThan", shares)], "kinds")
    assert (found.success, found.problem) == (holds, "")


def test_never_more_than_five_examples(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(n,) for n in range(100)], "age int")
    (found,) = run_rules(rows, [Rule("ExpectColumnValuesToBeBetween", {"column": "age", "max_value": -1})], "ages")
    assert len(found.examples) == result.EXAMPLES
    assert found.failed == 100


@pytest.mark.parametrize("table", ["raw", "processed", "features"])
def test_a_day_that_was_never_made_is_not_validated(lake: PlayLake, table: str) -> None:
    with pytest.raises(SourceMissingError):
        lake.validate(DAY, table)
