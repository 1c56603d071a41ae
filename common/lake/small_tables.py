"""Small tables of facts about the data, written without Spark: a day's few rows take milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from common.contracts.layout import Table
from common.days import HOUR, as_stored
from common.errors import LakeNotWritableError
from common.lake import table_properties
from common.lake.log import delta_log
from common.lake.log.commit_metadata import arrow_commit
from common.lake.slices import Replacement, replace_slice
from common.lake.sql_conditions import Slice
from common.lake.storage.locks import committing

if TYPE_CHECKING:
    from common.runtime.run import Run

ROWS_AT_ONCE = 8_192
# Raised when the lake cannot be written, or the table cannot be read.
WRITE_ERRORS = (OSError, DeltaError, LakeNotWritableError)


def write_slice(
    run: Run,
    table: Table,
    schema: pa.Schema,
    rows: Sequence[dict[str, Any]],
    where: Slice,
    books: Mapping[str, Any] | None = None,
) -> bool:
    """Replace the slice with these rows; write nothing if it already holds them.

    Each partition stays one file: every commit takes the longer, the more files the table has.
    """
    schema = _of_periods(schema, run.contract.every)
    stored_rows = [{**row, "ds": as_stored(row["ds"])} for row in rows]
    desired = _ordered(pa.Table.from_pylist(stored_rows, schema=schema), table, schema)

    partitions = {name: where[name] for name in table.partition}

    def decide(stored: DeltaTable | None) -> Replacement | None:
        rows = desired
        if stored is not None:
            before = _ordered(_rows(stored, partitions), table, schema)
            if _same(before.filter(_chosen(where)), desired):
                return None
            rows = pa.concat_tables([before.filter(~_chosen(where)), desired])
        return Replacement(partitions, rows, arrow_commit(run, books), adds_columns=True)

    with committing(run.settings.lake, table.path):
        return replace_slice(
            run.path(table),
            decide,
            partition_by=table.partition,
            configuration=table_properties.of_small_table(table),
        )


def read_slice(path: str, where: Slice, columns: list[str] | None = None, version: int | None = None) -> pa.Table:
    """The rows with those values, read from their partitions only; none without a table."""
    with delta_log.reading(path, version) as stored:
        return pa.table({}) if stored is None else _rows(stored, where, columns)


def read_batches(path: str, where: Slice, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The same rows, a few thousand at a time: a slice may hold more than this process can."""
    with delta_log.reading(path) as stored:
        rows = None if stored is None else _partitions(stored, where)
    if rows is not None:
        few = {"batch_size": ROWS_AT_ONCE, "batch_readahead": 2, "fragment_readahead": 1}
        yield from rows.to_batches(filter=_chosen(where), columns=columns, **few)


def each_row(path: str, where: Slice, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    for batch in read_batches(path, where, columns):
        yield from batch.to_pylist()


def _rows(stored: DeltaTable, where: Slice, columns: list[str] | None = None) -> pa.Table:
    return _partitions(stored, where).to_table(filter=_chosen(where), columns=columns)


def _partitions(stored: DeltaTable, where: Slice) -> Any:
    parts = {name: [*map(str, where[name])] for name in stored.metadata().partition_columns if name in where}
    return delta_log.dataset(stored, parts)


def _chosen(where: Slice) -> pc.Expression:
    conditions = [pc.field(name).isin([*map(as_stored, values)]) for name, values in where.items()]
    return reduce(lambda one, other: one & other, conditions)


def _of_periods(schema: pa.Schema, every: str) -> pa.Schema:
    """The schema with `ds` as the dataset's periods need it: a date, or the text of an hour."""
    return schema.set(schema.get_field_index("ds"), pa.field("ds", pa.string())) if every == HOUR else schema


def _ordered(rows: pa.Table, table: Table, schema: pa.Schema) -> pa.Table:
    for field in schema:  # a column that a later version added
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    named = rows.select(table.names).combine_chunks()
    return named.sort_by([(name, "ascending") for name in table.identity])


def _same(stored: pa.Table, desired: pa.Table) -> bool:
    """Compare two tables, treating NaN as equal to NaN, which Arrow does not."""
    return bool(stored.equals(desired)) or str(stored.to_pylist()) == str(desired.to_pylist())
