"""Publishing: readers see validated rows of whole days, in any version, with their lineage."""

import threading
import uuid
from dataclasses import replace
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from common.contracts.aggregates import Sum
from common.contracts.contract import Feature
from common.contracts.datasets import Dataset
from common.contracts.expectations import Rule, Severity
from common.errors import ContractViolationError, SourceMissingError
from common.features import definition
from common.lake import pins
from common.maintenance import vacuum
from common.orchestration.job import Job, Line, run_day, run_together
from common.published import catalog, publish
from common.published.lineage import explain
from common.published.version_diff import compare_versions
from jobs.features import FEATURES
from jobs.publish import ONLINE, PUBLISH
from jobs.reproduce import REPRODUCE
from jobs.validate import VALIDATE
from tests.support.other_machine import OtherMachine
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY, NEXT = "2026-01-05", "2026-01-06"
PATH = "published/transactions/v1"


def land(lake: PlayLake, ds: str, text: str) -> None:
    lake.land(ds, text)
    lake.day(ds)


def seen(lake: PlayLake) -> list[dict[str, object]]:
    return lake.published.at().arrow().to_pylist()


def spoil(lake: PlayLake, ds: str) -> None:
    """Writes a share above 1, which no job would write."""
    table = lake.table("features/transactions/v1")
    row = table.to_pyarrow_table(filters=[("ds", "=", date.fromisoformat(ds))]).slice(0, 1)
    bad = row.set_column(row.schema.get_field_index("weekend_share_30d"), "weekend_share_30d", pa.array([7.0]))
    write_deltalake(table, bad, mode="overwrite", predicate=f"ds = '{ds}'")


def test_a_day_that_was_not_validated_is_not_published(one_made: PlayLake) -> None:
    with pytest.raises(
        SourceMissingError,
        match="have not been validated.*validate.py --dataset transactions --ds 2026-01-05 --table features",
    ):
        one_made.run(PUBLISH, DAY)
    one_made.publish(DAY)
    one_made.land(DAY, "transaction_id | purchase_amount\na | 11.00")
    one_made.day(DAY)
    with pytest.raises(SourceMissingError, match="since they were last written"):
        one_made.run(PUBLISH, DAY)
    assert_rows(seen(one_made), "user_id | spend_7d\n1 | 10.00")


def test_a_failed_day_keeps_the_published_rows(two_made: PlayLake) -> None:
    two_made.publish(DAY)
    spoil(two_made, NEXT)
    with pytest.raises(ContractViolationError, match="weekend_share_30d"):
        two_made.validate(NEXT, "features")
    with pytest.raises(
        ContractViolationError, match="later steps do not read it, and readers keep the last published version"
    ):
        two_made.run(PUBLISH, NEXT)
    assert_rows(seen(two_made), f"ds | user_id\n{DAY} | 1")


def test_publishing_again_writes_nothing(one_made: PlayLake) -> None:
    assert one_made.publish(DAY)["counts"] == {"published": 1, "rows": 1}
    before = one_made.state()
    assert one_made.run(PUBLISH, DAY)["outcome"] == "nothing"
    assert one_made.run(PUBLISH, DAY, full_refresh=True)["outcome"] == "nothing"
    assert one_made.state() == before


def test_a_range_is_published_in_one_version_or_not_at_all(two_made: PlayLake) -> None:
    two_made.validate(DAY, "features")
    runs = [two_made.plan("publish", ds) for ds in (DAY, NEXT)]
    with pytest.raises(SourceMissingError):
        run_together(PUBLISH, runs)
    assert not (two_made.root / "lake" / "published").exists()
    two_made.validate(NEXT, "features")
    line = run_together(PUBLISH, runs)
    assert (line["ds"], line["written"]) == (f"{DAY}..{NEXT}", {PATH: 0})
    assert {str(row["ds"]) for row in seen(two_made)} == {DAY, NEXT}
    assert two_made.run(PUBLISH, DAY)["outcome"] == "nothing"


def test_two_machines_publish_at_once(two_made: PlayLake, tmp_path_factory: pytest.TempPathFactory) -> None:
    for ds in (DAY, NEXT):
        two_made.validate(ds, "features")
    same = two_made.copied(tmp_path_factory.mktemp("same"))
    first, second = (two_made.plan("publish", ds) for ds in (DAY, NEXT))
    publish.publish([replace(first, code=OtherMachine(lambda: publish.publish([second])))])
    assert [(one.version, list(one.days)) for one in two_made.published.versions()] == [(1, [DAY]), (0, [NEXT])]
    assert sorted(str(row["ds"]) for row in seen(two_made)) == [DAY, NEXT]
    third = same.plan("publish", DAY)
    publish.publish([replace(third, code=OtherMachine(lambda: publish.publish([third])))])
    assert [list(one.days) for one in same.published.versions()] == [[DAY]]


def test_a_day_is_not_published_over_newer_features(one_made: PlayLake) -> None:
    one_made.validate(DAY, "features")

    def correct() -> None:
        land(one_made, DAY, "transaction_id | purchase_amount\na | 11.00")
        one_made.publish(DAY)

    publish.publish([replace(one_made.plan("publish", DAY), code=OtherMachine(correct))])
    assert_rows(seen(one_made), "user_id | spend_7d\n1 | 11.00")


def test_a_polling_reader_never_sees_an_unvalidated_row(one_published: PlayLake) -> None:
    stop, polled = threading.Event(), []

    def poll() -> None:
        while not stop.wait(0.01):
            polled.append({(str(row["ds"]), row["user_id"], str(row["spend_7d"])) for row in seen(one_published)})

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        land(one_published, NEXT, "transaction_id | user_id\nb | 1\nc | 2")
        spoil(one_published, NEXT)
        with pytest.raises(ContractViolationError):
            one_published.publish(NEXT)
        one_published.run(FEATURES, NEXT)
        before_publishing = len(polled)
        one_published.publish(NEXT)
    finally:
        seen_after = len(polled)
        while len(polled) < seen_after + 2:
            assert reader.is_alive()
        stop.set()
        reader.join()
    first = {(DAY, 1, "10.00")}
    second = first | {(NEXT, 1, "20.00"), (NEXT, 2, "10.00")}
    assert before_publishing > 2
    assert all(each == first for each in polled[:before_publishing])
    assert all(each in (first, second) for each in polled)
    assert polled[-1] == second


def test_a_correction_is_a_new_version_not_a_silent_rewrite(corrected: PlayLake) -> None:
    second, first = (each.version for each in corrected.published.versions())
    assert second > first
    assert_rows(corrected.published.at(version=first).arrow().to_pylist(), "spend_7d\n10.00")
    assert_rows(corrected.published.at(version=second).arrow().to_pylist(), "spend_7d\n12.00")
    found = compare_versions(corrected.published.at(version=first), corrected.published.at(version=second))
    assert (found.added, found.removed, found.changed) == (0, 0, 1)
    assert {"spend_7d", "spend_30d", "max_purchase_30d"} <= found.columns.keys()


def test_a_correction_a_day_later_changes_only_the_later_day(two_published: PlayLake) -> None:
    second, first = (each.version for each in two_published.published.versions())
    # NEXT arrives again with a correction of a purchase of DAY.
    land(
        two_published,
        NEXT,
        f"transaction_id | purchase_amount | timestamp\nb | 10.00 | {NEXT}T10:00:00Z\na | 12.00 | {DAY}T11:00:00Z",
    )
    third = two_published.publish(NEXT)["written"][PATH]
    two_published.run(FEATURES, DAY)
    assert two_published.publish(DAY)["outcome"] == "nothing"
    for version in (first, second, third):
        view = two_published.published.at(version=version)
        assert_rows(view.arrow(ds=DAY).to_pylist(), f"ds | spend_7d\n{DAY} | 10.00")
    newest, older = (two_published.published.at(version=version) for version in (third, second))
    found = compare_versions(older, newest)
    assert (found.added, found.removed, found.changed, found.days) == (0, 0, 1, [date.fromisoformat(NEXT)])
    (spend,) = [each for each in found.largest if each.column == "spend_7d"]
    assert (str(spend.ds), str(spend.before), str(spend.after)) == (NEXT, "20.00", "22.00")


def test_a_day_without_rows_is_published_as_such(lake: PlayLake) -> None:
    land(lake, DAY, "transaction_id")
    assert lake.publish(DAY)["counts"] == {"published": 1, "rows": 0}
    assert lake.published.at().arrow(ds=DAY).num_rows == 0
    assert lake.run(PUBLISH, DAY, full_refresh=True)["outcome"] == "nothing"
    land(lake, NEXT, "transaction_id\na")
    lake.publish(NEXT)
    view = lake.published.at()
    assert [str(day) for day in view.days()] == [DAY, NEXT]
    assert_rows(view.arrow().to_pylist(), f"ds | spend_7d\n{NEXT} | 10.00")
    assert lake.run(REPRODUCE, DAY)["counts"]["features"] == 0
    assert lake.run(ONLINE, NEXT)["counts"]["online"] == 1


def test_a_publication_records_its_run_and_inputs(one_published: PlayLake) -> None:
    books = one_published.published.versions()[0].books
    facts = books["days"][DAY]
    assert (books["feature_version"], books["entity"]) == (1, "user_id")
    assert books["columns"]["spend_7d"] == {
        "type": "decimal(22,2)",
        "words": "sum of purchase_amount over the last 7 days",
    }
    assert books["definition"] == definition.define(one_published.plan("publish", DAY).dataset).fingerprint
    assert {"code", "revision", "lock"} <= books.keys()
    assert books["inputs"]["winner"] == "timestamp"
    assert books["transforms"]["measure"].startswith("def measure(rows: DataFrame) -> DataFrame:\n    return rows.with")
    assert facts["counts"] == {"entity_days": 1, "features": 1}
    assert facts["sources"] == {"processed/transactions": 1, "superseded/transactions": 1}
    assert facts["rows"] == 1
    assert facts["validation"]["rules"] == facts["validation"]["passed"] > 5
    assert facts["run_id"].startswith(f"run of features {DAY}")


def test_a_day_with_warnings_is_published_with_them(one_made: PlayLake) -> None:
    dataset = one_made.plan("validate", DAY).dataset
    low = Rule("ExpectColumnMaxToBeBetween", {"column": "spend_7d", "max_value": 1}, Severity.WARN, table="features")
    warned = replace(dataset, contract=replace(dataset.contract, rules=(low,)))
    run_day(VALIDATE, replace(one_made.plan("validate", DAY, table="features"), dataset=warned))
    run_day(PUBLISH, replace(one_made.plan("publish", DAY), dataset=warned))
    verdict = one_made.published.versions()[0].days[DAY]["validation"]
    assert (verdict["warnings"], verdict["warned"]) == (1, ["ExpectColumnMaxToBeBetween(max_value=1)"])


def changed(lake: PlayLake) -> Dataset:
    """The same dataset with a changed feature definition."""
    dataset = lake.plan("features", DAY).dataset
    features = dataset.contract.features
    columns = (Feature("spend_7d", Sum(8, "purchase_amount")), *features.columns[1:])
    return replace(dataset, contract=replace(dataset.contract, features=replace(features, columns=columns)))


def test_a_changed_definition_needs_a_new_feature_version(one_made: PlayLake) -> None:
    run = replace(one_made.plan("features", DAY), dataset=changed(one_made), code="other")
    before = one_made.state()
    with pytest.raises(definition.DefinitionChangedError) as refused:
        run_day(FEATURES, run)
    assert 'spend_7d was "sum of purchase_amount over the last 7 days"' in str(refused.value)
    assert 'is "sum of purchase_amount over the last 8 days"' in str(refused.value)
    assert "version=2" in str(refused.value)
    assert refused.value.exit_code == 2
    assert one_made.state() == before


def test_rows_of_an_undeclared_definition_are_not_published(one_made: PlayLake) -> None:
    one_made.validate(DAY, "features")
    before = one_made.state()
    with pytest.raises(
        definition.DefinitionChangedError, match="features of transactions 2026-01-05 .*run features again"
    ):
        run_day(PUBLISH, replace(one_made.plan("publish", DAY), dataset=changed(one_made)))
    assert one_made.state() == before


def second(lake: PlayLake) -> Dataset:
    """The changed feature declared under a new version."""
    dataset = changed(lake)
    features = replace(dataset.contract.features, version=2)
    return replace(dataset, contract=replace(dataset.contract, features=features))


def run_second(lake: PlayLake, job: Job, ds: str, **options: Any) -> Line:
    return run_day(job, replace(lake.plan(job.name, ds, **options), dataset=second(lake), run_id=uuid.uuid4().hex))


def publish_second(lake: PlayLake, ds: str) -> None:
    run_second(lake, FEATURES, ds)
    run_second(lake, VALIDATE, ds, table="features")
    run_second(lake, PUBLISH, ds)


@pytest.fixture(scope="module")
def in_two_versions(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """The purchases of eight days before DAY: the first version sums seven of them."""
    lake = PlayLake(tmp_path_factory.mktemp("two-versions"))
    land(lake, DAY, "transaction_id | timestamp\na | 2025-12-29T10:00:00Z\nb | 2025-12-30T10:00:00Z")
    lake.publish(DAY)
    publish_second(lake, DAY)
    return lake


def test_feature_versions_live_side_by_side(in_two_versions: PlayLake) -> None:
    both = catalog.Lake(str(in_two_versions.root / "lake"))
    assert both.tables() == ["transactions@v1", "transactions@v2"]
    for name, spend in (("transactions@v1", "10.00"), ("transactions@v2", "20.00")):
        assert_rows(both.features(name).at().arrow().to_pylist(), f"ds | spend_7d\n{DAY} | {spend}")


def test_a_validation_of_another_version_allows_no_publishing(two_published: PlayLake) -> None:
    never_ran = f"features has not run for transactions of {NEXT}"
    with pytest.raises(SourceMissingError, match=never_ran):
        run_second(two_published, PUBLISH, NEXT)
    run_second(two_published, FEATURES, DAY)
    with pytest.raises(SourceMissingError, match=never_ran):
        run_second(two_published, PUBLISH, NEXT)
    with pytest.raises(SourceMissingError, match="have not been validated"):
        run_second(two_published, PUBLISH, DAY)
    with pytest.raises(SourceMissingError, match=never_ran):
        run_second(two_published, VALIDATE, NEXT, table="features")
    assert catalog.Lake(str(two_published.root / "lake")).tables() == ["transactions@v1"]


@pytest.fixture(scope="module")
def late_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    """NEXT corrects a purchase of DAY and brings one more of it; both days are published."""
    lake = PlayLake(tmp_path_factory.mktemp("late"))
    land(lake, DAY, "transaction_id | user_id\na | 1\nb | 1\nc | 2")
    land(
        lake,
        NEXT,
        f"transaction_id | purchase_amount | timestamp\na | 99.00 | {DAY}T11:00:00Z\nd | 5.00 | {DAY}T12:00:00Z",
    )
    for ds in (DAY, NEXT):
        lake.publish(ds)
    return lake


def test_a_published_day_is_reproduced_despite_later_arrivals(late_once: PlayLake) -> None:
    line = late_once.run(REPRODUCE, DAY)
    assert line["hash"] == late_once.published.at().published[DAY]["hash"]
    assert line["counts"]["features"] == 2


def test_any_publication_of_a_day_is_reproducible(corrected: PlayLake) -> None:
    second, first = corrected.published.versions()
    for each in (first, second):
        assert corrected.run(REPRODUCE, DAY, publication=each.version)["hash"] == each.days[DAY]["hash"]
    assert corrected.run(REPRODUCE, DAY)["publication"] == second.version
    # Compare the rows of that version, not of the newest.
    assert first.days[DAY]["hash"] != second.days[DAY]["hash"]


def test_rows_are_reproduced_only_by_the_revision_that_made_them(
    in_two_versions: PlayLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = in_two_versions
    assert run_second(lake, REPRODUCE, DAY)["counts"]["features"] == 1
    revision = lake.published.versions()[0].days[DAY]["revision"]
    refused = f"v1.* of {DAY} was made by definition .* now declares version 2 .*git checkout {revision}"
    with pytest.raises(definition.DefinitionChangedError, match=refused):
        run_second(lake, REPRODUCE, DAY, feature_version=1)
    first = catalog.Lake(str(lake.lake_folder)).features("transactions@v1").at()
    declared = second(lake)
    monkeypatch.setattr("common.contracts.datasets.load", lambda name: declared)
    with pytest.raises(definition.DefinitionChangedError, match=refused):
        explain(str(lake.lake_folder), first, "1", date.fromisoformat(DAY))


def test_removed_sources_are_answered_with_available_versions(corrected: PlayLake) -> None:
    place, first = str(corrected.lake_folder), corrected.published.versions()[-1].version
    pins.pin(place, "first", PATH, first)
    vacuum.vacuum(corrected.plan("compact", DAY), older_than_hours=0)
    gone = r"processed/transactions has no version 1 \(its files were removed\). There are "
    with pytest.raises(SourceMissingError, match=gone):
        explain(place, corrected.published.at(version=first), "1", date.fromisoformat(DAY))
    with pytest.raises(SourceMissingError, match=gone):
        corrected.run(REPRODUCE, DAY, publication=first)


def test_why_names_the_run_its_sources_and_the_known_events(late_once: PlayLake) -> None:
    place, published = str(late_once.lake_folder), late_once.published.at()
    first = explain(place, published, "1", date.fromisoformat(DAY))
    assert_rows(first.events.to_pylist(), "transaction_id | purchase_amount\na | 10.00\nb | 10.00")
    assert str(first.row["spend_7d"]) == "20.00"
    assert first.facts["run_id"].startswith(f"run of features {DAY}")
    second = explain(place, published, "1", date.fromisoformat(NEXT))
    assert_rows(second.events.to_pylist(), "transaction_id | purchase_amount\na | 99.00\nb | 10.00\nd | 5.00")
    with pytest.raises(SourceMissingError, match="no row of user_id 3"):
        explain(place, published, "3", date.fromisoformat(DAY))


def test_why_finds_an_entity_that_has_a_text_as_its_id(churn: PlayLake) -> None:
    day = date(2026, 1, 6)
    row, *_ = churn.rows("published", f"ds = '{day}'", "published/churn/v1")
    found = explain(str(churn.lake_folder), churn.published.at(), row["customer_id"], day)
    assert_rows(found.events.to_pylist(), f"customer_id\n{row['customer_id']}")


def test_rows_that_the_sources_do_not_yield_are_named(one_made: PlayLake) -> None:
    spoiled = one_made.table("features/transactions/v1")
    row = spoiled.to_pyarrow_table()
    write_deltalake(
        spoiled, row.set_column(row.schema.get_field_index("age"), "age", pa.array([31], pa.int32())), mode="overwrite"
    )
    one_made.publish(DAY)
    with pytest.raises(ContractViolationError, match="can't be made again.*age"):
        one_made.run(REPRODUCE, DAY)


def test_spark_reads_any_version_by_sql(two_published: PlayLake, spark: SparkSession) -> None:
    second, first = (each.at for each in two_published.published.versions())
    between = first + (second - first) / 2
    table = f"delta.`{two_published.root}/lake/{PATH}`"
    assert [
        row["n"] for v in (0, 1) for row in spark.sql(f"SELECT count(*) AS n FROM {table} VERSION AS OF {v}").collect()
    ] == [1, 2]
    assert spark.sql(f"SELECT * FROM {table} TIMESTAMP AS OF '{between}'").count() == 1


def test_vacuum_keeps_pinned_versions_and_removes_others(corrected: PlayLake) -> None:
    land(corrected, DAY, "transaction_id | purchase_amount\na | 13.00")
    corrected.publish(DAY)
    place = str(corrected.lake_folder)
    pins.pin(place, "model_1", PATH, 0)
    gone = vacuum.vacuum(corrected.plan("compact", DAY), older_than_hours=0)
    assert gone[PATH] == 1
    assert_rows(corrected.published.at(pin="model_1").arrow().to_pylist(), "spend_7d\n10.00")
    with pytest.raises(SourceMissingError, match="0, 2"):
        corrected.published.at(version=1).arrow()
    pins.release(place, "model_1")
    assert vacuum.vacuum(corrected.plan("compact", DAY), older_than_hours=0)[PATH] == 1
    assert_rows(seen(corrected), "spend_7d\n13.00")
