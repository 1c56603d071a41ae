"""Apply a difference that fits into this process by a MERGE of `deltalake`: Spark takes much longer to plan one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.table import TableMerger

from common.errors import LakeNotWritableError
from common.lake.log import open_tables
from common.lake.log.commit_metadata import after_commit, arrow_commit
from common.lake.log.data_files import DataFile
from common.lake.log.decisions import DecidedMeanwhileError
from common.lake.merging.difference import ACTION, DELETE, INSERT, UPDATE, SliceDifference, to_do
from common.lake.sql_conditions import in_slice
from common.runtime import plan_size

if TYPE_CHECKING:
    from common.runtime.run import Run

# Of the values to write, and of the stored files that may have to be rewritten.
SMALL_BYTES = 64 << 20


def fits(run: Run, diff: SliceDifference) -> bool:
    """Whether the rows, and the files that they may change, are few enough for one process."""
    if diff.change.rows > plan_size.FEW_ROWS or diff.bytes is None or diff.bytes > SMALL_BYTES:
        return False
    return sum(file.bytes for file in _files_to_read(run, diff)) <= SMALL_BYTES


def _files_to_read(run: Run, diff: SliceDifference) -> list[DataFile]:
    files = diff.stored_files(run)
    return [file for file in files if file.covers("arrived", str(run.ds))] if diff.skips_other_arrivals else files


def apply(run: Run, diff: SliceDifference, books: Mapping[str, Any]) -> int:
    """Return the version that was made."""
    rows = diff.as_arrow()
    # Opened before the commit is signed: Delta itself checks against whatever is committed from now on.
    stored = diff.decision.opened()
    # A column that the contract gained stands last in the table, whatever its place in the contract.
    schema = pa.schema([*pa.schema(stored.schema().to_arrow()), rows.schema.field(ACTION)])
    commit = diff.decision.in_properties(arrow_commit(run, {**books, **diff.decision.books}))
    rows = rows.select(schema.names).cast(schema)
    try:
        if diff.stored_files(run):
            _merge(run, diff, rows, stored, commit).execute()
        else:
            _replace(diff, rows, stored, commit)
    except CommitFailedError:
        raise
    except (DeltaError, OSError) as error:
        return _committed_all_the_same(run, diff, error)
    open_tables.give_back(diff.decision.uri, stored)
    return diff.decision.require_committed(run)


def _committed_all_the_same(run: Run, diff: SliceDifference, error: Exception) -> int:
    """The version, if the error came after the commit, such as in a checkpoint."""
    try:
        return diff.decision.require_committed(run)
    except DecidedMeanwhileError:
        raise LakeNotWritableError(
            f"{diff.table.path} could not be written: {error}. Nothing was committed to it. Is there free space, and "
            "may this user write there? Run the day again."
        ) from error


def _replace(diff: SliceDifference, rows: pa.Table, stored: DeltaTable, commit: CommitProperties) -> None:
    """Into a slice without rows: a MERGE compares with the statistics of all files of the table, to find none."""
    write_deltalake(
        stored,
        rows.drop_columns([ACTION]),
        mode="overwrite",
        predicate=in_slice(diff.touched),
        partition_by=[*diff.table.partition],
        commit_properties=commit,
        post_commithook_properties=after_commit(stored),
    )


def _merge(
    run: Run, diff: SliceDifference, rows: pa.Table, stored: DeltaTable, commit: CommitProperties
) -> TableMerger:
    after = after_commit(stored)
    return (
        stored.merge(
            rows, diff.same_row(run.ds, "t."), "s", "t", commit_properties=commit, post_commithook_properties=after
        )
        .when_matched_delete(to_do(DELETE))
        .when_matched_update(diff.values, to_do(UPDATE))
        .when_not_matched_insert(diff.values, to_do(INSERT))
    )
