"""OpenLineage events: valid by the specification's schemas, and exact about what a run read, wrote and checked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from common.contracts import datasets, layout
from common.contracts.documents.column_origins import ORIGINS
from common.errors import ContractViolationError
from common.lake.storage.files import write_json
from common.orchestration import interruption, run_log
from common.orchestration.job import run_day
from common.runtime.code_version import code_revision
from common.runtime.run import Outcome, Run
from common.telemetry import report
from common.telemetry.facets import VERSIONS
from common.telemetry.lineage_datasets import named
from common.telemetry.lineage_events import PARENT
from common.telemetry.report import Report
from jobs.compact import COMPACT
from tests.support.told import Told, done, failing, writing

DAY, NEXT = "2026-01-05", "2026-01-06"
SCHEMAS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")}
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)
RESULTS = [
    {"expectation": "ExpectColumnValuesToBeUnique", "column": "transaction_id", "severity": "error", "success": True},
    {
        "expectation": "QuarantinedShareToBeAtMost(0.05)",
        "severity": "error",
        "success": False,
        "failed": 9,
        "checked": 100,
        "observed": 0.09,
        "limit": 0.05,
        "examples": ["s3cret"],
    },
]


def faults(url: str, content: Any) -> list[str]:
    """What breaks the schema that the URL names."""
    validator = Draft202012Validator(
        {"$ref": url}, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{url}: {error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def facets(content: Any) -> Iterator[dict[str, Any]]:
    """Every facet, however deep."""
    if isinstance(content, dict):
        if "_schemaURL" in content:
            yield content
        for value in content.values():
            yield from facets(value)
    elif isinstance(content, list):
        for value in content:
            yield from facets(value)


def require_valid(event: dict[str, Any]) -> None:
    found = [*facets(event)]
    assert found
    problems = [problem for each in found for problem in faults(each["_schemaURL"], each)]
    assert [*faults(event["schemaURL"], event), *problems] == []


def by_name(told: Told, found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Inputs or outputs by their path in the lake."""
    return {each["name"].removeprefix(f"{told.root}/lake/"): each for each in found}


def validated(told: Told, success: bool) -> None:
    """A run of the gate that keeps its results as the gate does."""

    def main(run: Run) -> Outcome:
        place = run_log.results_place(run.settings.lake, run.contract.name, "raw", run.ds)
        write_json(place, {"run_id": run.run_id, "results": RESULTS})
        if not success:
            raise ContractViolationError("9 of 100, for example s3cret", [RESULTS[1]])
        return Outcome("done", {"rules": 2, "passed": 1, "warnings": 1}, facts={"read": {"raw/transactions": 3}})

    told.run("validate-raw", DAY, main)


def test_the_schemas_are_those_that_facets_name() -> None:
    named = {name: schema["$id"].split("/")[-2] for name, schema in SCHEMAS.items() if name != "OpenLineage"}
    assert named == VERSIONS


def test_every_kind_of_event_is_valid(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, f"airflow/transactions.raw.ingest/{uuid.uuid4()}")
    told.run("ingest", DAY, writing(layout.raw, layout.quarantine, landed=9, accepted=7, quarantined=2))
    told.run("clean", DAY, writing(layout.processed, layout.superseded, rows_in=7, accepted=7))
    told.run("features", DAY, writing(layout.features, entity_days=7, features=3))
    told.run("publish", DAY, writing(layout.published, rows=3))
    validated(told, success=False)
    Report(told.plan("compact", DAY))
    report.aborted()
    files = sorted((told.root / "lake" / "lineage").rglob("*.jsonl"))
    events = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {event["eventType"] for event in events} == {"START", "COMPLETE", "FAIL", "ABORT"}
    for event in events:
        require_valid(event)


@pytest.mark.parametrize("dataset", datasets.names())
@pytest.mark.parametrize("step", ORIGINS)
def test_column_lineage_names_only_columns_that_exist(tmp_path: Path, dataset: str, step: str) -> None:
    loaded = datasets.load(dataset)
    made = (layout.raw, layout.processed, layout.features, layout.published)
    columns = {table.path: {*table.names} for table in (make(loaded.contract) for make in made)}
    columns[f"landing/{dataset}"] = {column.source or column.name for column in loaded.contract.columns}
    target = {"ingest": layout.raw, "clean": layout.processed, "features": layout.features, "publish": layout.published}
    for column, origin in ORIGINS[step](loaded).items():
        assert column in columns[target[step](loaded.contract).path]
        assert {*origin.columns} <= columns[origin.table], column
        assert origin.words


def test_each_feature_has_the_words_of_its_transformation(told: Told) -> None:
    told.run("features", DAY, writing(layout.features, features=3))
    (output,) = told.events("features", DAY)[-1]["outputs"]
    lineage = output["facets"]["columnLineage"]
    spend, weekend = (lineage["fields"][name]["inputFields"] for name in ("spend_7d", "weekend_share_30d"))
    assert [(each["name"], each["field"]) for each in spend] == [
        (f"{told.root}/lake/processed/transactions", "purchase_amount")
    ]
    words = {"description": "sum of purchase_amount over the last 7 days", "subtype": "AGGREGATION", "type": "DIRECT"}
    assert spend[0]["transformations"] == [words]
    assert [each["field"] for each in weekend] == ["event_date"]
    assert weekend[0]["transformations"][0]["description"].endswith("weekend = F.weekday('event_date') >= 5")
    assert [each["field"] for each in lineage["dataset"]] == ["user_id", "event_date", "arrived"]


def test_a_derived_column_comes_from_what_its_code_reads(tmp_path: Path) -> None:
    told = Told(tmp_path, dataset="churn")
    told.run("clean", DAY, writing(layout.processed, accepted=3))
    (output,) = told.events("clean", DAY)[-1]["outputs"]
    (field,) = output["facets"]["columnLineage"]["fields"]["tenure_months"]["inputFields"]
    assert (field["name"], field["field"]) == (f"{tmp_path}/lake/raw/churn", "tenure_days")
    assert field["transformations"][0]["description"] == "F.floor(F.col('tenure_days') / DAYS_IN_A_MONTH).cast('int')"


def test_outputs_have_their_version_rows_and_size(told: Told) -> None:
    told.run("ingest", DAY, writing(layout.raw, layout.quarantine, landed=9, accepted=7, quarantined=2))
    told.run("ingest", DAY, writing(layout.raw, layout.quarantine, landed=9, accepted=7, quarantined=2))
    event = told.events("ingest", DAY)[-1]
    outputs = by_name(told, event["outputs"])
    assert {name: each["facets"]["version"]["datasetVersion"] for name, each in outputs.items()} == {
        "raw/transactions": "1",
        "quarantine/transactions": "1",
    }
    statistics = {name: each["outputFacets"]["outputStatistics"] for name, each in outputs.items()}
    assert {name: each["rowCount"] for name, each in statistics.items()} == {
        "raw/transactions": 7,
        "quarantine/transactions": 2,
    }
    assert {name for name, each in outputs.items() if "columnLineage" in each["facets"]} == {"raw/transactions"}
    file = max((told.root / "lake/raw/transactions").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    assert (statistics["raw/transactions"]["fileCount"], statistics["raw/transactions"]["size"]) == (
        1,
        file.stat().st_size,
    )
    (landed,) = event["inputs"]
    assert (landed["namespace"], landed["name"]) == ("file", f"{told.root}/landing/transactions")
    assert landed["inputFacets"]["inputStatistics"]["rowCount"] == 9


def test_the_gates_results_are_assertions_without_examples(told: Told) -> None:
    validated(told, success=True)
    event = told.events("validate-raw", DAY)[-1]
    (checked,) = event["inputs"]
    assert checked["facets"]["version"]["datasetVersion"] == "3"
    unique, share = checked["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (unique["assertion"], unique["column"], unique["success"]) == (
        "ExpectColumnValuesToBeUnique",
        "transaction_id",
        True,
    )
    assert (share["success"], share["actual"], share["expected"]) == (False, "0.09", "0.05")
    assert share["params"] == {"failed": 9, "checked": 100}
    assert "s3cret" not in json.dumps(event)


def test_results_of_an_earlier_run_are_not_claimed(told: Told) -> None:
    validated(told, success=True)
    told.run("validate-raw", DAY, done(rules=2))
    assert "assertions" in json.dumps(told.events("validate-raw", DAY)[1])
    assert "assertions" not in json.dumps(told.events("validate-raw", DAY)[-1])


def test_superseded_rows_have_the_origins_of_processed_ones(told: Told) -> None:
    told.run("clean", DAY, writing(layout.processed, layout.superseded, layout.quarantine))
    outputs = by_name(told, told.events("clean", DAY)[-1]["outputs"])
    lineage = {name: each["facets"].get("columnLineage") for name, each in outputs.items()}
    assert lineage["superseded/transactions"] == lineage["processed/transactions"] != lineage["quarantine/transactions"]
    assert lineage["quarantine/transactions"] is None


def test_a_failure_names_the_rules_and_no_value(told: Told) -> None:
    validated(told, success=False)
    event = told.events("validate-raw", DAY)[-1]
    assert event["eventType"] == "FAIL"
    message = event["run"]["facets"]["errorMessage"]["message"]
    assert message == "ContractViolationError: QuarantinedShareToBeAtMost(0.05)"
    assert "s3cret" not in json.dumps(event)


def test_start_and_end_of_a_run_share_an_id_of_their_own(told: Told) -> None:
    told.run("ingest", DAY, done(landed=1))
    told.run("ingest", DAY, failing(OSError("no space")))
    kinds = [(event["eventType"], event["run"]["runId"]) for event in told.events("ingest", DAY)]
    assert [kind for kind, _ in kinds] == ["START", "COMPLETE", "START", "FAIL"]
    assert (kinds[0][1], kinds[2][1]) == (kinds[1][1], kinds[3][1])
    assert kinds[0][1] != kinds[2][1]


def test_a_run_names_its_day_its_code_and_its_commits(told: Told) -> None:
    told.run("ingest", DAY, writing(layout.raw))
    start, end = told.events("ingest", DAY)
    own = start["run"]["facets"]["featurePipeline_run"]
    assert (own["ds"], own["revision"], own["code"]) == (DAY, code_revision(), "code")
    nominal = start["run"]["facets"]["nominalTime"]
    assert nominal["nominalStartTime"] == "2026-01-05T00:00:00+00:00"
    assert nominal["nominalEndTime"] == "2026-01-06T00:00:00+00:00"
    assert end["job"]["facets"]["sourceCodeLocation"]["version"] == code_revision()
    assert end["job"]["name"] == "transactions.ingest"


def test_a_run_names_the_task_that_submitted_it(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    task = str(uuid.uuid4())
    monkeypatch.setenv(PARENT, f"airflow/transactions.raw.ingest/{task}")
    told.run("ingest", DAY, done(landed=1))
    parent = told.events("ingest", DAY)[0]["run"]["facets"]["parent"]
    assert (parent["job"], parent["run"]) == (
        {"namespace": "airflow", "name": "transactions.raw.ingest"},
        {"runId": task},
    )


def test_a_parent_of_another_form_is_left_out(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT, "airflow/no-id")
    told.run("ingest", DAY, done(landed=1))
    assert "parent" not in told.events("ingest", DAY)[0]["run"]["facets"]


def test_an_interrupted_run_is_aborted(told: Told) -> None:
    runs = told.plan("compact", DAY), told.plan("compact", NEXT)
    Report(*runs).start()
    interruption.record({"job": "compact"})
    start, end = told.events("compact", NEXT)
    assert (start["eventType"], end["eventType"]) == ("START", "ABORT")
    assert start["run"]["runId"] == end["run"]["runId"]


def test_a_day_without_work_has_no_outputs(told: Told) -> None:
    run_day(COMPACT, told.plan("compact", DAY))
    start, end = told.events("compact", DAY)
    assert (start["eventType"], end["eventType"], end["outputs"]) == ("START", "COMPLETE", [])


@pytest.mark.parametrize(
    ("lake", "namespace", "name"),
    [
        ("s3a://bucket/lake", "s3://bucket", "lake/raw/transactions"),
        ("s3://bucket", "s3://bucket", "raw/transactions"),
        ("file:///data/lake", "file", "/data/lake/raw/transactions"),
    ],
)
def test_tables_are_named_as_the_specification_says(told: Told, lake: str, namespace: str, name: str) -> None:
    run = told.plan("ingest", DAY)
    other = replace(run, settings=run.settings.model_copy(update={"lake": lake}))
    assert named(other, "raw/transactions") == (namespace, name)
    assert named(other, "transactions@v1") == (namespace, name.replace("raw/transactions", "published/transactions/v1"))
