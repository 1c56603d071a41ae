"""Remove data files that no pin and no version within the retention needs."""

from __future__ import annotations

from functools import partial

from common.contracts import layout
from common.contracts.layout import Table
from common.lake import pins
from common.lake.log import delta_log
from common.lake.log.commit_metadata import arrow_commit
from common.lake.storage.files import list_files
from common.lake.storage.locks import committing, keeping
from common.runtime.run import Run


def vacuum(run: Run, older_than_hours: int | None = None) -> dict[str, int]:
    """Vacuum the dataset's tables, keeping pinned versions; return the number of removed files by table."""
    layouts = (
        layout.raw,
        layout.quarantine,
        layout.processed,
        layout.superseded,
        layout.partials,
        layout.features,
        layout.published,
    )
    tables = [table(run.contract) for table in layouts]
    existing = [table for table in tables if delta_log.exists(run.path(table))]
    return {table.path: _vacuum(run, table, older_than_hours) for table in existing}


def _vacuum(run: Run, table: Table, hours: int | None) -> int:
    lake = run.settings.lake
    with keeping(lake, table.path), committing(lake, table.path):
        remove = partial(
            delta_log.at_version(run.path(table)).vacuum,
            retention_hours=hours,
            enforce_retention_duration=hours is None,
            full=True,
            commit_properties=arrow_commit(run),
            keep_versions=pins.kept_versions(run.settings.lake, table.path) or None,
        )
        # A dry run also lists files removed earlier: do not write a version for those alone.
        before = _data_files(run.path(table))
        if not {_name(path) for path in before} & {_name(path) for path in remove(dry_run=True)}:
            return 0
        remove(dry_run=False)
        return len(before - _data_files(run.path(table)))


def _data_files(uri: str) -> set[str]:
    """The data files on storage, live or not."""
    paths = [file.path for file in list_files(uri, recursive=True)]
    return {path for path in paths if path.endswith(".parquet") and "_delta_log" not in path}


def _name(path: str) -> str:
    """The file name alone: the log may spell the folders differently."""
    return path.rpartition("/")[2]
