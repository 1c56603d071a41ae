"""The stored versions that bear on a day's records: those of their keys, on the event dates that they can reach."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.changes import event_dates
from common.contracts.contract import LINE
from common.days import day_range, from_text, shifted
from common.lake import spark_tables
from common.lake.log import data_files
from common.lake.period_columns import literal
from common.lake.sql_conditions import Slice
from common.runtime.run import Run

ORIGIN = "superseded_table"
FURTHER = "further"  # as the origin of a current row on an event date that the day's records can't reach
MOVED_TOO_FAR = "moved_too_far"


def reach(run: Run, own_dates: list[date]) -> Slice:
    """The event dates of rows that a day which runs again can change."""
    days = run.contract.lateness
    return {"event_date": sorted({*event_dates(run.contract, run.ds, 2 * days, days), *own_dates})}


def of_keys(run: Run, versions: DataFrame, own_dates: list[date]) -> DataFrame:
    """The stored versions of the day's keys, each with its table: from the event dates that lateness allows, and further."""
    contract = run.contract
    days = contract.lateness
    where = reach(run, own_dates) if own_dates else {"event_date": event_dates(contract, run.ds, days, days)}
    current, aside = layout.row_versions(contract)
    known = spark_tables.read_partitions(run, current, where).withColumn(ORIGIN, F.lit(current.path))
    replaced = spark_tables.read_partitions(run, aside, where).withColumn(ORIGIN, F.lit(aside.path))
    every = replaced.unionByName(known, allowMissingColumns=True)
    if further := _further_dates(run, where["event_date"]):
        names = [*contract.key, "event_date", "arrived"]
        rows = spark_tables.read_partitions(run, current, {"event_date": further}).select(*names)
        every = every.unionByName(rows.withColumn(ORIGIN, F.lit(FURTHER)), allowMissingColumns=True)
    key = F.xxhash64(*contract.key)
    keys = versions.select(key.alias("_key"))
    if own_dates:
        mine = (F.col("arrived") == literal(run.ds)) | (F.col("superseded") == literal(run.ds))
        keys = keys.union(every.where(mine).select(key))
    # Join on an 8-byte hash of the key; a key that only collides settles to what it already is.
    return every.withColumn("_key", key).join(keys, "_key", "left_semi").drop("_key")


def too_far(run: Run) -> Column:
    """Stored rows that no record of the day can replace: it would stand beside them, and the event would count twice.

    Also rows of an arrival that the gate has refused. Clean judges what arrived, and the gate what is read: a verdict that
    changes later moves no row. Once that arrival is sent again without the row, this day is stale.
    """
    if run.contract.event_time is None:
        return F.lit(False)
    since = literal(shifted(run.ds, -run.contract.lateness))
    current = F.col(ORIGIN).isin(layout.processed(run.contract).path, FURTHER)
    return current & (F.col("arrived") < literal(run.ds)) & (F.col("event_date") < since)


def days_with_moved_records(run: Run) -> list[date]:
    """Later days with records that moved too far from a stored row, which may be one that this run replaces or takes back."""
    table = layout.quarantine(run.contract)
    days = [str(day) for day in _further_dates(run, []) if day > run.ds]
    written = {file.partition["ds"] for file in data_files.files(run.path(table), ds=days, job=["clean"])}
    if not written:
        return []
    where: Slice = {"ds": [from_text(day) for day in sorted(written)], "job": ["clean"]}
    refused = spark_tables.read_partitions(run, table, where).where(F.array_contains("reasons", MOVED_TOO_FAR))
    return [from_text(row["ds"]) for row in refused.select("ds").distinct().collect()]


def _further_dates(run: Run, near: Sequence[date | str]) -> list[date]:
    """The event dates beyond lateness that share a window with the day's; only keys are read. A LINE key never moves."""
    beyond = run.contract.features.days_back + run.contract.lateness
    if run.contract.event_time is None or run.contract.key == LINE:
        return []
    return sorted({*day_range(run.ds, beyond, beyond)} - {*near})
