"""Apply a difference of any size with Spark: a new slice by one literal replacement, every other one by MERGE."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.lake import data_files, delta_log, spark_tables
from common.lake.commit_metadata import spark_commit
from common.lake.difference import ACTION, DELETE, INSERT, UPDATE, SliceDifference
from common.lake.period_columns import literal
from common.lake.slices import slice_predicate
from common.lake.spark_tables import BROADCAST_ROWS, partition_filter, values_as_text

if TYPE_CHECKING:
    from common.runtime.run import Run

ROWS_A_FILE = 500_000
ROWS_A_TASK = 50_000


def apply(run: Run, diff: SliceDifference, books: Mapping[str, Any]) -> int:
    """Return the version that was made."""
    rows = _in_files(_to_spark(run, diff), diff.change.rows)
    # Signed first: the decision's number is set only for the commit itself.
    with spark_commit(run, {**books, **diff.decision.books}), diff.decision.commit(run):
        if data_files.files(run.path(diff.table), **values_as_text(diff.touched)):
            _merge(run, diff, rows)
        else:
            _replace(run, diff, rows)
    return delta_log.version(run.path(diff.table))


def _to_spark(run: Run, diff: SliceDifference) -> DataFrame:
    if isinstance(diff.rows, DataFrame):
        return diff.rows
    return run.spark.createDataFrame(
        diff.rows, spark_tables.schema_of(run.spark, (*diff.table.columns, (ACTION, "string")))
    )


def _replace(run: Run, diff: SliceDifference, rows: DataFrame) -> None:
    writer = rows.drop(ACTION).write.format("delta").mode("overwrite").partitionBy(*diff.table.partition)
    writer.option("replaceWhere", slice_predicate(diff.touched)).save(run.path(diff.table))


def _merge(run: Run, diff: SliceDifference, rows: DataFrame) -> None:
    table, change = diff.table, diff.change
    target = DeltaTable.forPath(run.spark, run.path(table)).alias("t")
    same_row = reduce(lambda one, other: one & other, [F.col(f"t.{n}") == F.col(f"s.{n}") for n in table.identity])
    condition = partition_filter(diff.touched, "t.") & same_row
    if change.updated or change.deleted:
        # Rows to insert match nothing, so leave them out of the join.
        condition = condition & (F.col(f"s.{ACTION}") != INSERT)
    elif diff.skips_other_arrivals:
        condition = condition & (F.col("t.arrived") == literal(run.ds))
    if (change.updated or change.deleted) and change.rows <= BROADCAST_ROWS:
        # Spark has no size estimate for checkpointed rows, so broadcast them explicitly.
        rows = F.broadcast(rows)
    merge = target.merge(rows.alias("s"), condition)
    values: dict[str, str | Column] = {name: F.col(f"s.{name}") for name in table.names}
    if change.deleted:
        merge = merge.whenMatchedDelete(F.col(f"s.{ACTION}") == DELETE)
    if change.updated:
        merge = merge.whenMatchedUpdate(F.col(f"s.{ACTION}") == UPDATE, values)
    if change.inserted:
        merge = merge.whenNotMatchedInsert(F.col(f"s.{ACTION}") == INSERT, values)
    merge.execute()


def _in_files(rows: DataFrame, count: int) -> DataFrame:
    """One task per file to write: one file, unless there are rows enough for all cores. Coalesces without a shuffle."""
    cores = rows.sparkSession.sparkContext.defaultParallelism
    return rows.coalesce(max(-(-count // ROWS_A_FILE), min(cores, count // ROWS_A_TASK), 1))
