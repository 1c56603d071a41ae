"""What has to change in a slice of a table so that it holds the desired rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType

from common.contracts.layout import Table
from common.lake import spark_tables
from common.lake.log import data_files
from common.lake.log.data_files import DataFile
from common.lake.log.decisions import Decision
from common.lake.sql_conditions import column, in_slice, literal
from common.runtime import plan_size
from common.runtime.run import Change

if TYPE_CHECKING:
    from common.runtime.run import Run

ACTION = "action"
INSERT, UPDATE, DELETE = "insert", "update", "delete"
ALL = (INSERT, UPDATE, DELETE)
ELEMENT_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class SliceDifference:
    """The rows to insert, update and delete, each with its action; a row to delete has its identity only."""

    table: Table
    rows: DataFrame | pa.Table  # in this process if they are few
    change: Change
    decision: Decision
    bytes: int | None = None  # of the rows' values; None if not measured

    @property
    def skips_other_arrivals(self) -> bool:
        """New rows can only match rows of the same arrival: statistics then skip the files of other days."""
        return "arrived" in self.table.names and not self.change.updated and not self.change.deleted

    def stored_files(self, run: Run) -> list[DataFile]:
        """Those of the partitions that it touches."""
        return data_files.files(run.path(self.table), **spark_tables.values_as_text(self.touched))

    def as_arrow(self) -> pa.Table:
        return self.rows if isinstance(self.rows, pa.Table) else self.rows.toArrow()

    def as_spark(self, spark: SparkSession) -> DataFrame:
        if isinstance(self.rows, DataFrame):
            return self.rows
        return spark.createDataFrame(
            self.rows, spark_tables.schema_of(spark, (*self.table.columns, (ACTION, "string")))
        )

    def same_row(self, ds: date, stored: str) -> str:
        """That a stored row, whose columns have that prefix, is the row `s` of the difference; values are periods only."""
        same = [f"{column(name, stored)} = {column(name, 's.')}" for name in self.table.identity]
        conditions = [in_slice(self.touched, stored), *same]
        if self.change.updated or self.change.deleted:
            # Rows to insert match nothing, so leave them out of the join.
            conditions.append(f"NOT {to_do(INSERT)}")
        elif self.skips_other_arrivals:
            conditions.append(f"{column('arrived', stored)} = {literal(ds)}")
        return " AND ".join(conditions)

    @property
    def values(self) -> dict[str, str]:
        """What a stored row becomes."""
        return {column(name): column(name, "s.") for name in self.table.names}

    @property
    def touched(self) -> dict[str, list[Any]]:
        """The partitions by column, also those that only gain rows: Delta detects conflicts by them."""
        partitions = self.change.partitions
        return {name: sorted({partition[name] for partition in partitions}) for name in self.table.partition}


def to_do(action: str) -> str:
    """That the row `s` of the difference has this action."""
    return f"{column(ACTION, 's.')} = {literal(action)}"


def to_insert(rows: DataFrame, table: Table) -> DataFrame:
    return spark_tables.conform(rows, table).withColumn(ACTION, F.lit(INSERT))


def difference(desired: DataFrame, stored: DataFrame, table: Table) -> DataFrame:
    """The rows to insert, update and delete; a row to delete has its identity only."""
    payload = fingerprint(tuple(table.payload))
    ours = desired.withColumn("_ours", payload)
    theirs = stored.select(*table.identity, payload.alias("_theirs"))
    action = (
        F.when(F.col("_theirs").isNull(), INSERT)
        .when(F.col("_ours").isNull(), DELETE)
        .when(F.col("_ours") != F.col("_theirs"), UPDATE)
    )
    joined = ours.join(theirs, on=table.identity, how="full_outer").withColumn(ACTION, action)
    return joined.where(F.col(ACTION).isNotNull()).select(*table.names, ACTION)


@cache  # each name is several calls to the JVM
def fingerprint(columns: tuple[str, ...]) -> Column:
    """A hash of the values and of which are null: Spark's hash alone skips nulls."""
    return F.xxhash64(*columns, *[F.isnull(name) for name in columns])


def measured(rows: DataFrame, table: Table) -> tuple[DataFrame, Change, int]:
    """Compute the difference once; count its rows and the bytes of their texts and lists."""
    times = {f"{action}s": F.count_if(F.col(ACTION) == action) for action in ALL}
    partitions = F.collect_set(F.struct(*table.partition))
    rows, seen = spark_tables.materialize(rows, partitions=partitions, bytes=_bytes(rows), **times)
    touched = [row.asDict() for row in seen["partitions"]]
    return rows, Change(-1, seen["inserts"], seen["updates"], seen["deletes"], touched), seen["bytes"]


def fetched(rows: DataFrame, table: Table) -> tuple[pa.Table, Change, int] | None:
    """The same for a run that has read little, by one plan instead of two; None if the rows are many all the same."""
    few = rows.limit(plan_size.FEW_ROWS + 1).toArrow()
    if few.num_rows > plan_size.FEW_ROWS:
        return None
    inserts, updates, deletes = (pc.sum(pc.equal(few[ACTION], action)).as_py() or 0 for action in ALL)
    touched = few.group_by([*table.partition]).aggregate([]).to_pylist()
    return few, Change(-1, inserts, updates, deletes, touched), few.nbytes


def _bytes(rows: DataFrame) -> Column:
    # As text: building the columns one by one takes longer than computing them. Their names are those of a contract.
    texts = [field.name for field in rows.schema if isinstance(field.dataType, StringType)]
    lists = [field.name for field in rows.schema if isinstance(field.dataType, ArrayType)]
    sizes = [*[f"octet_length(`{name}`)" for name in texts], *[f"size(`{name}`) * {ELEMENT_BYTES}" for name in lists]]
    return spark_tables.sum_or_zero(F.expr(" + ".join(f"coalesce({size}, 0)" for size in sizes)))
