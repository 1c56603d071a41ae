"""Replace a slice of a Delta table without Spark; safe against writers that do not share our locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from common.lake.log import delta_log
from common.lake.log.commit_metadata import after_commit
from common.lake.sql_conditions import Slice, in_slice
from common.lake.storage.retry import retry
from common.runtime.object_store import delta_options


@dataclass(frozen=True)
class Replacement:
    """The rows that replace those with the values of `where`, and what their commit says."""

    where: Slice
    rows: pa.Table | pa.RecordBatchReader
    commit: CommitProperties
    adds_columns: bool = False


# Takes the table as it stands, None if there is none; returns None to write nothing.
Decide = Callable[[DeltaTable | None], Replacement | None]


def replace_slice(
    uri: str, decide: Decide, *, partition_by: Sequence[str], configuration: Mapping[str, str] | None = None
) -> bool:
    """Write what `decide` returns; if another writer commits to that slice meanwhile, decide again. Return whether it wrote."""

    def decide_and_write() -> bool:
        with delta_log.reading(uri) as table:
            chosen = decide(table)
            if chosen is None:
                return False
            if table is None:
                _create(uri, chosen, partition_by, configuration)
            else:
                # The table is the one that was decided on: a conflict is anything committed to the slice since.
                _overwrite(table, chosen, partition_by)
            return True

    return retry(decide_and_write, (CommitFailedError,), 0.05, 0.3)


def _create(
    uri: str, chosen: Replacement, partition_by: Sequence[str], configuration: Mapping[str, str] | None
) -> None:
    try:
        write_deltalake(
            uri,
            chosen.rows,
            mode="error",
            partition_by=list(partition_by),
            configuration=configuration,
            storage_options=delta_options(uri),
            # A retry would append to a table that another writer has created meanwhile.
            commit_properties=CommitProperties(chosen.commit.custom_metadata, max_commit_retries=0),
        )
    except DeltaError as error:
        if delta_log.exists(uri):
            raise CommitFailedError(f"another writer has created {uri} meanwhile") from error
        raise


def _overwrite(table: DeltaTable, chosen: Replacement, partition_by: Sequence[str]) -> None:
    write_deltalake(
        table,
        chosen.rows,
        mode="overwrite",
        predicate=in_slice(chosen.where),
        partition_by=list(partition_by),
        schema_mode="merge" if chosen.adds_columns else None,
        commit_properties=chosen.commit,
        post_commithook_properties=after_commit(table),
    )
