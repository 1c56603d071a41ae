"""Small tables of facts about the data, written without Spark: a day's few rows take milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from common.contracts.layout import Table
from common.errors import LakeNotWritableError
from common.lake import delta_log, table_properties
from common.lake.commit_metadata import arrow_commit
from common.lake.locks import committing

if TYPE_CHECKING:
    from common.runtime.run import Run

Slice = Mapping[str, Sequence[Any]]
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
    """Replace the slice with these rows; write nothing if it already holds them."""
    path = run.path(table)
    desired = _ordered(pa.Table.from_pylist(list(rows), schema=schema), table)
    with committing(run.settings.lake, table.path):
        there = delta_log.exists(path)
        if there and _same(_ordered(read_slice(path, where), table), desired):
            return False
        write_deltalake(
            path,
            desired,
            mode="overwrite",
            predicate=slice_predicate(where) if there else None,
            partition_by=list(table.partition),
            configuration=table_properties.of_small_table(table),
            commit_properties=arrow_commit(run, books),
        )
    return True


def slice_predicate(where: Slice) -> str:
    """For `deltalake`. Pass dates and declared names only, never input of a user or of the data."""
    return " AND ".join(f"{name} IN ({', '.join(repr(str(value)) for value in where[name])})" for name in where)


def read_slice(path: str, where: Slice, columns: list[str] | None = None, version: int | None = None) -> pa.Table:
    """The rows with those values, read from their partitions only; none without a table."""
    if not delta_log.exists(path):
        return pa.table({})
    conditions = [pc.field(name).isin(list(values)) for name, values in where.items()]
    chosen = reduce(lambda one, other: one & other, conditions)
    return DeltaTable(path, version=version).to_pyarrow_table(filters=chosen, columns=columns)


def _ordered(rows: pa.Table, table: Table) -> pa.Table:
    named = rows.select(table.names).combine_chunks()
    return named.sort_by([(name, "ascending") for name in table.identity])


def _same(stored: pa.Table, desired: pa.Table) -> bool:
    """Compare two tables, treating NaN as equal to NaN, which Arrow does not."""
    return bool(stored.equals(desired)) or str(stored.to_pylist()) == str(desired.to_pylist())
