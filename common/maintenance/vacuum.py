"""Removes the files that neither a pin nor a version within its retention needs."""

from __future__ import annotations

from functools import partial

from deltalake import DeltaTable

from common.contracts import layout
from common.contracts.layout import Table
from common.lake import delta_log, pins
from common.lake.commit_metadata import arrow_commit
from common.lake.files import list_files
from common.lake.locks import committing
from common.runtime.run import Run


def vacuum(run: Run, older_than_hours: int | None = None) -> dict[str, int]:
    """Removes what neither a pin needs nor a version within the table's own retention; the number of files by table."""
    every = (
        layout.raw,
        layout.quarantine,
        layout.processed,
        layout.superseded,
        layout.partials,
        layout.features,
        layout.published,
    )
    mine = [table(run.contract) for table in every]
    there = [table for table in mine if delta_log.exists(run.path(table))]
    return {table.path: _vacuum(run, table, older_than_hours) for table in there}


def _vacuum(run: Run, table: Table, hours: int | None) -> int:
    with committing(run.settings.lake, table.path):
        remove = partial(
            DeltaTable(run.path(table)).vacuum,
            retention_hours=hours,
            enforce_retention_duration=hours is None,
            full=True,
            commit_properties=arrow_commit(run),
            keep_versions=pins.kept_versions(run.settings.lake, table.path) or None,
        )
        # What it would remove names some again that were gone before: for these alone, no version is written.
        before = _data_files(run.path(table))
        if not {_name(path) for path in before} & {_name(path) for path in remove(dry_run=True)}:
            return 0
        remove(dry_run=False)
        return len(before - _data_files(run.path(table)))


def _data_files(uri: str) -> set[str]:
    """Those that are there, live or not."""
    found = [each.path for each in list_files(uri, recursive=True)]
    return {path for path in found if path.endswith(".parquet") and "_delta_log" not in path}


def _name(path: str) -> str:
    """Of a file, which is the same however a log writes the folders before it."""
    return path.rpartition("/")[2]
