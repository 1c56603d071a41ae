"""Sensitive values appear in no message, stored result or profile."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from common.contracts.aggregates import Last
from common.contracts.contract import Feature
from common.contracts.expectations import Reference, Rule, Severity
from common.errors import ContractViolationError
from common.quality import profiles
from common.quality.masking import MASK
from common.reports import gx_docs
from tests.support.play_lake import PlayLake

DAY = "2026-01-05"
SECRET = "7770017"
COLUMN = {"column": "user_id"}


def warns(expectation: str, table: str = "processed", **arguments: object) -> Rule:
    return Rule(expectation, arguments, Severity.WARN, table)


RULES = (
    warns("ExpectCompoundColumnsToBeUnique", column_list=["user_id", "category"]),
    warns("ExpectColumnPairValuesToBeEqual", column_A="age", column_B="user_id"),
    warns("ExpectColumnValuesToBeUnique", **COLUMN),
    warns("ExpectColumnMaxToBeBetween", **COLUMN, max_value=1),
    warns("ExpectColumnMinToBeBetween", **COLUMN, max_value=1),
    warns("ExpectColumnMostCommonValueToBeInSet", **COLUMN, value_set=[1]),
    warns("ExpectColumnDistinctValuesToBeInSet", **COLUMN, value_set=[1]),
    warns("ExpectColumnDistinctValuesToEqualSet", **COLUMN, value_set=[1]),
    warns("UnexpectedRowsExpectation", unexpected_rows_query="SELECT * FROM {batch} WHERE user_id > 5"),
    warns("ExpectColumnMaxToBeBetween", "features", column="buyer", max_value=1),
)


def told(lake: PlayLake) -> str:
    """The text of all stored results and profiles."""
    kept = [lake.root / "lake" / name for name in ("gx", "results", "runs")]
    files = [path.read_text(errors="replace") for folder in kept for path in folder.rglob("*") if path.is_file()]
    return "\n".join([*files, str(lake.rows("profiles"))])


@pytest.fixture(scope="module")
def sold_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("people"))
    lake.land(DAY, f"transaction_id | user_id\na | {SECRET}\nb | {SECRET}")
    contract = lake.contract
    features = replace(contract.features, entity="age", columns=(Feature("buyer", Last(30, "user_id")),))
    reference = Reference(column="user_id", dataset="transactions", key="age", severity=Severity.WARN)
    columns = lake.columns("user_id", sensitive=True)
    changes = {"columns": columns, "features": features, "rules": RULES, "references": (reference,)}
    lake = lake.with_contract(**changes, null_entity="drop")
    lake.day(DAY)
    return lake


@pytest.fixture
def people(sold_once: PlayLake, tmp_path: Path) -> PlayLake:
    """A day of purchases whose user is secret, and which break every rule."""
    return sold_once.copied(tmp_path)


def test_no_rule_shows_a_sensitive_value(people: PlayLake, caplog: pytest.LogCaptureFixture) -> None:
    lines = [people.validate(DAY, table) for table in ("raw", "processed", "features")]
    failed = [each for line in lines for each in line.get("warnings", [])]
    assert len(failed) == len(RULES) + 1, "each rule fails, and so does the reference"
    assert not any(each.get("problem") for each in failed)
    gx_docs.build_docs(people.root / "lake")
    assert SECRET not in str(lines)
    assert SECRET not in told(people)
    assert SECRET not in caplog.text


def test_counts_of_sensitive_values_are_still_shown(people: PlayLake) -> None:
    found = {each["expectation"]: each for each in people.validate(DAY)["warnings"]}
    unique = found["ExpectColumnValuesToBeUnique()"]
    assert (unique["failed"], unique["checked"], unique["examples"]) == (2, 2, [MASK])
    assert found["ExpectColumnMaxToBeBetween(max_value=1)"]["observed"] == MASK


def test_an_error_keeps_its_name_and_loses_its_words(people: PlayLake) -> None:
    """Spark's error message quotes the value."""
    query = f"SELECT CAST('{SECRET}x' AS INT) FROM {{batch}}"
    rule = warns("UnexpectedRowsExpectation", unexpected_rows_query=query)
    with pytest.raises(ContractViolationError) as stopped:
        people.with_contract(**{**people.contract_changes, "rules": (rule,)}).validate(DAY)
    (failure,) = [each for each in stopped.value.failures if each.get("problem")]
    assert "CAST_INVALID_INPUT" in str(failure["problem"])
    assert SECRET not in str(failure["problem"])


def test_a_renamed_sensitive_feature_is_profiled_without_values(people: PlayLake) -> None:
    people.validate(DAY, "features")
    run = people.plan("validate", DAY, table="features")
    (found,) = [each for each in profiles.known(run, "features", [date.fromisoformat(DAY)]) if each.column == "buyer"]
    assert (found.rows, found.nulls, found.distinct) == (1, 0, 1)
    assert (found.smallest, found.largest, found.mean, found.quantiles, found.top) == (None, None, None, None, None)
