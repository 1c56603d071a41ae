"""Delta table properties: how long versions stay readable, and which statistics files carry."""

from __future__ import annotations

from collections.abc import Sequence

from common.contracts.layout import Table

# A pin may outlive a table's retention, and needs the log to be read.
FOR_GOOD = 36_500


def retention(table: Table, log_days: int | None = None) -> dict[str, str]:
    """Time travel for as long as the contract says; Delta's own default ends after 7 days."""
    return {
        "delta.deletedFileRetentionDuration": f"interval {table.retention_days} days",
        "delta.logRetentionDuration": f"interval {log_days or table.retention_days} days",
    }


def statistics(columns: Sequence[str]) -> dict[str, str]:
    """Statistics only on the columns that files are skipped by: long texts would bloat the log."""
    return {"delta.dataSkippingStatsColumns": ",".join(columns)}


def of_spark_table(table: Table) -> dict[str, str]:
    """No deletion vectors: plain readers refuse them."""
    return {**retention(table), **statistics(table.stats), "delta.enableDeletionVectors": "false"}


def of_published_table(table: Table, entity: str) -> dict[str, str]:
    return {**retention(table, FOR_GOOD), **statistics([entity])}


def of_small_table(table: Table) -> dict[str, str]:
    return {name: value for name, value in retention(table).items() if "deletedFile" in name}
