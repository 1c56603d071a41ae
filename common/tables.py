"""The Delta tables: created from their layout, read by partition, and made equal to what a run says by a MERGE."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

from delta.exceptions import DeltaConcurrentModificationException
from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from common import history
from common.layout import Table
from common.locks import hold

if TYPE_CHECKING:
    from common.run import Run

# Partition column to the values that are meant: always literals, so that Delta can prune by them.
Slice = Mapping[str, Sequence[date | str]]

ACTION = "action"
INSERT, UPDATE, DELETE = "insert", "update", "delete"
ALL = (INSERT, UPDATE, DELETE)
TRIES = 5
BROADCAST_ROWS = 1_000_000
WRITE_LOCK_SECONDS = 600
USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


@dataclass
class Change:
    """What a converge did: nothing, or one new version."""

    version: int = -1
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    partitions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.inserted + self.updated + self.deleted


def within(where: Slice, prefix: str = "") -> Column:
    conditions = [F.col(f"{prefix}{name}").isin(list(values)) for name, values in where.items()]
    return reduce(lambda one, other: one & other, conditions, F.lit(True))


def read(run: Run, table: Table, where: Slice) -> DataFrame:
    """The rows of those partitions; a slice without files costs no scan."""
    if not history.files(run.path(table), **as_text(where)):
        return empty(run.spark, table)
    return run.spark.read.format("delta").load(run.path(table)).where(within(where))


def empty(spark: SparkSession, table: Table) -> DataFrame:
    return spark.createDataFrame([], ", ".join(f"`{name}` {type_}" for name, type_ in table.columns))


def small(rows: DataFrame) -> DataFrame:
    """Rows that are few enough are sent to where the many are, instead of shuffling the many."""
    return F.broadcast(rows) if rows.count() <= BROADCAST_ROWS else rows


def conform(rows: DataFrame, table: Table) -> DataFrame:
    """Ends a transformation with the table's columns, in their order and types."""
    return rows.select([F.col(name).cast(type_).alias(name) for name, type_ in table.columns])


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a slice of a table should hold.

    `existing` are the stored rows that `desired` stands for: the whole slice, unless the caller knows better.
    `fresh` are further rows of which the caller knows that nothing stored has their identity.
    """

    table: Table
    where: Slice
    desired: DataFrame
    existing: DataFrame | None = None
    fresh: DataFrame | None = None
    actions: tuple[str, ...] = ALL


def converge(run: Run, wish: Wish, books: Mapping[str, Any]) -> Change:
    """Makes the slice as wished: the difference first, then one MERGE of it, with the books in its commit.

    With nothing to change nothing is committed, unless the books of the day have changed.
    """
    create(run, wish.table)
    for attempt in range(TRIES):
        try:
            with exclusively(run, wish.table):
                return _converge_once(run, wish, books)
        except DeltaConcurrentModificationException:
            if attempt == TRIES - 1:
                raise
            time.sleep(random.uniform(0.5, 2.0) * (attempt + 1))  # noqa: S311
    raise AssertionError("unreachable")


def _converge_once(run: Run, wish: Wish, books: Mapping[str, Any]) -> Change:
    blank = wish.existing is None and not history.files(run.path(wish.table), **as_text(wish.where))
    if blank:
        return _commit(run, wish, wish.desired.withColumn(ACTION, F.lit(INSERT)), books)
    stored = wish.existing if wish.existing is not None else read(run, wish.table, wish.where)
    diff = difference(wish.desired, stored, wish.table).where(F.col(ACTION).isin(*wish.actions)).persist()
    try:
        return _commit(run, wish, diff, books)
    finally:
        diff.unpersist()


def _commit(run: Run, wish: Wish, diff: DataFrame, books: Mapping[str, Any]) -> Change:
    if wish.fresh is not None:
        new = conform(wish.fresh, wish.table).withColumn(ACTION, F.lit(INSERT))
        diff = diff.unionByName(new)
    change = _summary(diff, wish.table)
    if change.rows or _books_changed(run, wish.table, books):
        _merge(run, wish, diff, change, books)
        change.version = history.version(run.path(wish.table))
    return change


def difference(desired: DataFrame, stored: DataFrame, table: Table) -> DataFrame:
    """The rows to insert, update and delete; a deleted row has nothing but its identity."""
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
    """A hash of the values and of which are null, which Spark's hash alone would pass over."""
    return F.xxhash64(*columns, *[F.isnull(name) for name in columns])


def _summary(diff: DataFrame, table: Table) -> Change:
    change = Change()
    for row in diff.groupBy(ACTION, *table.partition).count().collect():
        attribute = {INSERT: "inserted", UPDATE: "updated", DELETE: "deleted"}[row[ACTION]]
        setattr(change, attribute, getattr(change, attribute) + row["count"])
        change.partitions.append({name: row[name] for name in table.partition})
    return change


def _merge(run: Run, wish: Wish, diff: DataFrame, change: Change, books: Mapping[str, Any]) -> None:
    table = wish.table
    target = DeltaTable.forPath(run.spark, run.path(table)).alias("t")
    touched: Slice = {
        name: sorted({each[name] for each in change.partitions}) or wish.where[name] for name in table.partition
    }
    same_row = reduce(lambda one, other: one & other, [F.col(f"t.{n}") == F.col(f"s.{n}") for n in table.identity])
    condition = within(touched, "t.") & same_row
    if change.updated or change.deleted:
        # Rows to insert have no counterpart, as the difference says: without them the join is small.
        condition = condition & (F.col(f"s.{ACTION}") != INSERT)
    elif "arrived" in table.names:
        # New rows could only meet rows of the same arrival; by the statistics, the files of other days are not read.
        condition = condition & (F.col("t.arrived") == F.lit(run.ds))
    merge = target.merge(diff.alias("s"), condition)
    values: dict[str, str | Column] = {name: F.col(f"s.{name}") for name in table.names}
    if change.deleted:
        merge = merge.whenMatchedDelete(F.col(f"s.{ACTION}") == DELETE)
    if change.updated:
        merge = merge.whenMatchedUpdate(F.col(f"s.{ACTION}") == UPDATE, values)
    if change.inserted or not change.rows:
        merge = merge.whenNotMatchedInsert(F.col(f"s.{ACTION}") == INSERT, values)
    with _signed(run, books):
        merge.execute()


@contextmanager
def _signed(run: Run, books: Mapping[str, Any]) -> Iterator[None]:
    """What is committed meanwhile says who did it, from what, and how the rows add up."""
    run.spark.conf.set(USER_METADATA, json.dumps({**run.signature, **books}, default=str))
    try:
        yield
    finally:
        run.spark.conf.unset(USER_METADATA)


def _books_changed(run: Run, table: Table, books: Mapping[str, Any]) -> bool:
    """Whether the counts that this job last committed for this day are other than these."""
    if not table.keeps_books:
        return False
    for commit in history.commits_since(run.path(table), since=-1):
        if (commit.books.get("job"), commit.books.get("ds")) == (run.job, str(run.ds)):
            return bool(commit.books.get("counts") != books.get("counts"))
    return True


def as_text(where: Slice) -> dict[str, list[str]]:
    return {name: [str(value) for value in values] for name, values in where.items()}


def create(run: Run, table: Table) -> None:
    path = run.path(table)
    if history.exists(path):
        return
    with exclusively(run, table):
        builder = DeltaTable.createIfNotExists(run.spark).location(path).partitionedBy(*table.partition)
        for name, type_ in table.columns:
            builder = builder.addColumn(name, type_)
        for name, value in properties(table).items():
            builder = builder.property(name, value)
        with _signed(run, {}):
            builder.execute()


def properties(table: Table) -> dict[str, str]:
    """Time travel for as long as the contract says, statistics only where they are used, and no feature that a plain
    reader would refuse."""
    retention = f"interval {table.retention_days} days"
    return {
        "delta.deletedFileRetentionDuration": retention,
        "delta.logRetentionDuration": retention,
        "delta.dataSkippingStatsColumns": ",".join(table.stats),
        "delta.enableDeletionVectors": "false",
    }


@contextmanager
def exclusively(run: Run, table: Table) -> Iterator[None]:
    """One commit at a time to a table from this machine: a local file system alone would let one overwrite another."""
    with hold(run.settings.lake, f"commit/{table.path}", WRITE_LOCK_SECONDS):
        yield


def optimize(run: Run, table: Table, where: Slice, target_bytes: int) -> int:
    """Packs the small files of one partition; the rows stay what they are."""
    run.spark.conf.set("spark.databricks.delta.optimize.minFileSize", target_bytes)
    run.spark.conf.set("spark.databricks.delta.optimize.maxFileSize", target_bytes)
    target = DeltaTable.forPath(run.spark, run.path(table))
    # `where` takes text only; every value is a date or a declared name that was read back from the table's own log.
    chosen = " AND ".join(f"{name} = '{value}'" for name, values in where.items() for value in values)
    with exclusively(run, table), _signed(run, {}):
        target.optimize().where(chosen).executeCompaction()
    return history.version(run.path(table))


def vacuum(run: Run, table: Table) -> int:
    """Removes files that no version within the table's retention needs; returns how many."""
    before = history.file_count(run.path(table))
    with exclusively(run, table), _signed(run, {}):
        DeltaTable.forPath(run.spark, run.path(table)).vacuum()
    return before - history.file_count(run.path(table))
