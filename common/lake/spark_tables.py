"""The Delta tables: created from their layout, read by partition, packed; `common.lake.merging.merge` writes their rows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import pyarrow as pa
from delta import exceptions
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, StringType, StructType

from common.contracts.layout import Columns, Table
from common.errors import ColumnMismatchError, ContractViolationError
from common.lake import table_properties
from common.lake.log import data_files, delta_log
from common.lake.log.commit_metadata import arrow_commit, spark_commit
from common.lake.log.decisions import DecidedMeanwhileError
from common.lake.sql_conditions import Slice
from common.lake.storage.files import is_local, local_path
from common.lake.storage.locks import committing
from common.lake.storage.retry import retry
from common.runtime import plan_size, session_kind
from common.runtime.object_store import delta_options

if TYPE_CHECKING:
    from common.runtime.run import Run

if session_kind.is_remote():
    import delta.connect  # noqa: F401  a server's conflicts then have the same exceptions

T = TypeVar("T")
BROADCAST_ROWS = 1_000_000
# Delta's exceptions share no parent of their own.
CONFLICTS = (
    exceptions.ConcurrentAppendException,
    exceptions.ConcurrentDeleteDeleteException,
    exceptions.ConcurrentDeleteReadException,
    exceptions.ConcurrentTransactionException,
    exceptions.ConcurrentWriteException,
    exceptions.DeltaConcurrentModificationException,
    exceptions.MetadataChangedException,
    DecidedMeanwhileError,
    CommitFailedError,
)
# Paths are literal: a name may hold characters that a glob would expand.
LITERAL_PATHS = {"__globPaths__": "false"}
_NULLABLE = {"nullable": True, "metadata": {}}


def read_partitions(run: Run, table: Table, where: Slice) -> DataFrame:
    """The rows of those partitions, read from the files that the log lists.

    Delta's own reader starts three Spark jobs to learn the same from the log, which is noticeable on a small day.
    """
    uri, at = run.path(table), run.at.get(table.path)
    partitions = None if at == delta_log.NO_TABLE else data_files.partition_files(uri, at, **values_as_text(where))
    if partitions is None or not partitions.files:
        return empty_rows(run.spark, table)
    schema = as_stored(partitions.columns)
    reader = run.spark.read.schema(schema).options(basePath=uri, **LITERAL_PATHS)
    rows = reader.parquet(*[f"{uri}/{unquote(file.path)}" for file in partitions.files]).select(schema.names)
    return plan_size.by_size(rows, sum(file.bytes for file in partitions.files))


def empty_rows(spark: SparkSession, table: Table) -> DataFrame:
    """No rows, and Spark knows it: it drops unions and joins with them from its plans."""
    nothing = spark.range(1).where(F.lit(False))
    return nothing.select(F.lit(None).cast(schema_of(spark, table.columns)).alias("row")).select("row.*")


def materialize(rows: DataFrame, **measures: Column) -> tuple[DataFrame, dict[str, Any]]:
    """Computes the rows once and cuts their lineage; takes the measures on the same pass.

    Not a cache: Spark drops a cached plan at the first commit to a table that it reads, and plans everything again.
    """
    observation = Observation()
    named = [measure.alias(name) for name, measure in measures.items()]
    rows = session_kind.checkpointed(rows.observe(observation, *named) if named else rows)
    return rows, observation.get if named else {}


def sum_or_zero(values: Column | str) -> Column:
    return F.coalesce(F.sum(values), F.lit(0))


def broadcast_if_small(rows: DataFrame) -> tuple[DataFrame, int]:
    """Materializes the rows and counts them; broadcasts few instead of shuffling what they are joined with."""
    rows, measures = materialize(rows, count=F.count(F.lit(1)))
    return beside(rows, measures["count"]), measures["count"]


def beside(rows: DataFrame, count: int) -> DataFrame:
    """The side of a join that each task holds whole, if that many rows fit: Spark has no size estimate for computed rows."""
    return F.broadcast(rows) if count <= BROADCAST_ROWS else rows


def conform(rows: DataFrame, table: Table) -> DataFrame:
    """Ends a transformation with the columns of the table, in its order; raises unless each is there, with its type."""
    if problems := differences(rows, dict(table.columns)):
        raise ColumnMismatchError(
            f"the rows for {table.path} are not what its layout says: {'; '.join(problems)}. They have {rows.columns}; "
            "nothing was written. This is a bug in the pipeline."
        )
    schema = schema_of(rows.sparkSession, table.columns)
    # `to` would rebuild each array element by element, only to make it nullable: seconds a day.
    arrays = {
        field.name: F.col(field.name).cast(field.dataType) for field in schema if isinstance(field.dataType, ArrayType)
    }
    return (rows.withColumns(arrays) if arrays else rows).to(schema)


def differences(rows: DataFrame, declared: Mapping[str, str]) -> list[str]:
    """Where the rows' columns are not as declared, both sides named; starts no Spark job."""
    types: dict[str, list[str]] = {}
    for field in rows.schema:
        # Contracts say long for what Spark calls bigint.
        types.setdefault(field.name, []).append(field.dataType.simpleString().replace("bigint", "long"))
    return [
        f"{name} is declared as {type_}, but it is {' and '.join(types.get(name, ['missing']))}"
        for name, type_ in declared.items()
        if types.get(name) != [type_]
    ]


@cache
def schema_of(spark: SparkSession, columns: Columns) -> StructType:
    """Cached per session, because Spark parses type names with one."""
    schema = StructType.fromDDL(", ".join(f"`{name}` {type_}" for name, type_ in columns))
    assert isinstance(schema, StructType)
    return schema


def values_as_text(where: Slice) -> dict[str, list[str]]:
    return {name: [str(value) for value in values] for name, values in where.items()}


def create(run: Run, table: Table) -> None:
    if delta_log.exists(run.path(table)):
        add_new_columns(run, table)
    else:
        _make(run, table)


def add_new_columns(run: Run, table: Table) -> None:
    """Adds the columns that the contract gained to an existing table; a table without rows takes on whatever changed."""
    path = run.path(table)
    if not delta_log.exists(path):
        return
    before = {field.name: field.dataType.simpleString() for field in as_stored(data_files.columns(path))}
    now = {field.name: field.dataType.simpleString() for field in schema_of(run.spark, table.columns)}
    changed = [
        f"{name} is {type_} in the table, but {now.get(name, 'not')} in the contract"
        for name, type_ in before.items()
        if now.get(name) != type_
    ]
    if changed and data_files.files(path):
        raise ContractViolationError(
            f"{table.path} is not what its contract says: {'; '.join(changed)}. Nothing was written to it. If a column "
            "no longer comes, keep it with required=False; if its type changed, give it a new name; or move the table away, "
            "and run its days again."
        )
    if changed:
        _overwrite_schema(run, table)
    elif added := [name for name in now if name not in before]:
        _add_columns(run, table, added)


def _overwrite_schema(run: Run, table: Table) -> None:
    writer = empty_rows(run.spark, table).write.format("delta").mode("overwrite").partitionBy(*table.partition)
    with committing(run.settings.lake, table.path), spark_commit(run, {"touched": []}):
        writer.option("overwriteSchema", "true").save(run.path(table))


def _add_columns(run: Run, table: Table, names: Sequence[str]) -> None:
    fields = [Field.from_json(schema_of(run.spark, table.columns)[name].json()) for name in names]
    with committing(run.settings.lake, table.path):
        stored = delta_log.open_table(run.path(table))
        assert stored is not None
        stored.alter.add_columns(fields, commit_properties=arrow_commit(run, {"touched": []}))


def _make(run: Run, table: Table) -> None:
    path = run.path(table)
    with committing(run.settings.lake, table.path):
        _remove_empty(path)
        try:
            DeltaTable.create(
                path,
                Schema.from_json(schema_of(run.spark, table.columns).json()),
                partition_by=[*table.partition],
                configuration=table_properties.of_spark_table(table),
                storage_options=delta_options(path),
                commit_properties=arrow_commit(run, {"touched": []}),
            )
        except DeltaError:
            # Another machine may have made it meanwhile.
            if not delta_log.exists(path):
                raise


def _remove_empty(path: str) -> None:
    """Remove the log that a killed creation left without a commit: Delta takes the folder for a broken table."""
    if is_local(path) and not delta_log.exists(path):
        shutil.rmtree(local_path(path) / "_delta_log", ignore_errors=True)


def as_stored(columns: Mapping[str, Any]) -> StructType:
    return StructType.fromJson({"fields": [{**_NULLABLE, "name": name, "type": columns[name]} for name in columns]})


def write_whole(rows: DataFrame | pa.Table, uri: str) -> None:
    """Makes a table hold exactly these rows.

    A Spark Connect server keeps the collation of text that Python made, a type that no Delta reader knows: a cast drops it.
    """
    if isinstance(rows, pa.Table):
        options = delta_options(uri)
        write_deltalake(uri, rows, mode="overwrite", schema_mode="overwrite", storage_options=options)
        return
    texts = {field.name for field in rows.schema if isinstance(field.dataType, StringType)}
    columns = [
        F.col(f"`{name}`").cast("string").alias(name) if name in texts else F.col(f"`{name}`") for name in rows.columns
    ]
    rows.select(*columns).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(uri)


def retry_on_conflict(action: Callable[[], T]) -> T:
    """Retries if another writer committed first, and only then."""
    return retry(action, CONFLICTS, 0.5, 2.0)


@cache
def record_hash(columns: tuple[str, ...]) -> Column:
    """A 128-bit hash of the values that are not null, and of their names.

    A column that the contract gains leaves the hash of older records as it was. Spark's hash skips nulls.
    """
    said = [part for name in sorted(columns) for part in (F.when(F.col(name).isNotNull(), F.lit(name)), F.col(name))]
    return F.concat_ws("-", *[F.hex(F.xxhash64(F.lit(seed), *said)) for seed in (0, 1)])
