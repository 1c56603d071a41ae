"""Apply a difference that fits this process with `deltalake`, in a fraction of the time that Spark plans a MERGE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake

from common.lake import delta_log
from common.lake.commit_metadata import arrow_commit
from common.lake.difference import ACTION, DELETE, INSERT, UPDATE, Difference
from common.lake.slices import slice_predicate

if TYPE_CHECKING:
    from common.runtime.run import Run

SMALL_ROWS = 20_000
# Of the values to write, and of the stored files that may have to be rewritten.
SMALL_BYTES = 64 << 20


def fits(run: Run, diff: Difference) -> bool:
    """Whether the rows, and the files that they may change, are few enough for one process."""
    if diff.change.rows > SMALL_ROWS or diff.bytes is None or diff.bytes > SMALL_BYTES:
        return False
    stored = [] if diff.blank else _files(run, diff)
    return sum(stored) <= SMALL_BYTES


def _files(run: Run, diff: Difference) -> list[int]:
    touched = {name: [str(value) for value in values] for name, values in diff.touched.items()}
    return [file.bytes for file in delta_log.files(run.path(diff.table), **touched)]


def apply(run: Run, diff: Difference, books: Mapping[str, Any]) -> int:
    """Return the version that was made."""
    rows = diff.rows.toArrow()
    # Opened before the commit is signed: whatever is committed from now on meets Delta's own check.
    stored = diff.decision.opened()
    rows = rows.cast(pa.schema([*pa.schema(stored.schema().to_arrow()), rows.schema.field(ACTION)]))
    commit = diff.decision.in_properties(arrow_commit(run, {**books, **diff.decision.books}))
    if diff.blank:
        write_deltalake(
            stored,
            rows.drop_columns([ACTION]),
            mode="overwrite",
            predicate=slice_predicate(diff.touched),
            partition_by=[*diff.table.partition],
            commit_properties=commit,
        )
    else:
        _merge(run, diff, rows, stored, commit)
    diff.decision.number += 1
    return stored.version()


def _merge(run: Run, diff: Difference, rows: pa.Table, stored: DeltaTable, commit: CommitProperties) -> None:
    names = diff.table.names
    condition = [slice_predicate(diff.touched, "t."), *[f't."{name}" = s."{name}"' for name in diff.table.identity]]
    if diff.change.updated or diff.change.deleted:
        # Rows to insert match nothing, so leave them out of the join.
        condition.append(f"s.{ACTION} <> '{INSERT}'")
    elif "arrived" in names:
        # New rows can only match rows of the same arrival: statistics then skip the files of other days.
        condition.append(f"t.arrived = '{run.ds}'")
    values = {f'"{name}"': f's."{name}"' for name in names}
    (
        stored.merge(rows, " AND ".join(condition), "s", "t", commit_properties=commit)
        .when_matched_delete(f"s.{ACTION} = '{DELETE}'")
        .when_matched_update(values, f"s.{ACTION} = '{UPDATE}'")
        .when_not_matched_insert(values, f"s.{ACTION} = '{INSERT}'")
        .execute()
    )
