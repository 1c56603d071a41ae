"""What the metrics of a run say, and which of them outlive it."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.contracts import layout
from common.errors import ContractViolationError, SourceMissingError
from common.runtime.run import Outcome
from common.telemetry import metric_files
from common.telemetry.metrics import HELP, MetricSample
from tests.support.told import Told, done, failing, writing

DAY, NEXT, THIRD = "2026-01-05", "2026-01-06", "2026-01-07"
COUNTS = {"rows_in": 100, "accepted": 80, "late": 5, "duplicates": 4, "superseded": 1, "quarantined": 10}
WARNED = {"expectation": "AgeInHoursToBeAtMost(24)", "severity": "warn"}
FAILED = {"expectation": "ExpectColumnValuesToNotBeNull", "column": "user_id", "severity": "error"}


def test_rows_are_counted_by_what_became_of_them(told: Told) -> None:
    told.run("clean", DAY, done(**COUNTS))
    found = {
        kind: told.value("pipeline_rows", "clean", kind=kind) for kind in ("in", "out", "refused", "late", "duplicates")
    }
    assert found == {"in": 100, "out": 85, "refused": 10, "late": 5, "duplicates": 5}


def test_a_run_says_when_it_ended_and_how_long_it_took(told: Told) -> None:
    before = time.time()
    told.run("clean", DAY, done(**COUNTS))
    for name in ("last_run", "last_success"):
        assert before - 1 <= (told.value(f"pipeline_{name}_timestamp_seconds", "clean") or 0) <= time.time()
    assert 0 <= (told.value("pipeline_run_seconds", "clean") or -1) < 5
    assert (told.value("pipeline_peak_memory_bytes", "clean", process="python") or 0) > 1_000_000


def test_all_commits_of_the_run_count_and_no_others(told: Told) -> None:
    told.run("clean", DAY, writing(layout.processed))
    size = told.value("pipeline_commit_bytes", "clean", change="added") or 0
    told.run("clean", DAY, writing(layout.processed, layout.superseded, times=3))
    assert told.value("pipeline_commit_files", "clean", change="added") == 6
    assert told.value("pipeline_commit_files", "clean", change="removed") == 0
    assert told.value("pipeline_commit_bytes", "clean", change="added") == pytest.approx(6 * size, rel=0.1)


def test_an_old_day_leaves_the_newest_days_rows_as_they_are(told: Told) -> None:
    told.run("ingest", NEXT, done(landed=100))
    told.run("ingest", DAY, done(landed=1))
    assert told.value("pipeline_rows", "ingest", kind="in") == 100
    end = datetime(2026, 1, 7, tzinfo=UTC).timestamp()
    assert told.value("pipeline_newest_day_end_timestamp_seconds", "ingest") == end
    told.run("ingest", THIRD, done(landed=2))
    assert told.value("pipeline_rows", "ingest", kind="in") == 2


def test_a_day_without_work_keeps_what_the_last_work_took(told: Told) -> None:
    told.run("compact", DAY, writing(layout.processed))
    took, ran = (told.value(f"pipeline_{name}", "compact") for name in ("run_seconds", "last_run_timestamp_seconds"))
    told.run("compact", DAY, lambda run: Outcome("nothing"))
    assert told.value("pipeline_run_seconds", "compact") == took
    assert told.value("pipeline_commit_files", "compact", change="added") == 1
    assert (told.value("pipeline_last_run_timestamp_seconds", "compact") or 0) >= (ran or 0)


def test_a_failed_day_is_named_until_it_succeeds(told: Told) -> None:
    missing = failing(SourceMissingError("nothing has landed"))
    told.run("ingest", DAY, missing)
    told.run("ingest", NEXT, missing)
    told.run("ingest", THIRD, done(landed=1))
    assert [sample.label("day") for sample in told.samples("pipeline_failed_day")] == [DAY, NEXT]
    told.run("ingest", DAY, done(landed=1))
    assert [sample.label("day") for sample in told.samples("pipeline_failed_day")] == [NEXT]


def test_a_day_that_never_came_is_forgotten_in_the_end(told: Told) -> None:
    told.run("ingest", DAY, failing(SourceMissingError("nothing has landed")))
    told.run("ingest", "2026-02-09", done(landed=1))
    assert len(told.samples("pipeline_failed_day")) == 1
    told.run("ingest", "2026-02-10", done(landed=1))
    assert told.samples("pipeline_failed_day") == []


def test_a_failure_changes_neither_success_nor_the_newest_day(told: Told) -> None:
    told.run("ingest", DAY, done(landed=7))
    succeeded = told.value("pipeline_last_success_timestamp_seconds", "ingest")
    told.run("ingest", NEXT, failing(SourceMissingError("nothing has landed")))
    assert told.value("pipeline_last_success_timestamp_seconds", "ingest") == succeeded
    assert told.value("pipeline_rows", "ingest", kind="in") == 7
    assert (told.value("pipeline_last_run_timestamp_seconds", "ingest") or 0) >= (succeeded or 0)


def test_rules_are_counted_by_their_result(told: Told) -> None:
    warned = Outcome("done", {"rules": 9, "passed": 8, "warnings": 1}, facts={"warnings": [WARNED]})
    told.run("validate-raw", DAY, lambda run: warned)
    found = {each.label("result"): each.value for each in told.samples("pipeline_rules", "validate-raw")}
    assert found == {"passed": 8, "warned": 1, "failed": 0}
    told.run("validate-raw", NEXT, failing(ContractViolationError("2 rules failed", [FAILED, WARNED])))
    found = {each.label("result"): each.value for each in told.samples("pipeline_rules", "validate-raw")}
    assert found == {"warned": 1, "failed": 1}


def test_damaged_pins_are_counted_by_maintenance(told: Told) -> None:
    told.run("maintain", DAY, failing(ContractViolationError("damaged", [{"pin": "a"}, {"pin": "b"}])))
    assert told.value("pipeline_damaged_pins", "maintain") == 2
    told.run("maintain", DAY, failing(OSError("no space")))
    assert told.value("pipeline_damaged_pins", "maintain") == 2
    told.run("maintain", DAY, done(pins_verified=2))
    assert told.value("pipeline_damaged_pins", "maintain") == 0


def test_a_stale_day_is_named_until_it_is_made_again(told: Told) -> None:
    told.says_stale(DAY, NEXT, THIRD)
    told.says_stale("2026-03-01")
    assert [sample.label("day") for sample in told.samples("pipeline_stale_day")] == [NEXT, THIRD]
    told.run("publish", NEXT, done(rows=1))
    assert [sample.label("day") for sample in told.samples("pipeline_stale_day")] == [THIRD]
    told.says_stale(NEXT)
    assert told.samples("pipeline_stale_day") == []


def test_a_damaged_file_is_written_anew(told: Told) -> None:
    told.run("ingest", DAY, done(landed=1))
    file = told.root / "lake" / "metrics" / "transactions.ingest.prom"
    file.write_text('pipeline_rows{dataset="tran')
    told.run("ingest", DAY, done(landed=2))
    assert told.value("pipeline_rows", "ingest", kind="in") == 2
    assert {path.suffix for path in file.parent.iterdir()} == {".prom"}


def test_a_folder_that_cannot_be_written_fails_no_run(told: Told) -> None:
    (told.root / "lake").mkdir()
    (told.root / "lake" / "metrics").write_text("a file")
    (told.root / "lake" / "lineage").write_text("a file")
    line = told.run("ingest", DAY, done(landed=1))
    assert line and line["outcome"] == "done"


def test_labels_of_any_text_are_read_back_as_written() -> None:
    odd = MetricSample("pipeline_rows", (("dataset", 'a "b" \\ \n c'), ("kind", "süß")), 1.5)
    assert metric_files.parse(metric_files.text([odd])) == [odd]


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_accepts_every_metric(told: Told) -> None:
    every = [MetricSample(name, (("dataset", "a"),), 1.0) for name in HELP]
    check = ["promtool", "check", "metrics"]
    done = subprocess.run(check, input=metric_files.text(every), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_metrics_go_where_the_settings_say(tmp_path: Path) -> None:
    told = Told(tmp_path)
    told.telemetry = told.telemetry.model_copy(update={"metrics": str(tmp_path / "textfiles")})
    told.run("ingest", DAY, done(landed=1))
    assert (tmp_path / "textfiles" / "transactions.ingest.prom").exists()
    assert not (tmp_path / "lake" / "metrics").exists()
