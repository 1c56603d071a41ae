"""Maintenance prunes old results, keeps what is needed and reports damaged pins."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from common.contracts import datasets, layout
from common.errors import ContractViolationError
from common.lake import pins
from common.lake.log import delta_log
from common.lake.log.delta_log import TableLog
from common.lake.storage.files import write_json
from common.orchestration import run_log
from common.orchestration.changes import changes_day
from common.orchestration.run_log import RunRecord
from jobs.maintain import MAINTAIN
from tests.support.play_lake import PlayLake
from tests.support.published_tables import publish

DS = "2026-01-05"
KEEP = 400
OLD, KEPT = (str(date.fromisoformat(DS) - timedelta(days=days)) for days in (KEEP + 1, KEEP))
PATH = "published/transactions/v1"
ROWS = "ds | user_id | spend\n2026-01-04 | 1 | 10.00\n2026-01-05 | 1 | {}"
JOBS = ("ingest", "validate-raw", "clean", "features", "publish", "compact", "partials")


@pytest.fixture
def lake(tmp_path: Path) -> PlayLake:
    found = PlayLake(tmp_path)
    record(found, "ingest", DS)
    return found


def place(lake: PlayLake) -> Path:
    return lake.root / "lake"


def record(lake: PlayLake, job: str, ds: str, dataset: str = "transactions", at: str = "", **more: Any) -> str:
    path = f"runs/{dataset}/{job}/{ds}.json"
    said = {"line": {"job": job, "ds": ds}, "at": at or f"{ds}T23:00:00+00:00", "failure": None, **more}
    write_json(str(place(lake) / path), said)
    return path


def verdict(lake: PlayLake, table: str, ds: str, dataset: str = "transactions", at: str = "") -> str:
    path = f"results/{dataset}/{table}/{ds}.json"
    write_json(str(place(lake) / path), {"ds": ds, "at": at or f"{ds}T23:00:00+00:00", "results": []})
    return path


def result(lake: PlayLake, ds: str, dataset: str = "transactions") -> list[str]:
    """The files that Great Expectations writes for a validation: the result and its page."""
    moment = f"{ds.replace('-', '')}T230000.123456Z"
    run, name = f"{dataset}/features/__none__/{moment}", f"{dataset}.features-{dataset}.features"
    found = [
        f"gx/uncommitted/validations/{run}/{name}.json",
        f"gx/uncommitted/data_docs/local_site/validations/{run}/{name}.html",
    ]
    for path in found:
        (place(lake) / path).parent.mkdir(parents=True)
        (place(lake) / path).write_text("{}")
    return found


def there(lake: PlayLake, paths: list[str]) -> list[str]:
    return [path for path in paths if (place(lake) / path).exists()]


def counts(lake: PlayLake, ds: str = DS) -> dict[str, int]:
    return lake.run(MAINTAIN, ds)["counts"]


def test_only_what_is_older_than_declared_is_removed(lake: PlayLake) -> None:
    gone = [record(lake, "validate-raw", OLD), record(lake, "compact", OLD), record(lake, "partials", OLD)]
    gone += [verdict(lake, table, OLD) for table in ("raw", "processed", "features")]
    gone += result(lake, OLD)
    kept = [record(lake, "validate-raw", KEPT), verdict(lake, "features", KEPT), *result(lake, KEPT)]
    kept += [
        record(lake, "validate-raw", OLD, "churn"),
        verdict(lake, "raw", OLD, "churn"),
        *result(lake, OLD, "churn"),
    ]
    assert counts(lake) == {"files_removed": 0, "results_removed": len(gone), "pins_verified": 0}
    assert there(lake, gone) == []
    assert there(lake, kept) == kept
    # The folder of a result is removed too, else folders pile up.
    assert not (place(lake) / gone[-1]).parent.exists()
    again = lake.run(MAINTAIN, DS)
    assert (again["outcome"], again["counts"]["results_removed"]) == ("nothing", 0)


def test_lineage_of_old_days_is_removed_unless_they_ran_since(lake: PlayLake) -> None:
    (old, ran), moment = (
        [f"lineage/transactions/{job}/{OLD}.jsonl" for job in ("clean", "features")],
        datetime(2024, 1, 1),
    )
    for path in (old, ran):
        (place(lake) / path).parent.mkdir(parents=True)
        (place(lake) / path).write_text("{}\n")
    os.utime(place(lake) / old, (moment.timestamp(), moment.timestamp()))
    assert counts(lake)["results_removed"] == 1
    assert there(lake, [old, ran]) == [ran]


def test_the_retention_is_a_setting(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEP_RESULTS_DAYS", "40")
    days = [str(date.fromisoformat(DS) - timedelta(days=age)) for age in (41, 40)]
    paths = [verdict(lake, "raw", day) for day in days]
    assert counts(lake)["results_removed"] == 1
    assert there(lake, paths) == paths[1:]


def test_partials_of_a_window_are_not_recomputed_each_time(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEP_RESULTS_DAYS", "1")
    window = lake.plan("maintain", DS).contract.features.window_days
    first = date.fromisoformat(DS) - timedelta(days=window - 1)
    paths = [record(lake, "partials", str(first)), record(lake, "partials", str(first - timedelta(days=2)))]
    assert counts(lake)["results_removed"] == 1
    assert there(lake, paths) == paths[:1]


def test_the_days_that_have_run_are_never_forgotten(lake: PlayLake) -> None:
    for job in JOBS:
        record(lake, job, OLD)
    next_day = str(date.fromisoformat(OLD) + timedelta(days=1))
    record(lake, "features", next_day)
    before = {
        job: run_log.days_run(str(place(lake)), "transactions", job)
        for job in ("ingest", "clean", "features", "publish")
    }
    assert counts(lake)["results_removed"] == 3
    assert {job: run_log.days_run(str(place(lake)), "transactions", job) for job in before} == before


def test_a_failure_that_still_stands_is_kept(lake: PlayLake) -> None:
    path = record(lake, "validate-raw", OLD, failure={"message": "3 rules failed"})
    assert counts(lake)["results_removed"] == 0
    assert there(lake, [path]) == [path]


def test_an_old_day_that_ran_recently_keeps_its_results(lake: PlayLake) -> None:
    paths = [record(lake, "validate-features", OLD, at=f"{DS}T01:00:00+00:00")]
    paths += [verdict(lake, "features", OLD, at=f"{DS}T01:00:00+00:00")]
    assert counts(lake)["results_removed"] == 0
    assert there(lake, paths) == paths


def test_maintenance_depends_on_the_day_not_the_clock(lake: PlayLake) -> None:
    """Maintenance of a day removes the same files whenever it runs."""
    paths = [verdict(lake, "raw", OLD), verdict(lake, "raw", KEPT)]
    counts(lake, str(date.fromisoformat(DS) - timedelta(days=30)))
    assert there(lake, paths) == paths
    counts(lake)
    assert there(lake, paths) == paths[1:]


def test_a_mistaken_future_day_removes_no_more_than_the_newest(lake: PlayLake) -> None:
    paths = [verdict(lake, "raw", OLD), verdict(lake, "raw", KEPT), *result(lake, KEPT)]
    assert counts(lake, "2062-01-05")["results_removed"] == 1
    assert there(lake, paths) == paths[1:]


def test_files_that_are_no_results_are_left_alone(lake: PlayLake) -> None:
    paths = [f"runs/transactions/compact/{OLD}.txt", "runs/transactions/compact/notes.json", "results/transactions/x"]
    paths += ["gx/great_expectations.yml", "gx/uncommitted/validations/transactions/features/mine/20200101/x.json"]
    paths += ["pins/old.txt", f"training_sets/x/v1/{OLD}.json"]
    for path in paths:
        (place(lake) / path).parent.mkdir(parents=True, exist_ok=True)
        (place(lake) / path).write_text("{}")
    counts(lake)
    assert there(lake, paths) == paths


@pytest.fixture
def published(lake: PlayLake) -> PlayLake:
    for amount in ("10.00", "11.00", "12.00"):
        publish(place(lake), ROWS.format(amount), "transactions/v1")
    return lake


def data_file(lake: PlayLake, version: int, day: str = DS) -> Path:
    found, *_ = (each for each in DeltaTable(str(place(lake) / PATH), version=version).file_uris() if day in each)
    return Path(found)


def expire(lake: PlayLake) -> None:
    """Sets the table's retention to zero."""
    path = str(place(lake) / PATH)
    table = DeltaTable(path)
    table.alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 seconds"})


def test_unneeded_files_go_and_pinned_ones_are_kept_and_verified(published: PlayLake) -> None:
    expire(published)
    for name, version in (("first", 0), ("also", 0)):
        pins.pin(str(place(published)), name, PATH, version)
    kept, gone = data_file(published, 0), data_file(published, 1)
    line = published.run(MAINTAIN, DS)
    assert line["counts"]["pins_verified"] == 2
    assert line["counts"]["files_removed"] >= 1
    assert line["written"] == {PATH: delta_log.version(str(place(published) / PATH))}
    assert (kept.exists(), gone.exists()) == (True, False)
    assert published.published.at(pin="first").arrow().num_rows == 2
    before = published.state()
    assert published.run(MAINTAIN, DS)["outcome"] == "nothing"
    assert published.state() == before


def test_files_within_the_retention_stay(published: PlayLake) -> None:
    files = [data_file(published, version) for version in range(3)]
    assert counts(published)["files_removed"] == 0
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("spoil", ["alter", "remove", "tamper"])
def test_a_damaged_pin_is_exit_3_by_name_and_nothing_is_removed(published: PlayLake, spoil: str) -> None:
    lake = str(place(published))
    for name, version in (("whole", 2), ("spoilt", 0), ("spoilt_too", 0)):
        pins.pin(lake, name, PATH, version)
    expire(published)
    old, unneeded = verdict(published, "raw", OLD), data_file(published, 1)
    if spoil == "alter":
        data_file(published, 0).write_bytes(data_file(published, 1).read_bytes())
    elif spoil == "remove":
        data_file(published, 0).unlink()
    else:
        for name in ("spoilt", "spoilt_too"):
            write_json(f"{lake}/pins/{name}.json", {**vars(pins.find(lake, name)), "hash": "0" * 64})
    with pytest.raises(
        ContractViolationError, match=r"2 of 3 pins are damaged: spoilt .* version 0\); spoilt_too "
    ) as found:
        published.run(MAINTAIN, DS)
    assert ContractViolationError.exit_code == 3
    assert [each["pin"] for each in found.value.failures] == ["spoilt", "spoilt_too"]
    assert there(published, [old]) == [old]
    assert unneeded.exists()


def test_a_damaged_table_log_is_reported_by_its_pins(published: PlayLake) -> None:
    pins.pin(str(place(published)), "january", PATH, 2)
    (place(published) / PATH / "_delta_log" / f"{0:020}.json").unlink()
    with pytest.raises(ContractViolationError, match=r"1 of 1 pins are damaged: january .* its log can't be read"):
        published.run(MAINTAIN, DS)


def test_a_pin_that_can_not_be_read_is_exit_3_too(published: PlayLake) -> None:
    pins.pin(str(place(published)), "january", PATH, 0)
    (place(published) / "pins" / "january.json").write_text("{")
    with pytest.raises(ContractViolationError, match=r"january.json can't be read as a pin"):
        published.run(MAINTAIN, DS)


def test_pins_count_for_their_dataset_and_foreign_pins_for_all(published: PlayLake) -> None:
    lake = place(published)
    publish(lake, ROWS.format("1.00"), "churn/v1")
    write_deltalake(f"{lake}/labels/cities", pa.table({"x": [1]}))
    for name, table in (("mine", PATH), ("other", "published/churn/v1"), ("nobodys", "labels/cities")):
        pins.pin(str(lake), name, table, 0)
    assert "churn" in datasets.names()
    assert counts(published)["pins_verified"] == 2
    file, *_ = DeltaTable(f"{lake}/published/churn/v1", version=0).file_uris()
    Path(file).unlink()
    assert counts(published)["pins_verified"] == 2
    file, *_ = DeltaTable(f"{lake}/labels/cities").file_uris()
    Path(file).unlink()
    with pytest.raises(ContractViolationError, match="nobodys"):
        published.run(MAINTAIN, DS)


def test_a_pin_that_is_released_meanwhile_is_not_damaged(published: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = str(place(published))
    pins.pin(lake, "january", PATH, 0)
    verify = pins.verify

    def too_late(lake: str, name: str) -> pins.Pin:
        pins.release(lake, name)
        return verify(lake, name)

    monkeypatch.setattr(pins, "verify", too_late)
    published.run(MAINTAIN, DS)


def test_removing_files_makes_no_day_run_again(published: PlayLake) -> None:
    """Removing files between a validation and its publication does not require another validation."""
    run = published.plan("look", DS)
    uri = run.path(layout.published(run.contract))
    expire(published)
    before = delta_log.version(uri)

    def rewritten() -> bool:
        commits = TableLog(uri).between(before, delta_log.version(uri))
        return commits is None or any(changes_day(commit, run.ds) for commit in commits)

    assert published.run(MAINTAIN, DS)["counts"]["files_removed"]
    assert not rewritten()
    publish(place(published), ROWS.format("13.00"), "transactions/v1")
    assert rewritten()


def test_maintenance_is_filed_like_any_job_and_always_looks(lake: PlayLake) -> None:
    lake.run(MAINTAIN, DS)
    filed = run_log.records_of(str(place(lake)), "transactions")[(DS, "maintain")]
    assert isinstance(filed, RunRecord)
    assert filed.done
    path = verdict(lake, "raw", OLD)
    assert counts(lake)["results_removed"] == 1
    assert there(lake, [path]) == []


def test_result_paths_use_great_expectations_time_format() -> None:
    """Guards the path format of Great Expectations' results, which pruning parses."""
    from great_expectations.core.run_identifier import RunIdentifier

    from common.maintenance.maintain import MOMENT

    made = RunIdentifier(run_time=datetime(2026, 1, 5, 23, tzinfo=UTC))
    (_, moment) = made.to_tuple()
    found = MOMENT.fullmatch(moment)
    assert found
    assert found[1] == "20260105"
