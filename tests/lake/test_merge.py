"""Merges touch only the needed files, write only changed rows, and exclude each other."""

import json
import multiprocessing
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pytest
from chispa import assert_df_equality
from delta.exceptions import ConcurrentAppendException
from deltalake import CommitProperties
from pyspark.sql import SparkSession

from common.clean.as_of import rows_known
from common.contracts import layout
from common.errors import LakeNotWritableError, LockedError
from common.lake import spark_tables
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import arrow_commit
from common.lake.merging import arrow_merge, merge
from common.lake.merging.difference import SliceDifference, difference, fingerprint
from common.lake.merging.merge import DesiredSlice
from common.lake.storage import retry
from common.lake.storage.locks import hold
from common.maintenance import compaction
from common.orchestration.job import describe
from common.runtime import plan_size
from common.runtime.run import Run
from jobs import clean
from jobs.maintain import MAINTAIN
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY, NEXT = "2026-01-05", "2026-01-06"
COLUMNS = "ds date, job string, file string, record_hash string, copies long, reasons array<string>, record string, run_id string"


def cleaned(lake: PlayLake, ds: str) -> None:
    lake.ingest(ds)
    lake.clean(ds)


@pytest.mark.parametrize(
    ("few_rows", "small_bytes"),
    [
        (plan_size.FEW_ROWS, arrow_merge.SMALL_BYTES),
        pytest.param(plan_size.FEW_ROWS, 0, marks=pytest.mark.slow),
        (0, 0),
    ],
    ids=["deltalake", "Spark with few rows", "Spark"],
)
def test_spark_and_deltalake_write_the_same_tables(
    lake: PlayLake, few_rows: int, small_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new slice, rows beside others, an update, a delete and counts alone: each way leaves the same rows and books."""
    row = "{} | {} | 2026-01-05T{}:00:00Z".format
    head = "transaction_id | purchase_amount | timestamp\n"
    lake.land(DAY, "\n".join([head + row("a", 1, 10), row("b", 2, 11), row("c", "x", 12), row("d", 4, 13)]))
    lake.land(NEXT, "\n".join([head + row("a", 5, 11), row("e", 6, 11)]))
    for ds in (DAY, NEXT):
        lake.ingest(ds)
    monkeypatch.setattr(plan_size, "FEW_ROWS", few_rows)
    monkeypatch.setattr(arrow_merge, "SMALL_BYTES", small_bytes)
    for ds in (DAY, NEXT):
        lake.clean(ds)
    lake.land(DAY, "\n".join([head + row("a", 1, 10), row("b", 3, 11), row("c", 3, 12)]))
    lake.day(DAY)
    assert_rows(lake.rows("processed"), "transaction_id | purchase_amount\na | 5.00\nb | 3.00\nc | 3.00\ne | 6.00")
    assert_rows(lake.rows("superseded"), f"transaction_id | purchase_amount | superseded\na | 1.00 | {NEXT}")
    assert lake.rows("quarantine") == []
    assert_rows(lake.feature_rows(DAY), "user_id | purchases_7d | spend_7d\n1 | 3 | 7.00")
    counts = [
        commit.books.get("counts") for commit in delta_log.commits(str(lake.lake_folder / "processed/transactions"))
    ]
    assert counts[0] == {**counts[0], "rows_in": 3, "accepted": 3, "superseded": 0}
    writers = {
        info["engineInfo"].partition("/")[0].partition(":")[0]
        for info in lake.table("processed/transactions").history()
        if info["operation"] in ("MERGE", "WRITE")
        and info["userMetadata"]
        and '"touched": []' not in info["userMetadata"]
    }
    assert writers == ({"delta-rs"} if small_bytes else {"Apache-Spark"})


def lake_of(factory: pytest.TempPathFactory, days: dict[str, str]) -> PlayLake:
    lake = PlayLake(factory.mktemp("lake"))
    for ds, text in days.items():
        lake.land(ds, text)
        cleaned(lake, ds)
    return lake


@pytest.fixture(scope="module")
def four_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    return lake_of(tmp_path_factory, {ds: f"transaction_id\n{ds}-a\n{ds}-b" for ds in (DAY, NEXT)})


@pytest.fixture
def four_rows(four_once: PlayLake, tmp_path: Path) -> PlayLake:
    """Two rows of each of two days."""
    return four_once.copied(tmp_path)


@pytest.fixture(scope="module")
def crowded_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    row = "transaction_id | timestamp\n{0} | 2026-01-01T0{0}:00:00Z".format
    return lake_of(tmp_path_factory, {f"2026-01-0{number}": row(number) for number in range(1, 4)})


@pytest.fixture
def crowded(crowded_once: PlayLake, tmp_path: Path) -> PlayLake:
    """A day of which a row came on each of three days, and is in a file of its own."""
    return crowded_once.copied(tmp_path)


def test_the_difference_is_what_to_insert_update_and_delete(lake: PlayLake, spark: SparkSession) -> None:
    table = layout.quarantine(lake.plan("clean", DAY).contract)
    day = date.fromisoformat(DAY)

    def rows(*given: tuple[str, int, str | None]) -> object:
        found = [(day, "clean", "f", name, copies, ["x"], text, "run") for name, copies, text in given]
        return spark.createDataFrame(found, COLUMNS)

    stored = rows(("same", 1, "r"), ("other", 1, "r"), ("null", 1, None), ("gone", 1, "r"))
    desired = rows(("same", 1, "r"), ("other", 2, "r"), ("null", 1, "r"), ("new", 1, "r"))
    found = difference(desired, stored, table).select("record_hash", "action").orderBy("record_hash")  # type: ignore[arg-type]
    expected = [("gone", "delete"), ("new", "insert"), ("null", "update"), ("other", "update")]
    assert_df_equality(
        found, spark.createDataFrame(expected, "record_hash string, action string"), ignore_nullable=True
    )


def test_a_value_that_moves_to_the_next_column_is_a_difference(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", None), (None, "a")], "one string, two string")
    assert rows.select(fingerprint(("one", "two")).alias("hash")).distinct().count() == 2


def test_a_record_is_its_values_by_name_without_the_nulls(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a", None), (None, "a")], "one string, two string")
    hashes = rows.select(spark_tables.record_hash(("one", "two")), spark_tables.record_hash(("one",))).collect()
    assert hashes[0][0] == hashes[0][1]
    assert hashes[0][0] != hashes[1][0] != hashes[1][1]


def test_a_merge_touches_only_files_of_its_own_partition(four_rows: PlayLake) -> None:
    lake = four_rows
    untouched = {path for path in lake.table("processed/transactions").file_uris() if f"event_date={DAY}" in path}
    lake.land(NEXT, f"transaction_id | purchase_amount\n{NEXT}-a | 55\n{NEXT}-b | 10")
    cleaned(lake, NEXT)
    (commit,) = lake.table("processed/transactions").history(1)
    metrics = commit["operationMetrics"]
    assert commit["operation"] == "MERGE"
    assert (metrics["num_target_files_removed"], metrics["num_target_files_scanned"]) == (1, 1)
    changed = [metrics[f"num_target_rows_{action}"] for action in ("inserted", "updated", "deleted")]
    assert changed == [0, 1, 0]
    assert commit["operationParameters"]["predicate"] == f"event_date = '{NEXT}'::date"
    assert NEXT not in str(untouched)
    assert untouched <= set(lake.table("processed/transactions").file_uris())


def test_new_rows_beside_those_of_other_days_need_no_merge(lake: PlayLake) -> None:
    """deltalake's MERGE looks at every file of the table, of whatever day."""
    head, late = "transaction_id | purchase_amount | timestamp", f"{{}} | {{}} | {DAY}T10:00:00Z"
    lake.land(DAY, "\n".join([head, late.format("a", 1), late.format("b", 2)]))
    cleaned(lake, DAY)

    def arrive(*rows: tuple[str, int]) -> dict[str, list[str]]:
        tables = [layout.processed(lake.contract).path, layout.superseded(lake.contract).path]
        before = {path: lake.table(path).version() for path in tables}
        lake.land(NEXT, "\n".join([head, *(late.format(*row) for row in rows)]))
        cleaned(lake, NEXT)
        since = {path: lake.table(path).history(lake.table(path).version() - before[path]) for path in tables}
        with_rows = {
            path: [each["operation"] for each in commits if '"touched": []' not in each["userMetadata"]]
            for path, commits in since.items()
        }
        return {path.partition("/")[0]: operations for path, operations in with_rows.items() if operations}

    assert arrive(("c", 3)) == {"processed": ["WRITE"]}
    assert arrive(("c", 3), ("d", 4)) == {"processed": ["MERGE"]}
    assert arrive(("c", 3), ("d", 4), ("a", 5)) == {"processed": ["MERGE"], "superseded": ["WRITE"]}
    amounts = "transaction_id | purchase_amount\n{}".format
    assert_rows(lake.rows("processed"), amounts("a | 5.00\nb | 2.00\nc | 3.00\nd | 4.00"))
    assert_rows(lake.rows("superseded"), amounts("a | 1.00"))


def test_a_day_reads_only_its_own_partitions(four_rows: PlayLake) -> None:
    run = four_rows.plan("features", NEXT)
    processed = rows_known(run, [run.ds], run.ds)
    assert {path.split("event_date=")[1][:10] for path in processed.inputFiles()} == {NEXT}
    raw = spark_tables.read_partitions(run, layout.raw(run.contract), {"ds": [run.ds]})
    assert {path.split("ds=")[1][:10] for path in raw.inputFiles()} == {NEXT}


def test_a_day_needs_no_file_of_a_day_beyond_its_windows(lake: PlayLake) -> None:
    before, far = "2026-01-05", "2026-02-15"
    lake.land(before, "transaction_id\na")
    lake.day(before)
    old = [path for path in (lake.root / "lake").rglob("*.parquet") if f"={before}" in str(path)]
    assert {path.relative_to(lake.root / "lake").parts[0] for path in old} == {
        "raw",
        "processed",
        "partials",
        "features",
        "profiles",
        "verdicts",
    }
    for path in old:
        path.unlink()
    lake.land(far, f"transaction_id | timestamp\nb | {far}T10:00:00Z\nc | 2026-02-10T10:00:00Z")
    lake.day(far)
    for table in ("raw", "processed"):
        lake.validate(far, table)
    lake.publish(far)
    lake.compact(far)
    found = lake.rows("features", f"ds = '{far}'", "published/transactions/v1")
    assert_rows(found, "user_id | purchases_30d | active_days_30d\n1 | 2 | 2")


def test_everyone_can_read_every_table(lake: PlayLake) -> None:
    lake.land(
        DAY,
        "transaction_id | category | timestamp\na | food | 2026-01-05T01:00:00Z\na | home | 2026-01-05\nb | toys | -",
    )
    lake.day(DAY)
    for path in lake.state():
        arrow = lake.table(path).to_pyarrow_table()
        assert polars.read_delta(str(lake.root / "lake" / path)).height == arrow.num_rows > 0, path
        with duckdb.connect() as connection:
            connection.register("found", arrow)
            assert connection.execute("SELECT count(*) FROM found").fetchone() == (arrow.num_rows,), path


def test_time_travel_lasts_as_long_as_the_contract_says(one_made: PlayLake) -> None:
    for path in one_made.state():
        configuration = one_made.table(path).metadata().configuration
        assert configuration["delta.deletedFileRetentionDuration"] == "interval 400 days"
        assert configuration["delta.logRetentionDuration"] == "interval 400 days"
        assert pa.types.is_date(one_made.table(path).to_pyarrow_table().schema.field(0).type)


def test_every_commit_says_who_made_it_and_from_what(one_made: PlayLake) -> None:
    (commit,) = one_made.table("features/transactions/v1").history(1)
    books = json.loads(commit["userMetadata"])
    assert books["counts"] == {"entity_days": 1, "features": 1}
    assert books["sources"]["processed/transactions"] == one_made.table("processed/transactions").version()
    assert {"run_id", "code", "job", "ds", "dataset", "revision"} <= books.keys()


def test_a_row_left_in_both_tables_by_a_killed_clean_counts_once(one_made: PlayLake) -> None:
    lake = one_made
    before = lake.feature_rows(DAY)
    run = lake.plan("clean", NEXT)
    aside = layout.superseded(run.contract)
    stored = spark_tables.read_partitions(
        run, layout.processed(run.contract), {"event_date": [date.fromisoformat(DAY)]}
    )
    half = spark_tables.conform(stored.selectExpr("*", f"DATE'{NEXT}' AS superseded"), aside)
    merge.converge(run, DesiredSlice(table=aside, where={"event_date": [date.fromisoformat(DAY)]}, desired=half), {})
    assert lake.features(DAY, full_refresh=True)["outcome"] == "nothing"
    assert lake.feature_rows(DAY) == before
    lake.land(NEXT, "transaction_id\nb")
    cleaned(lake, NEXT)
    assert lake.rows("superseded") == []


def _sit(lake: str, taken: object, done: object) -> None:
    with hold(lake, "transactions/clean/2026-01-05", 0):
        taken.set()  # type: ignore[attr-defined]
        done.wait(30)  # type: ignore[attr-defined]


def test_two_runs_of_a_day_exclude_each_other_until_one_dies(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    lake.ingest(DAY)
    context = multiprocessing.get_context("spawn")
    taken, done = context.Event(), context.Event()
    other = context.Process(target=_sit, args=(str(lake.root / "lake"), taken, done))
    other.start()
    try:
        assert taken.wait(30)
        with pytest.raises(LockedError, match=rf"held by process {other.pid}; waited 0.2 s"):
            lake.clean(DAY)
    finally:
        other.kill()
        other.join()
    assert lake.clean(DAY)["outcome"] == "done"


def test_a_lock_is_reentrant(tmp_path: Path) -> None:
    def take() -> bool:
        with hold(str(tmp_path), "x", 0):
            return True

    with hold(str(tmp_path), "x", 0), hold(str(tmp_path), "x", 0):
        pass
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(take).result()


def test_an_unwritable_lake_is_reported_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(LakeNotWritableError, match=r"file/lake can't be written: .*Not a directory.*--lake"),
        hold(str(tmp_path / "file" / "lake"), "transactions/clean", 0),
    ):
        pass


def test_only_a_conflict_is_retried(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land(DAY, "transaction_id\na")
    commits: list[Run] = []

    def conflict(run: Run, books: Mapping[str, Any]) -> CommitProperties:
        commits.append(run)
        if len(commits) == 1:
            raise ConcurrentAppendException("another writer was quicker")
        return arrow_commit(run, books)

    def full(run: Run, books: Mapping[str, Any]) -> CommitProperties:
        commits.append(run)
        raise OSError("disk full")

    monkeypatch.setattr(arrow_merge, "arrow_commit", conflict)
    monkeypatch.setattr(retry.time, "sleep", lambda seconds: None)
    assert lake.ingest(DAY)["outcome"] == "done"
    assert_rows(lake.rows("raw"), "transaction_id\na")
    commits.clear()
    monkeypatch.setattr(arrow_merge, "arrow_commit", full)
    lake.land(NEXT, "transaction_id\na")
    with pytest.raises(OSError, match="disk full"):
        lake.ingest(NEXT)
    assert len(commits) == 1


def test_two_drivers_without_shared_locks_leave_each_row_once(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on two machines without shared locks: both have computed their diff when the first one commits."""
    lake.land(DAY, "transaction_id | purchase_amount\na | 1.00\nb | 2.00")
    cleaned(lake, DAY)
    lake.land(
        NEXT, f"transaction_id | purchase_amount | timestamp\na | 5.00 | {DAY}T11:00:00Z\nc | 3.00 | {NEXT}T10:00:00Z"
    )
    lake.ingest(NEXT)
    both, met, original = threading.Barrier(2, timeout=120), set(), arrow_merge.apply

    def together(run: Run, wish: SliceDifference, *rest: Any) -> int:
        if (run.run_id, wish.table.path) not in met:
            met.add((run.run_id, wish.table.path))
            both.wait()
        return original(run, wish, *rest)

    monkeypatch.setattr(arrow_merge, "apply", together)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.0)
    for module in (spark_tables, merge, clean):
        monkeypatch.setattr(module, "committing", lambda lake, table: nullcontext())
    runs = [replace(lake.plan("clean", NEXT), run_id=f"driver {number}") for number in (1, 2)]
    with ThreadPoolExecutor(2) as drivers:
        outcomes = [each.result().outcome for each in [drivers.submit(clean.main, run) for run in runs]]
    assert "done" in outcomes
    assert_rows(lake.rows("processed"), "transaction_id | purchase_amount\na | 5.00\nb | 2.00\nc | 3.00")
    assert_rows(lake.rows("superseded"), f"transaction_id | purchase_amount | superseded\na | 1.00 | {NEXT}")


def test_a_foreign_change_is_noticed_and_repaired(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\nb")
    lake.ingest(DAY)
    lake.table("raw/transactions").delete("transaction_id = 'a'")
    assert lake.ingest(DAY)["outcome"] == "done"
    assert sorted(row["transaction_id"] for row in lake.rows("raw")) == ["a", "b"]


def test_compact_packs_settled_partitions_and_keeps_every_row(crowded: PlayLake) -> None:
    lake = crowded
    rows = lake.content()
    assert lake.compact("2026-01-03")["outcome"] == "nothing"
    line = lake.compact("2026-01-08")
    (packed,) = line["packed"]
    assert packed["partition"] == "processed/transactions/event_date=2026-01-01"
    assert packed["files"] == [3, 1]
    assert packed["bytes"][1] < packed["bytes"][0]
    assert lake.content() == rows
    assert lake.compact("2026-01-08")["outcome"] == "nothing"
    assert lake.clean("2026-01-03")["outcome"] == "nothing"


def test_compacting_under_a_running_job_loses_no_row(crowded: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from another machine: compaction replaces the files between the job's diff and its commit."""
    lake = crowded
    late = "transaction_id | purchase_amount | timestamp\n1 | 99 | 2026-01-01T05:00:00Z\n4 | 7 | 2026-01-01T06:00:00Z"
    lake.land("2026-01-08", late)
    lake.ingest("2026-01-08")
    for module in (spark_tables, merge, clean, compaction):
        monkeypatch.setattr(module, "committing", lambda lake, table: nullcontext())
    original, packed = arrow_merge.apply, []

    def packed_meanwhile(run: Run, wish: SliceDifference, *rest: Any) -> int:
        if wish.table.path == "processed/transactions" and not packed:
            with ThreadPoolExecutor(1) as elsewhere:
                packed.extend(elsewhere.submit(lake.compact, "2026-01-08").result()["packed"])
        return original(run, wish, *rest)

    monkeypatch.setattr(arrow_merge, "apply", packed_meanwhile)
    lake.clean("2026-01-08")
    assert [each["files"] for each in packed] == [[3, 1]]
    expected = "transaction_id | purchase_amount\n1 | 99.00\n2 | 10.00\n3 | 10.00\n4 | 7.00"
    assert_rows(lake.rows("processed"), expected)


def test_vacuum_keeps_what_the_retention_needs(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    first = lake.ingest(DAY)["written"]["raw/transactions"]
    lake.land(DAY, "transaction_id\nb")
    lake.ingest(DAY)
    assert lake.run(MAINTAIN, DAY)["counts"]["files_removed"] == 0
    table = lake.table("raw/transactions")
    table.load_as_version(first)
    assert table.to_pyarrow_table()["transaction_id"].to_pylist() == ["a"]


def test_a_corrupt_data_file_fails_loudly_and_by_name(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    lake.ingest(DAY)
    (file,) = (lake.root / "lake" / "raw" / "transactions").rglob("ds=*/*.parquet")
    file.write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(Exception, match=file.name) as damaged:
        lake.clean(DAY)
    assert "restore the table to an earlier version" in describe(damaged.value)["message"]


def test_a_file_covers_values_between_its_minimum_and_maximum(four_rows: PlayLake) -> None:
    files = data_files.files(str(four_rows.root / "lake" / "processed" / "transactions"), event_date=[DAY])
    assert [(file.covers("arrived", DAY), file.covers("arrived", NEXT)) for file in files] == [(True, False)]
