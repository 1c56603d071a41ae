"""Delta table properties: how long versions stay readable, and which statistics files carry."""

from __future__ import annotations

from collections.abc import Sequence

from common.contracts.layout import Table

# A pin may outlive a table's retention, and needs the log to be read.
FOR_GOOD = 36_500
# Spark's own interval; deltalake would write a checkpoint every hundred commits, and readers read the log since.
CHECKPOINTS = {"delta.checkpointInterval": "10"}


def file_retention(days: int) -> dict[str, str]:
    """Keep removed files for time travel; Delta's own default ends after 7 days."""
    return {"delta.deletedFileRetentionDuration": f"interval {days} days"}


def log_retention(days: int) -> dict[str, str]:
    return {"delta.logRetentionDuration": f"interval {days} days"}


def statistics(columns: Sequence[str]) -> dict[str, str]:
    """Statistics only on the columns that files are skipped by: long texts would bloat the log."""
    return {"delta.dataSkippingStatsColumns": ",".join(columns)}


def of_spark_table(table: Table) -> dict[str, str]:
    """No deletion vectors: plain readers refuse them."""
    days = table.retention_days
    settings = {"delta.enableDeletionVectors": "false", **CHECKPOINTS}
    return {**file_retention(days), **log_retention(days), **statistics(table.stats), **settings}


def of_published_table(table: Table, entity: str) -> dict[str, str]:
    return {**file_retention(table.retention_days), **log_retention(FOR_GOOD), **statistics([entity]), **CHECKPOINTS}


def of_small_table(table: Table) -> dict[str, str]:
    """No statistics, which each commit would read of all files again: its files are found by their partition."""
    days = table.retention_days
    return {**file_retention(days), **log_retention(days), **statistics([]), **CHECKPOINTS}
