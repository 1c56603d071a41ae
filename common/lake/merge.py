"""Make a slice of a table equal to the desired rows: compute the difference, then apply it in one MERGE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING, Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contracts.layout import Table
from common.lake import delta_log
from common.lake.commit_metadata import spark_commit
from common.lake.decisions import Decision, decide
from common.lake.locks import committing
from common.lake.spark_tables import (
    BROADCAST_ROWS,
    Slice,
    conform,
    create,
    empty_rows,
    materialize,
    partition_filter,
    read_partitions,
    retry_on_conflict,
    values_as_text,
)
from common.runtime.run import Change

if TYPE_CHECKING:
    from common.runtime.run import Run

ACTION = "action"
ROWS_A_FILE = 500_000
ROWS_A_TASK = 50_000
INSERT, UPDATE, DELETE = "insert", "update", "delete"
ALL = (INSERT, UPDATE, DELETE)


@dataclass(frozen=True, kw_only=True)
class DesiredSlice:
    """What a slice of a table should hold.

    `existing` are the stored rows that `desired` stands for: the whole slice, unless the caller knows better; `decision` was
    then taken before they were read. `new` says that nothing stored has the identity of any desired row, and that what is
    stored stays. `size` is the number of desired rows, where that is known: if they are new and the slice is exactly theirs,
    they need not be counted.
    """

    table: Table
    where: Slice
    desired: DataFrame
    size: int | None = None
    existing: DataFrame | None = None
    new: bool = False
    actions: tuple[str, ...] = ALL
    decision: Decision | None = None

    @property
    def scope(self) -> str:
        """What a decision about the slice looks at."""
        return " ".join(str(value) for values in self.where.values() for value in values)


def converge(run: Run, goal: DesiredSlice, books: Mapping[str, Any]) -> Change:
    """Make the slice equal to the desired rows in one MERGE, with the books in its commit.

    Nothing is committed when nothing changes, unless the day's books changed. On a conflict the difference is computed
    again; a caller that passes a decision must retry itself.
    """
    create(run, goal.table)
    with committing(run.settings.lake, goal.table.path):
        if goal.decision is not None:
            return _converge_once(run, goal, books)
        return retry_on_conflict(lambda: _converge_once(run, goal, books))


def _converge_once(run: Run, goal: DesiredSlice, books: Mapping[str, Any]) -> Change:
    goal = replace(goal, decision=goal.decision or decide(run, goal.table, goal.scope))
    blank = goal.existing is None and not delta_log.files(run.path(goal.table), **values_as_text(goal.where))
    if goal.new or blank:
        diff = _to_insert(goal.desired, goal.table)
        if goal.size is not None:
            partitions = [dict(zip(goal.where, values, strict=True)) for values in product(*goal.where.values())]
            return _commit(run, goal, diff, Change(inserted=goal.size, partitions=partitions), books)
    else:
        stored = goal.existing if goal.existing is not None else read_partitions(run, goal.table, goal.where)
        diff = difference(goal.desired, stored, goal.table).where(F.col(ACTION).isin(*goal.actions))
    diff, change = _materialized(diff, goal.table)
    return _commit(run, goal, diff, change, books)


def _to_insert(rows: DataFrame, table: Table) -> DataFrame:
    return conform(rows, table).withColumn(ACTION, F.lit(INSERT))


def _commit(run: Run, goal: DesiredSlice, diff: DataFrame, change: Change, books: Mapping[str, Any]) -> Change:
    if change.rows:
        first, *_ = goal.table.partition
        books = {**books, "touched": sorted({str(partition[first]) for partition in change.partitions})}
        apply_difference(run, goal, diff, change, books)
        change.version = delta_log.version(run.path(goal.table))
        return change
    return keep_books(run, goal.table, books)


def keep_books(run: Run, table: Table, books: Mapping[str, Any]) -> Change:
    """A commit without rows, unless the table says already what the books say."""
    if not _books_changed(run, table, books):
        return Change()
    _commit_books(run, table, books)
    return Change(delta_log.version(run.path(table)))


def difference(desired: DataFrame, stored: DataFrame, table: Table) -> DataFrame:
    """The rows to insert, update and delete; a row to delete has its identity only."""
    ours = desired.withColumn("_ours", fingerprint(table.payload))
    theirs = stored.select(*table.identity, fingerprint(table.payload).alias("_theirs"))
    action = (
        F.when(F.col("_theirs").isNull(), INSERT)
        .when(F.col("_ours").isNull(), DELETE)
        .when(F.col("_ours") != F.col("_theirs"), UPDATE)
    )
    joined = ours.join(theirs, on=table.identity, how="full_outer").withColumn(ACTION, action)
    return joined.where(F.col(ACTION).isNotNull()).select(*table.names, ACTION)


def fingerprint(columns: Sequence[str]) -> Column:
    """A hash of the values and of which are null: Spark's hash alone skips nulls."""
    return F.xxhash64(*columns, *[F.isnull(name) for name in columns])


def _materialized(diff: DataFrame, table: Table) -> tuple[DataFrame, Change]:
    """Compute the difference once and count its rows."""
    times = {f"{action}s": F.count_if(F.col(ACTION) == action) for action in ALL}
    diff, seen = materialize(diff, partitions=F.collect_set(F.struct(*table.partition)), **times)
    partitions = [row.asDict() for row in seen["partitions"]]
    return diff, Change(-1, seen["inserts"], seen["updates"], seen["deletes"], partitions)


def apply_difference(run: Run, goal: DesiredSlice, diff: DataFrame, change: Change, books: Mapping[str, Any]) -> None:
    table = goal.table
    target = DeltaTable.forPath(run.spark, run.path(table)).alias("t")
    # Name every touched partition, also those that only gain rows: Delta detects conflicts by them.
    touched: Slice = {name: sorted({partition[name] for partition in change.partitions}) for name in table.partition}
    same_row = reduce(lambda one, other: one & other, [F.col(f"t.{n}") == F.col(f"s.{n}") for n in table.identity])
    condition = partition_filter(touched, "t.") & same_row
    if change.updated or change.deleted:
        # Rows to insert match nothing, so leave them out of the join.
        condition = condition & (F.col(f"s.{ACTION}") != INSERT)
    elif "arrived" in table.names:
        # New rows can only match rows of the same arrival: statistics then skip the files of other days.
        condition = condition & (F.col("t.arrived") == F.lit(run.ds))
    diff = _in_files(diff, change.rows)
    if (change.updated or change.deleted) and change.rows <= BROADCAST_ROWS:
        # Spark has no size estimate for checkpointed rows, so broadcast them explicitly.
        diff = F.broadcast(diff)
    merge = target.merge(diff.alias("s"), condition)
    values: dict[str, str | Column] = {name: F.col(f"s.{name}") for name in table.names}
    if change.deleted:
        merge = merge.whenMatchedDelete(F.col(f"s.{ACTION}") == DELETE)
    if change.updated:
        merge = merge.whenMatchedUpdate(F.col(f"s.{ACTION}") == UPDATE, values)
    if change.inserted:
        merge = merge.whenNotMatchedInsert(F.col(f"s.{ACTION}") == INSERT, values)
    assert goal.decision is not None
    # Signed first: the decision's number is set only for the commit itself.
    with spark_commit(run, {**books, **goal.decision.books}), goal.decision.commit(run):
        merge.execute()


def _in_files(rows: DataFrame, count: int) -> DataFrame:
    """One task per file to write: one file, unless there are rows enough for all cores. Coalesces without a shuffle."""
    cores = rows.sparkSession.sparkContext.defaultParallelism
    return rows.coalesce(max(-(-count // ROWS_A_FILE), min(cores, count // ROWS_A_TASK), 1))


def _commit_books(run: Run, table: Table, books: Mapping[str, Any]) -> None:
    """A commit without rows. Delta skips an empty commit, so this one carries a transaction id of the day."""
    path = run.path(table)
    mark = {"txnAppId": f"books of {run.job} {run.ds}", "txnVersion": str(delta_log.version(path) + 1)}
    with spark_commit(run, {**books, "touched": []}):
        empty_rows(run.spark, table).write.format("delta").mode("append").options(**mark).save(path)


def _books_changed(run: Run, table: Table, books: Mapping[str, Any]) -> bool:
    """Whether the day's last commit does not say already what it was made from, and what it counts."""
    if not table.keeps_books or "counts" not in books:
        return False
    if run.renews:
        return True
    last = delta_log.newest_commit(run.path(table), run.job, str(run.ds))
    return last is None or bool(last.books.get("counts") != books.get("counts"))
