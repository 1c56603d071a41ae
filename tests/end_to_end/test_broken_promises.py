"""The code is broken on purpose, once for each promise in tests/README.md: the test that is named there must fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# The test of the promise, the file that keeps it, what stands there, and what breaks it.
BREAKS = [
    (
        "quality/test_measured.py::test_what_was_measured_is_what_reading_the_rows_finds",
        "common/clean/settlement.py",
        'rows.where((F.col("arrived") == literal(run.ds)) & known_on(run.ds))',
        'rows.where(F.col("superseded").isNull())',
    ),
    (
        "jobs/test_scores.py::test_pending_then_scored_equals_scored_at_once",
        "common/scoring/pending.py",
        "first = shifted(run.ds, -contract.lateness)",
        "first = run.ds",
    ),
    (
        "lake/test_row_erasure.py::test_every_version_holds_the_other_rows_as_before",
        "common/lake/erasing/history.py",
        "    for step in (_remove_both, _add_new):",
        "    for step in (_add_new,):",
    ),
    (
        "planning/test_trial.py::test_a_stricter_rule_removes_rows_and_touches_nothing",
        "common/lake/linked_copy.py",
        "    local_path(place).mkdir(parents=True, exist_ok=True)\n    return place\n",
        "    return lake\n",
    ),
    (
        "erasure/test_erase.py::test_old_landing_files_bring_nobody_back",
        "jobs/ingest.py",
        "listing, without_erased, told)",
        "listing, lambda run, records: records, told)",
    ),
    (
        "lake/test_leases.py::test_of_many_machines_one_gets_it",
        "common/lake/storage/buckets.py",
        'content, mode="create")',
        'content, mode="overwrite")',
    ),
    (
        "lake/test_log_files.py::test_a_long_log_is_listed_from_its_last_checkpoint",
        "common/lake/log/log_files.py",
        "_since(uri, start - end) if start > end else _all(uri)",
        "_all(uri)",
    ),
    (
        "runtime/test_object_store.py::test_no_key_stands_in_any_option",
        "common/runtime/object_store.py",
        '        "conditional_put": "etag",\n',
        '        "conditional_put": "etag",\n        "key": os.environ["AWS_SECRET_ACCESS_KEY"],\n',
    ),
    (
        "jobs/test_clean.py::test_clean_twice_changes_nothing_at_all",
        "common/lake/merging/difference.py",
        'F.col("_ours") != F.col("_theirs"), UPDATE',
        'F.col("_ours").isNotNull(), UPDATE',
    ),
    (
        "lake/test_merge.py::test_a_foreign_change_is_noticed_and_repaired",
        "common/orchestration/staleness.py",
        "        if changes_rows(commit, lambda each",
        "        if False and changes_rows(commit, lambda each",
    ),
    (
        "jobs/test_clean.py::test_books_that_do_not_balance_stop_the_day",
        "common/clean/settlement.py",
        'if sum(out.values()) != counts["rows_in"]:',
        'if sum(out.values()) > counts["rows_in"]:',
    ),
    (
        "jobs/test_clean.py::test_all_reasons_of_a_record_are_listed",
        "common/clean/casting.py",
        "F.array_compact(F.array(*casts.reasons, *map(_named, of_day)))",
        "F.slice(F.array_compact(F.array(*casts.reasons, *map(_named, of_day))), 1, 1)",
    ),
    (
        "model/test_sequences.py::test_any_sequence_heals_to_what_the_model_says",
        "common/orchestration/staleness.py",
        "commits = None if then is None else logs.since(watch.table, then, watch.dates)",
        "commits = None if then is None else []",
    ),
    (
        "end_to_end/test_kill_matrix.py::test_a_day_killed_anywhere_equals_one_that_was_not",
        "jobs/ingest.py",
        "    changes = [(refused.table, converge(run, refused, {}))]\n"
        "    changes.append((arrived.table, converge(run, arrived, {**says, **beside(run, [refused.table])})))",
        "    changes = [(arrived.table, converge(run, arrived, {**says, **beside(run, [refused.table])}))]\n"
        "    changes.append((refused.table, converge(run, refused, {})))",
    ),
    (
        "jobs/test_refused.py::test_a_day_with_more_bad_rows_is_judged_again",
        "common/lake/log/commit_metadata.py",
        '({"recounted": True} if differs else {})',
        "{}",
    ),
    (
        "jobs/test_state.py::test_a_clean_killed_at_its_end_still_names_the_stale_day",
        "common/orchestration/staleness.py",
        "commits = None if then is None else logs.since(watch.table, then, watch.dates)",
        "commits = None if then is None else []",
    ),
    (
        "jobs/test_state.py::test_features_made_while_an_earlier_day_is_cleaned_are_stale",
        "common/lake/log/commit_metadata.py",
        '"sources": run.at,',
        '"sources": {path: delta_log.version(f"{run.settings.lake}/{path}") for path in run.at},',
    ),
    (
        "planning/test_plan_is_right.py::test_a_changed_day_runs_it_and_the_windows_that_hold_it",
        "common/planning/foresight.py",
        "index.add(ForeseenCommit(index.newest + 1, books, NOT_YET, step))",
        "index.newest += 1",
    ),
    (
        "lake/test_two_machines.py::test_a_decision_is_refused_once_another_was_committed",
        "common/lake/log/decisions.py",
        "        raise self._overtaken()\n\n    def _since",
        "        return self.version\n\n    def _since",
    ),
    (
        "lake/test_merge.py::test_two_drivers_without_shared_locks_leave_each_row_once",
        "common/lake/log/decisions.py",
        "CommitProperties(commit.custom_metadata, app_transactions=[number])",
        "CommitProperties(commit.custom_metadata)",
    ),
    (
        "clean/test_as_of.py::test_a_correction_that_moves_an_event_too_far_is_refused",
        "common/clean/stored_versions.py",
        "    if run.contract.event_time is None:\n        return F.lit(False)",
        "    return F.lit(False)",
    ),
    (
        "lake/test_merge.py::test_spark_and_deltalake_write_the_same_tables",
        "common/lake/merging/arrow_merge.py",
        ".when_matched_update(diff.values, to_do(UPDATE))",
        "",
    ),
    (
        "jobs/test_features.py::test_a_replayed_day_uses_only_what_was_known_then",
        "common/features/build.py",
        "days = day_range(run.ds, features.days_back)\n    admitted",
        "days = day_range(run.ds, features.days_back, 9)\n    admitted",
    ),
    (
        "jobs/test_leakcheck.py::test_no_example_changes_with_rows_after_its_label",
        "common/training/as_of_join.py",
        "return period_columns.end(ds, every)",
        "return period_columns.start(ds, every)",
    ),
    (
        "jobs/test_leakcheck.py::test_nothing_outside_train_changes_what_is_fitted",
        "common/training/build.py",
        'rows.where(F.col(SPLIT) == "train").drop(SPLIT)',
        "rows.drop(SPLIT)",
    ),
    (
        "jobs/test_publish.py::test_a_polling_reader_never_sees_an_unvalidated_row",
        "common/quality/gate.py",
        "if result.severity == Severity.ERROR or result.problem]",
        "if False]",
    ),
    (
        "jobs/test_admission.py::test_windows_leave_out_what_the_gate_refused",
        "common/orchestration/admission.py",
        "verdict.success and stands(",
        "stands(",
    ),
    (
        "jobs/test_publish.py::test_any_publication_of_a_day_is_reproducible",
        "common/published/reproduce.py",
        'replace(run, at=facts["sources"], left_out=left_out)',
        "replace(run, left_out=left_out)",
    ),
    (
        "end_to_end/test_stored_lake.py::test_its_days_are_looked_at_once_and_stay_as_they_are",
        "common/orchestration/job.py",
        "run = replace(run, renews=True)",
        "run = replace(run, renews=False)",
    ),
    (
        "lake/test_merge.py::test_a_day_reads_only_its_own_partitions",
        "common/lake/spark_tables.py",
        "data_files.partition_files(uri, at, **values_as_text(where))",
        "data_files.partition_files(uri, at)",
    ),
    (
        "lake/test_merge.py::test_everyone_can_read_every_table",
        "common/lake/table_properties.py",
        '"delta.enableDeletionVectors": "false"',
        '"delta.enableDeletionVectors": "true"',
    ),
    (
        "lake/test_foreign_features.py::test_a_feature_that_changes_what_files_mean_is_refused",
        "common/lake/log/delta_log.py",
        'HARMLESS = frozenset({"timestampNtz",',
        'HARMLESS = frozenset({"deletionVectors", "typeWidening", "timestampNtz",',
    ),
    (
        "jobs/test_own_source.py::test_it_is_asked_once_whatever_the_contract_says_later",
        "common/orchestration/staleness.py",
        "isinstance(stage, Publication) and run.source != ASKED_ONCE",
        "isinstance(stage, Publication)",
    ),
    (
        "jobs/test_kafka.py::test_neighbours_meet_in_any_order_and_with_wrong_clocks",
        "common/sources/kafka/ranges.py",
        "kept[number].end if number in kept else at",
        "at",
    ),
    (
        "jobs/test_stream.py::test_stream_and_batch_end_in_equal_tables",
        "common/sources/kafka/topic.py",
        '{"whole": False, "batch": self.period.batch}',
        '{"batch": self.period.batch}',
    ),
    (
        "end_to_end/test_stream_killed.py::test_a_stream_killed_anywhere_ends_as_one_batch",
        "common/orchestration/open_periods.py",
        "if kept and not unfinished and _reaches",
        "if kept and _reaches",
    ),
    (
        "jobs/test_stream_changes.py::test_followed_changes_end_in_the_tables_of_one_batch",
        "common/sources/kafka/topic.py",
        "until[number] = max(each.end, until.get(number, 0))",
        "until[number] = each.end",
    ),
    (
        "jobs/test_changes.py::test_any_order_of_a_feed_ends_in_equal_tables",
        "common/contracts/changes.py",
        '"winner", (POSITION, *contract.winner))',
        '"winner", contract.winner)',
    ),
    (
        "jobs/test_lookups.py::test_a_later_change_never_reaches_an_earlier_event",
        "common/features/dimensions_known.py",
        "then = (day > F.col(SINCE))",
        "then = (day >= F.col(SINCE))",
    ),
    (
        "jobs/test_mongo.py::test_a_whole_collection_is_read_in_parts_once",
        "common/sources/mongo/collection.py",
        '[{"$nor": [{ID: {"$gte": cuts[0]}}]}, *inner,',
        "[*inner,",
    ),
    (
        "sources/test_http.py::test_a_resumed_run_does_not_pay_twice",
        "common/sources/http/api.py",
        "page = kept.get(following)",
        "page = None",
    ),
    (
        "jobs/test_hours.py::test_hours_are_what_plain_python_says_and_again_do_nothing",
        "common/days.py",
        "HOUR: timedelta(hours=1)}",
        "HOUR: timedelta(hours=2)}",
    ),
    (
        "jobs/test_jdbc.py::test_rows_that_come_while_it_is_read_belong_to_no_part",
        "common/sources/databases/jdbc.py",
        "[*(moment if self.snapshot else []), *engine.session]",
        "engine.session",
    ),
    (
        "console/test_page.py::test_status_and_console_agree_on_stale_days",
        "common/console/day_states.py",
        "late = bool(due) or ds in self.stale",
        "late = ds in self.stale",
    ),
    (
        "console/test_page.py::test_no_value_leaves_the_data",
        "common/console/page.py",
        'for sign in "<>&\\u2028\\u2029":',
        'for sign in "&":',
    ),
    (
        "telemetry/test_receivers.py::test_a_slow_receiver_costs_no_more_than_its_limit",
        "common/telemetry/receivers.py",
        "deadline = time.monotonic() + FLUSH_SECONDS",
        "deadline = time.monotonic() + 50 * FLUSH_SECONDS",
    ),
    (
        "telemetry/test_lineage.py::test_every_kind_of_event_is_valid",
        "common/telemetry/lineage_events.py",
        '"eventTime":',
        '"event_time":',
    ),
    (
        "delivery/test_deliver.py::test_a_warehouse_that_refuses_keeps_the_old_day",
        "common/delivery/postgres.py",
        "self._explained(), self._connection.transaction():",
        "self._explained():",
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("promise", "file", "kept", "broken"), BREAKS, ids=[promise for promise, *_ in BREAKS])
def test_without_the_code_that_keeps_it_the_promise_fails(
    tmp_path: Path, promise: str, file: str, kept: str, broken: str
) -> None:
    for folder in ("common", "jobs", "conf", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    text = (tmp_path / file).read_text()
    (tmp_path / file).write_text(text.replace(kept, broken))
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"tests/{promise}",
        "-q",
        "-x",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=1200)
    assert done.returncode == 1, f"the test passed all the same:\n{done.stdout[-2000:]}"
    assert "1 failed" in done.stdout


def test_every_promise_is_broken() -> None:
    promises = [line for line in (ROOT / "tests/README.md").read_text().splitlines() if "::test_" in line]
    broken = {promise for promise, *_ in BREAKS}
    assert [line for line in promises if not any(promise in line for promise in broken)] == []


def test_every_piece_of_code_that_is_broken_stands_once() -> None:
    """Quick, so that a moved line is noticed before the long test runs."""
    assert [(file, kept) for _, file, kept, _ in BREAKS if (ROOT / file).read_text().count(kept) != 1] == []
