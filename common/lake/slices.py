"""Replace a slice of a Delta table without Spark; safe against writers that do not share our locks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from common.lake import delta_log
from common.runtime.object_store import delta_options

Slice = Mapping[str, Sequence[Any]]
TRIES = 5


@dataclass(frozen=True)
class Replacement:
    """The rows that replace those with the values of `where`, and what their commit says."""

    where: Slice
    rows: pa.Table | pa.RecordBatchReader
    commit: CommitProperties


# Takes the table as it stands, None if there is none; returns None to write nothing.
Decide = Callable[[DeltaTable | None], Replacement | None]


def replace_slice(
    uri: str, decide: Decide, *, partition_by: Sequence[str], configuration: Mapping[str, str] | None = None
) -> bool:
    """Write what `decide` returns; if another writer commits to that slice meanwhile, decide anew. Return whether it wrote."""
    for attempt in range(1, TRIES + 1):
        table = delta_log.open_table(uri)
        chosen = decide(table)
        if chosen is None:
            return False
        try:
            if table is None:
                _create(uri, chosen, partition_by, configuration)
            else:
                # The table is the one that was decided on: a conflict is anything committed to the slice since.
                _overwrite(table, chosen, partition_by)
        except DeltaError as error:
            overtaken = isinstance(error, CommitFailedError) or (table is None and delta_log.exists(uri))
            if attempt == TRIES or not overtaken:
                raise
            time.sleep(random.uniform(0.05, 0.3) * attempt)  # noqa: S311
        else:
            return True
    return False


def slice_predicate(where: Slice, prefix: str = "") -> str:
    """For `deltalake`. Pass dates and declared names only, never input of a user or of the data."""
    return " AND ".join(f"{prefix}{name} IN ({', '.join(repr(str(value)) for value in where[name])})" for name in where)


def _create(
    uri: str, chosen: Replacement, partition_by: Sequence[str], configuration: Mapping[str, str] | None
) -> None:
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


def _overwrite(table: DeltaTable, chosen: Replacement, partition_by: Sequence[str]) -> None:
    write_deltalake(
        table,
        chosen.rows,
        mode="overwrite",
        predicate=slice_predicate(chosen.where),
        partition_by=list(partition_by),
        commit_properties=chosen.commit,
    )
