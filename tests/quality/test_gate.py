"""Gate checks beyond a day's own rows: profiles, freshness, volume, references, drift and stored results."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from common.contracts.contract import Column, Contract
from common.contracts.expectations import Drift, Reference, Rule, Severity, Volume
from common.contracts.layout import processed
from common.errors import ContractViolationError
from common.orchestration.job import Line, run_day
from common.quality import gx, gx_check, masking, profiles
from common.reports import gx_docs
from jobs.validate import VALIDATE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
NEXT = "2026-01-06"


def validate(lake: PlayLake, ds: str, table: str = "processed", **changed: Any) -> Line:
    """Validates under a changed contract."""
    run = lake.plan("validate", ds, table=table, code=str(changed))
    contract = replace(run.contract, **changed)
    return run_day(VALIDATE, replace(run, dataset=replace(run.dataset, contract=contract)))


def warned(line: Line) -> dict[str, Any]:
    return {f"{each['expectation']} {each.get('column', '')}".strip(): each for each in line.get("warnings", [])}


def day(lake: PlayLake, ds: str, text: str) -> None:
    lake.land(ds, text)
    lake.ingest(ds)
    lake.clean(ds)


def test_a_profile_equals_pandas_on_the_same_rows(lake: PlayLake) -> None:
    rows = "\n".join(
        f"t{n} | {n % 3} | {n + 1}.50 | {'food' if n % 4 else 'home'} | {n if n % 5 else ''}" for n in range(40)
    )
    day(lake, DAY, f"transaction_id | user_id | purchase_amount | category | age\n{rows}".replace(" | \n", " | -\n"))
    run = lake.plan("validate", DAY, table="processed")
    lake.validate(DAY)
    found = {each.column: each for each in profiles.known(run, "processed", [date.fromisoformat(DAY)])}
    stored = pd.DataFrame(lake.rows("processed"))
    amount, values = found["purchase_amount"], stored["purchase_amount"].astype(float)
    assert (amount.rows, amount.nulls) == (40, 0)
    assert amount.distinct == pytest.approx(40, rel=0.1)
    assert amount.distinct <= 40
    assert {name: found[name].distinct for name in ("transaction_id", "category", "payment_method")} == {
        "transaction_id": 40,
        "category": 2,
        "payment_method": 1,
    }
    assert (amount.mean, amount.deviation) == pytest.approx((values.mean(), values.std(ddof=0)))
    assert (amount.smallest, amount.largest) == ("1.50", "40.50")
    assert amount.quantiles is not None
    assert [amount.quantiles[step] for step in (0, 50, 100)] == [1.5, 20.5, 40.5]
    assert found["category"].counts == stored["category"].value_counts().to_dict()
    assert found["age"].nulls == stored["age"].isna().sum() > 0
    assert found["transaction_id"].top is None, "keys are not written down"


def test_validating_again_writes_no_profile_anew(one_made: PlayLake) -> None:
    one_made.validate(DAY)
    before = one_made.state()["profiles/transactions"]
    validate(one_made, DAY, description="other words")
    assert one_made.state()["profiles/transactions"] == before


def test_freshness_is_from_the_newest_event_to_the_days_end(one_made: PlayLake) -> None:
    lake = one_made
    assert lake.validate(DAY)["counts"]["warnings"] == 0
    day(lake, NEXT, f"transaction_id | timestamp\nb | {DAY}T10:00:00Z")
    with pytest.raises(
        ContractViolationError, match=r"AgeInHoursToBeAtMost\(24\) on timestamp failed, observed 38.0, limit 24"
    ):
        lake.validate(NEXT)


@pytest.mark.parametrize(
    "hidden", ["key", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sensitive", "entity"))]
)
def test_a_sensitive_event_time_is_still_checked_for_freshness(lake: PlayLake, hidden: str) -> None:
    day(lake, NEXT, f"transaction_id | timestamp\nb | {DAY}T10:00:00Z")
    contract: Contract = lake.plan("validate", NEXT).contract
    columns = tuple(replace(each, sensitive=each.name == "timestamp") for each in contract.columns)
    changed: dict[str, Any] = {
        "key": {"key": ("transaction_id", "timestamp")},
        "sensitive": {"columns": columns},
        "entity": {"features": replace(contract.features, entity="timestamp")},
    }[hidden]
    with pytest.raises(ContractViolationError, match=r"AgeInHoursToBeAtMost\(24\) on timestamp failed, observed 38.0"):
        validate(lake, NEXT, **changed)
    kept = profiles.known(lake.plan("validate", NEXT), "processed", [date.fromisoformat(NEXT)])
    assert [(each.smallest, each.largest) for each in kept if each.column == "timestamp"] == [(None, None)]


def test_a_snapshot_equal_to_yesterdays_is_as_old_as_that_one(lake: PlayLake) -> None:
    churn = PlayLake(lake.root, "churn")
    header = "customer_id,gender,senior_citizen,partner,dependents,tenure_days,monthly_charges,total_charges,payment_method,churn"
    for ds in (DAY, NEXT):
        churn.land_bytes(ds, f"{header}\nc1,Male,0,Yes,No,59,20.50,41,card,No\n".encode())
        churn.ingest(ds)
        churn.clean(ds)
    assert churn.validate(DAY)["outcome"] == "done"
    with pytest.raises(ContractViolationError, match=r"AgeInHoursToBeAtMost\(24\) failed, observed 48.0"):
        churn.validate(NEXT)


def test_half_the_usual_volume_warns_and_may_stop_the_run(lake: PlayLake) -> None:
    mondays = [date.fromisoformat(DAY) + timedelta(days=7 * week) for week in range(4)]
    for number, ds in enumerate(map(str, mondays)):
        count = 10 if number < 3 else 5
        lake.land(ds, "transaction_id\n" + "\n".join(f"{ds}-{n}" for n in range(count)))
        lake.ingest(ds)
    assert warned(lake.validate(str(mondays[2]), "raw")) == {}
    found = warned(lake.validate(str(mondays[3]), "raw"))["RowsToBeAsUsual(weeks=4, share=0.3)"]
    assert (found["observed"], found["limit"]) == (5, [7, 13])
    with pytest.raises(ContractViolationError, match="RowsToBeAsUsual"):
        validate(lake, str(mondays[3]), "raw", volume=Volume(severity=Severity.ERROR))


def test_a_value_must_exist_where_the_contract_says(lake: PlayLake) -> None:
    day(lake, NEXT, f"transaction_id | user_id | timestamp\nc | 1 | {NEXT}T10:00:00Z\nd | 9 | {NEXT}T10:00:00Z")
    rule = Reference(column="user_id", dataset="transactions", key="user_id", severity=Severity.WARN)
    assert warned(validate(lake, NEXT, references=(rule,))) == {}
    lonely = Reference(column="user_id", dataset="transactions", key="age", severity=Severity.WARN)
    found = warned(validate(lake, NEXT, references=(lonely,)))["ValuesToExistIn(transactions.age) user_id"]
    assert (found["failed"], found["checked"], found["examples"]) == (2, 2, ["1", "9"])


def test_a_reference_uses_the_values_known_on_the_day(lake: PlayLake) -> None:
    """A later correction in the referenced table does not affect an older day."""
    rule = Reference(column="user_id", dataset="transactions", key="age")
    referring = lake.with_contract(references=(rule,))
    day(lake, DAY, "transaction_id | user_id | age\na | 7 | 7")
    assert referring.validate(DAY)["outcome"] == "done"
    day(lake, NEXT, f"transaction_id | user_id | age | timestamp\na | 8 | 8 | {DAY}T11:00:00Z")
    assert referring.run(VALIDATE, DAY, table="processed", full_refresh=True)["outcome"] == "done"


@pytest.fixture(scope="module")
def first_day(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("first"))
    day(lake, DAY, purchases(10).replace("DS", DAY))
    lake.validate(DAY)
    return lake


def drifting(first_day: PlayLake, to: Path, text: str, **declared: Any) -> dict[str, Any]:
    """Lands a second day and validates it against the first one."""
    lake = first_day.copied(to)
    day(lake, NEXT, text.replace("DS", NEXT))
    return warned(validate(lake, NEXT, drift=Drift(days=1, **declared)))


def purchases(amount: int, category: str = "food", age: str = "30", count: int = 60) -> str:
    rows = [
        f"DS-{n} | {amount + n}.00 | {category if n % 2 else 'home'} | {age if n % 10 else 30}" for n in range(count)
    ]
    return "\n".join(["transaction_id | purchase_amount | category | age", *rows])


def test_unchanged_values_do_not_drift(first_day: PlayLake, tmp_path: Path) -> None:
    assert drifting(first_day, tmp_path, purchases(11)) == {}


def test_drift_is_reported_by_column_with_its_distances(first_day: PlayLake, tmp_path: Path) -> None:
    found = drifting(first_day, tmp_path, purchases(500, "sports", "-"), ks=0.3, js=0.3)
    assert {
        "KsToBeAtMost(0.3) purchase_amount",
        "JsToBeAtMost(0.3) category",
        "PsiToBeAtMost(0.25) purchase_amount",
        "PsiToBeAtMost(0.25) category",
        "NewValuesToBeAtMost(0) category",
        "CommonValuesToStay category",
        "NullShareToChangeByAtMost(0.1) age",
    } <= found.keys()
    assert found["NewValuesToBeAtMost(0) category"]["examples"] == ["sports"]
    assert found["CommonValuesToStay category"]["examples"] == ["food"]
    assert found["KsToBeAtMost(0.3) purchase_amount"]["observed"] == 1


def test_a_changed_relation_of_feature_and_label_is_drift(lake: PlayLake) -> None:
    churn = PlayLake(lake.root, "churn")
    header = "customer_id,gender,senior_citizen,partner,dependents,tenure_days,monthly_charges,total_charges,payment_method,churn"
    for number, turned in enumerate((False, True)):
        ds = str(date.fromisoformat(DAY) + timedelta(days=number))
        rows = [
            f"c{n},Male,0,{'Yes' if n % 2 else 'No'},No,{100 + n},{20 + n},{900 + n},card,"
            f"{'Yes' if (n % 2 == 0) != turned else 'No'}"
            for n in range(80)
        ]
        churn.land_bytes(ds, "\n".join([header, *rows, ""]).encode())
        for job in (churn.ingest, churn.clean, churn.features):
            job(ds)
        line = validate(churn, ds, "features", drift=Drift(days=1))
    told = {each["column"] for each in line["warnings"] if each["kind"] == "concept"}
    assert told == {"partner"}
    assert "PsiToBeAtMost(0.25) partner" not in warned(line), "the feature itself is as it was"


def test_examples_of_sensitive_columns_are_masked_everywhere(spark: SparkSession, lake: PlayLake) -> None:
    rows = spark.createDataFrame([("secret-1", 5), ("secret-1", 6)], "id string, n int")
    rules = [Rule("ExpectColumnValuesToBeUnique", {"column": "id"})]
    (found,) = gx_check.run_rules(rows, rules, "people", str(lake.root / "lake"), frozenset({"id"}))
    assert (found.failed, found.examples) == (2, [masking.MASK])
    kept = [path.read_text() for path in (lake.root / "lake" / "gx").rglob("*.json")]
    assert kept
    assert not any("secret-1" in text for text in kept)


def test_great_expectations_keeps_suites_results_and_pages(one_made: PlayLake) -> None:
    lake = one_made
    lake.validate(DAY)
    context = gx.file_context(lake.root / "lake")
    assert [each.name for each in context.checkpoints.all()] == ["transactions.processed"]
    (kept,) = (lake.root / "lake/gx/uncommitted/validations").rglob("*-transactions.processed.json")
    results = json.loads(kept.read_text())["results"]
    amount = next(each for each in results if "above" in str(each) or "strict_min" in str(each))
    assert amount["result"]["element_count"] == 1, "counts are kept for what holds, too"
    page = gx_docs.build_docs(lake.root / "lake")
    assert "transactions.processed" in page.read_text()


def test_daily_validation_leaves_the_stored_suite_unchanged(one_made: PlayLake) -> None:
    lake = one_made
    rules = lake.validate(DAY, "raw")["counts"]["rules"]
    suite = lake.root / "lake/gx/expectations/transactions/raw.json"
    stored = suite.read_text()
    assert 0 < len(json.loads(stored)["expectations"]) <= rules
    lake.run(VALIDATE, DAY, table="raw", full_refresh=True)
    assert suite.read_text() == stored


def test_the_same_rules_ask_spark_the_same_query(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session then compiles it once; Great Expectations' own order of metrics differs between runs."""
    rows, asked = spark.createDataFrame([(1, "x", 2.0)], "a int, b string, c double"), []
    plain = type(rows).agg

    def agg(rows: DataFrame, *columns: Any) -> DataFrame:
        asked.append(", ".join(str(column) for column in columns))
        return plain(rows, *columns)

    rules = [Rule("ExpectColumnValuesToNotBeNull", {"column": name}) for name in rows.columns]
    rules += [Rule("ExpectColumnMaxToBeBetween", {"column": name, "max_value": 9}) for name in ("a", "c")]
    monkeypatch.setattr(type(rows), "agg", agg)
    for _ in range(3):
        gx_check.run_rules(rows, rules, "same")
    assert len(asked) > 2 and len(set(asked)) == len(asked) / 3, asked


def test_the_gate_decides_even_if_no_result_can_be_stored(one_made: PlayLake, caplog: pytest.LogCaptureFixture) -> None:
    lake = one_made
    for name in ("gx", "results"):
        (lake.root / "lake" / name).write_text("a file where the folder should be")
    assert lake.validate(DAY)["counts"]["rules"] > 5
    assert "results of transactions.processed are not kept" in caplog.text
    assert "the results could not be kept" in caplog.text


def test_a_changed_contract_is_checked_again_with_its_new_rules(one_made: PlayLake) -> None:
    lake = one_made
    before = lake.validate(DAY)["counts"]["rules"]
    rule = Rule("ExpectColumnMaxToBeBetween", {"column": "purchase_amount", "max_value": 5}, Severity.WARN)
    line = validate(lake, DAY, rules=(rule,))
    assert line["counts"]["rules"] == before + 1
    assert warned(line)["ExpectColumnMaxToBeBetween(max_value=5) purchase_amount"]["observed"] == 10.0


@pytest.mark.parametrize(
    "values",
    [["1.0"], ["NULL", "NULL"], ["7.0", "7.0"], ["double('Infinity')", "1.0"], ["double('NaN')", "2.0"]],
    ids=["one row", "all nulls", "one distinct value", "infinite", "not a number"],
)
def test_odd_days_have_profiles_too(lake: PlayLake, spark: SparkSession, values: list[str]) -> None:
    run = lake.plan("validate", DAY, table="processed")
    contract: Contract = run.contract
    columns = [f"CAST(NULL AS {type_}) AS `{name}`" for name, type_ in processed(contract).columns if name != "age"]
    rows = spark.sql(
        " UNION ALL ".join(f"SELECT {', '.join(columns)}, CAST({each} AS double) AS age" for each in values)
    )
    found = {each.column: each for each in profiles.measure(rows, run, "processed")}
    assert found["age"].rows == len(values)
    profiles.keep(run, "processed", list(found.values()))
    assert len(profiles.known(run, "processed", [run.ds])) == len(found)


def test_booleans_are_counted_like_any_value(lake: PlayLake, spark: SparkSession) -> None:
    run = lake.plan("validate", DAY, table="processed")
    contract = replace(run.contract, derived=(Column(name="adult", type="boolean", description=""),))
    columns = [f"CAST(NULL AS {type_}) AS `{name}`" for name, type_ in processed(run.contract).columns]
    values = ("true", "true", "NULL")
    rows = spark.sql(" UNION ALL ".join(f"SELECT {', '.join(columns)}, {each} AS adult" for each in values))
    changed = replace(run, dataset=replace(run.dataset, contract=contract))
    found = {each.column: each for each in profiles.measure(rows, changed, "processed")}
    assert (found["adult"].nulls, found["adult"].counts) == (1, {"true": 2, "false": 0})


def test_quarantine_names_the_run_and_a_rerun_changes_nothing(lake: PlayLake) -> None:
    day(lake, DAY, "transaction_id | category\na | toys")
    (row,) = lake.rows("quarantine")
    assert row["run_id"].startswith(f"run of clean {DAY}")
    before = lake.state()
    lake.clean(DAY, full_refresh=True)
    assert lake.state() == before
    assert_rows([row], "reasons | job\n['category:not_one_of_the_values'] | clean")
