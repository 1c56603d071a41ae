"""Apply a difference of any size with Spark: a new slice by replaceWhere, every other one by MERGE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.lake import spark_tables
from common.lake.log import delta_log
from common.lake.log.commit_metadata import spark_commit
from common.lake.merging.difference import ACTION, DELETE, INSERT, UPDATE, SliceDifference, to_do
from common.lake.sql_conditions import in_slice, path_table
from common.runtime import session_kind

if TYPE_CHECKING:
    from common.runtime.run import Run

ROWS_A_FILE = 500_000
ROWS_A_TASK = 50_000


def apply(run: Run, diff: SliceDifference, books: Mapping[str, Any]) -> int:
    """Return the version that was made."""
    rows = _in_files(diff.as_spark(run.spark), diff.change.rows)
    # Signed first: the decision's number is set only for the commit itself.
    with spark_commit(run, {**books, **diff.decision.books}), diff.decision.commit(run):
        if diff.stored_files(run):
            _merge(run, diff, rows)
        else:
            _replace(run, diff, rows)
    return delta_log.version(run.path(diff.table))


def _replace(run: Run, diff: SliceDifference, rows: DataFrame) -> None:
    writer = rows.drop(ACTION).write.format("delta").mode("overwrite").partitionBy(*diff.table.partition)
    writer.option("replaceWhere", in_slice(diff.touched)).save(run.path(diff.table))


def _merge(run: Run, diff: SliceDifference, rows: DataFrame) -> None:
    change, target = diff.change, path_table(run.path(diff.table))
    if change.updated or change.deleted:
        rows = spark_tables.beside(rows, change.rows)
    merge = rows.alias("s").mergeInto(target, F.expr(diff.same_row(run.ds, f"{target}.")))
    values = {name: F.expr(value) for name, value in diff.values.items()}
    if change.deleted:
        merge = merge.whenMatched(F.expr(to_do(DELETE))).delete()
    if change.updated:
        merge = merge.whenMatched(F.expr(to_do(UPDATE))).update(values)
    if change.inserted:
        merge = merge.whenNotMatched(F.expr(to_do(INSERT))).insert(values)
    merge.merge()


def _in_files(rows: DataFrame, count: int) -> DataFrame:
    """One task per file to write: one file, unless there are rows enough for all cores. Coalesces without a shuffle."""
    cores = session_kind.parallelism(rows.sparkSession)
    return rows.coalesce(max(-(-count // ROWS_A_FILE), min(cores, count // ROWS_A_TASK), 1))
