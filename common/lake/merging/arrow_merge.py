"""Apply a difference that fits into this process with `deltalake`: Spark takes much longer to plan it.

Rows that no stored file can hold replace the slice that they alone are in; others need a MERGE, which takes the longer, the
more files the table has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.table import TableMerger

from common.days import as_stored
from common.errors import LakeNotWritableError
from common.lake.log import open_tables
from common.lake.log.commit_metadata import after_commit, arrow_commit
from common.lake.log.data_files import DataFile
from common.lake.log.decisions import DecidedMeanwhileError
from common.lake.merging.difference import ACTION, DELETE, INSERT, UPDATE, SliceDifference, to_do
from common.lake.sql_conditions import Slice, in_slice
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
    slice_of_its_own = _slice_of_its_own(run, diff, rows)
    try:
        if slice_of_its_own:
            _replace(diff, rows, stored, slice_of_its_own, commit)
        else:
            _merge(run, diff, rows, stored, commit).execute()
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


def _slice_of_its_own(run: Run, diff: SliceDifference, rows: pa.Table) -> Slice | None:
    """What all rows have in common and no stored row has, as far as the files' statistics tell; None if there is nothing."""
    files = diff.stored_files(run)
    if not files:
        return diff.touched
    if diff.change.updated or diff.change.deleted:
        return None
    for name in diff.table.stats:
        of_the_day = pc.all(pc.equal(rows[name], as_stored(run.ds)), skip_nulls=False).as_py()
        if of_the_day and not any(file.covers(name, str(run.ds)) for file in files):
            return {**diff.touched, name: [run.ds]}
    return None


def _replace(diff: SliceDifference, rows: pa.Table, stored: DeltaTable, where: Slice, commit: CommitProperties) -> None:
    write_deltalake(
        stored,
        rows.drop_columns([ACTION]),
        mode="overwrite",
        predicate=in_slice(where),
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
