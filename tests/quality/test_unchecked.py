"""A rule that could not be checked is reported as such and stops the day."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from common.contracts.expectations import Reference, Rule, Severity
from common.errors import ContractViolationError, SourceMissingError, UsageError
from common.quality.gx_check import run_rules
from tests.support.play_lake import PlayLake

DAY = "2026-01-05"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("made"))
    lake.land(DAY, "transaction_id\na\nb")
    lake.day(DAY)
    return lake


@pytest.fixture
def made(made_once: PlayLake, tmp_path: Path) -> PlayLake:
    return made_once.copied(tmp_path)


def rewritten(lake: PlayLake, path: str, rows: pa.Table) -> None:
    """Overwrites the table, as another program might."""
    by = "event_date" if path.startswith("processed") else "ds"
    write_deltalake(str(lake.root / "lake" / path), rows, mode="overwrite", schema_mode="overwrite", partition_by=by)


def failures(lake: PlayLake, table: str = "processed") -> dict[str, dict[str, Any]]:
    with pytest.raises(ContractViolationError) as stopped:
        lake.validate(DAY, table)
    assert stopped.value.exit_code == 3
    return {f"{each['expectation']} {each.get('column', '')}".strip(): each for each in stopped.value.failures}


@pytest.mark.parametrize(
    ("table", "path"),
    [("raw", "raw/transactions"), ("processed", "processed/transactions"), ("features", "features/transactions/v1")],
)
def test_every_rule_of_a_missing_column_could_not_be_checked(made: PlayLake, table: str, path: str) -> None:
    rewritten(made, path, made.table(path).to_pyarrow_table().drop_columns(["age"]))
    found = failures(made, table)
    assert found["ExpectTableColumnsToMatchSet(exact_match=True)"]["examples"] == ["age is missing"]
    assert found["ExpectTableColumnsToMatchSet(exact_match=True)"]["limit"].startswith("column_set=['")
    unchecked = {name for name, each in found.items() if each.get("problem")}
    assert any(name.endswith(" age") for name in unchecked)
    assert all("age" in found[name]["problem"] for name in unchecked)
    assert ("ColumnsToBeMeasurable()" in unchecked) == (table != "raw")
    assert not any(name.endswith(" user_id") for name in found), "the other columns are as they should be"


def test_a_column_of_another_type_is_reported_with_that_type(made: PlayLake) -> None:
    rows = made.table("processed/transactions").to_pyarrow_table()
    place = rows.schema.get_field_index("purchase_amount")
    rewritten(
        made,
        "processed/transactions",
        rows.set_column(place, "purchase_amount", rows["purchase_amount"].cast("string")),
    )
    found = failures(made)["ExpectColumnValuesToBeOfType(type_=DecimalType) purchase_amount"]
    assert (found["observed"], found["limit"]) == ("StringType", "type_=DecimalType")


def test_without_its_partition_column_a_table_is_not_read(made: PlayLake) -> None:
    rows = made.table("processed/transactions").to_pyarrow_table().drop_columns(["arrived"])
    rewritten(made, "processed/transactions", rows)
    (found,) = failures(made).values()
    assert found["expectation"] == "RowsToBeReadable()"
    assert "arrived" in found["problem"]


def test_a_rule_that_raises_does_not_stop_the_others(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 5), ("b", 900)], "id string, age int")
    rules = [
        Rule("ExpectColumnValuesToNotBeNull", {"column": "id"}),
        Rule("ExpectColumnMaxToBeBetween", {"column": "gone", "max_value": 1}),
        Rule("ExpectColumnValuesToBeBetween", {"column": "age", "max_value": 120}),
        Rule("ExpectColumnValuesToBeUnique", {"column": "gone"}),
        Rule("ExpectColumnValuesToBeUnique", {"column": "id"}),
    ]
    found = run_rules(rows, rules, "ages")
    assert [each.success for each in found] == [True, False, False, False, True]
    assert [bool(each.problem) for each in found] == [False, True, False, True, False]
    assert found[2].examples == ["900"]


def test_an_uncheckable_warning_stops_the_day_like_an_error(made: PlayLake) -> None:
    rule = Rule("ExpectColumnMaxToBeBetween", {"column": "gone", "max_value": 5}, Severity.WARN)
    found = failures(made.with_contract(rules=(rule,)))["ExpectColumnMaxToBeBetween(max_value=5) gone"]
    assert found["severity"] == "warn"
    assert "gone" in found["problem"]


@pytest.mark.parametrize(
    ("dataset", "key", "said"),
    [("nobody", "user_id", "'nobody' is unknown"), ("churn", "user_id", "user_id")],
    ids=["no such dataset", "no such column"],
)
def test_a_reference_to_a_missing_table_could_not_be_checked(made: PlayLake, dataset: str, key: str, said: str) -> None:
    rule = Reference(column="user_id", dataset=dataset, key=key, severity=Severity.WARN)
    found = failures(made.with_contract(references=(rule,)))[f"ValuesToExistIn({dataset}.{key}) user_id"]
    assert said in found["problem"]


def test_the_gate_decides_even_if_no_profile_can_be_stored(made: PlayLake, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(made.root / "lake/profiles")
    (made.root / "lake/profiles").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert made.validate(DAY)["counts"]["warnings"] == 0
    assert "the profiles could not be kept" in caplog.text


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule("ExpectColumnValuesToBeBetwen", {"column": "age"}), "did you mean ExpectColumnValuesToBeBetween?"),
        (
            Rule("ExpectColumnMaxToBeBetween", {"column": "age", "max": 3}),
            r"max extra fields not permitted.* max_value",
        ),
        (Rule("ExpectColumnValuesToBeInSet", {"column": "age"}), "value_set field required"),
    ],
    ids=["no such expectation", "no such argument", "an argument missing"],
)
def test_a_mistyped_rule_is_a_usage_error_not_bad_data(made: PlayLake, rule: Rule, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        made.with_contract(rules=(rule,)).validate(DAY)
    assert refused.value.exit_code == 2
    assert rule.expectation in str(refused.value)


def test_a_failed_day_is_not_read_until_it_changes_or_passes(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id | user_id\na | -\nb | 2")
    strict = lake.with_contract(
        refused_share=0.9, rules=(Rule("ExpectColumnToExist", {"column": "gone"}, table="raw"),)
    )
    lake.ingest(DAY)
    with pytest.raises(ContractViolationError):
        strict.validate(DAY, "raw")
    with pytest.raises(
        ContractViolationError, match=r"raw of transactions .* failed its validation \(ExpectColumnToExist"
    ) as no:
        lake.clean(DAY)
    assert no.value.exit_code == 3
    lake.with_contract(refused_share=0.9).validate(DAY, "raw")
    lake.clean(DAY)
    with pytest.raises(ContractViolationError, match="RefusedShareToBeAtMost"):
        lake.validate(DAY)
    with pytest.raises(ContractViolationError, match="processed of transactions .* failed its validation"):
        lake.features(DAY)
    lake.land(DAY, "transaction_id | user_id\na | 1\nb | 2")
    lake.ingest(DAY)
    lake.clean(DAY)
    assert lake.features(DAY)["counts"]["features"] == 2


def test_a_lost_verdict_is_asked_for_again(made: PlayLake) -> None:
    shutil.rmtree(made.lake_folder / "verdicts")
    with pytest.raises(
        SourceMissingError, match=r"not been validated since .*; run: spark-submit jobs/validate.py .* processed"
    ):
        made.features(DAY, full_refresh=True)
    made.validate(DAY)
    assert made.features(DAY, full_refresh=True)["outcome"] == "nothing"


def test_a_failure_names_its_columns_and_the_allowed_values(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", 5), ("a", 5)], "id string, age int")
    rules = [
        Rule("ExpectCompoundColumnsToBeUnique", {"column_list": ["id", "age"]}),
        Rule("ExpectTableColumnsToMatchSet", {"column_set": ["id", "name"], "exact_match": True}),
        Rule("ExpectColumnValuesToBeInSet", {"column": "id", "value_set": ["b", "c"]}),
        Rule("ExpectColumnMeanToBeBetween", {"column": "age", "min_value": 1, "max_value": 3}),
    ]
    unique, shape, among, mean = [each.words for each in run_rules(rows, rules, "ages")]
    assert unique.startswith("ExpectCompoundColumnsToBeUnique() on id, age failed: 2 of 2 rows, for example {")
    assert "limit column_set=['id', 'name'], exact_match=True" in shape
    assert shape.endswith("for example age is unexpected, name is missing")
    assert "limit value_set=['b', 'c'], for example a" in among
    assert mean.endswith("on age failed, observed 5.0, limit min_value=1, max_value=3")


def test_a_limit_is_a_number_where_the_rule_has_one() -> None:
    rule = Rule("ExpectColumnMaxToBeBetween", {"column": "age", "max_value": 5})
    assert (rule.limit, replace(rule, arguments={"column": "age"}).limit) == (5, None)
