"""Versions of a key: which one counts, when it became known, and when a better one replaced it.

A version is one accepted record of a key, as it arrived on one day. Versions rank by the contract's winner order, then by
later arrival (a correction), then by the record's hash; a record that arrives again ranks behind its first arrival. A
version is superseded on the day the first better one arrived. That depends on the set of versions alone, so the order in
which days run leaves no trace. Known on D are the versions with arrived <= D that were not superseded by D: one per key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.changes import DELETED, changes_of
from common.contracts.contract import Contract
from common.days import EPOCHS, as_stored, day_range, from_text
from common.lake import spark_tables
from common.lake.log import data_files
from common.lake.period_columns import distance, later, literal, none
from common.lake.sql_conditions import Slice
from common.runtime.run import Run


def rows_known(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """The rows of those event dates as they were known: a row that was replaced later stands in for its replacement."""
    return without_deleted(_versions_known(run, event_dates, on), run.contract)


def without_deleted(rows: DataFrame, contract: Contract) -> DataFrame:
    """The rows that are there, where a change may also say that a row is gone."""
    return rows.where(~F.col(DELETED)) if changes_of(contract) else rows


def _versions_known(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    if run.left_out:
        return _versions_admitted(run, event_dates).where(known_on(on)).drop("superseded")
    processed, aside = layout.row_versions(run.contract)
    where = {"event_date": list(event_dates)}
    replaced = spark_tables.read_partitions(run, aside, where).where(known_on(on)).drop("superseded")
    current = spark_tables.read_partitions(run, processed, where).where(F.col("arrived") <= literal(on))
    return _union(_not_set_aside(run, current, replaced), replaced)


def versions_moved(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """The versions that arrived on that day, and those that its arrivals superseded."""
    moved = (F.col("arrived") == literal(on)) | (F.col("superseded") == literal(on))
    if run.left_out:
        return _versions_admitted(run, event_dates).where(moved)
    processed, aside = layout.row_versions(run.contract)
    where = {"event_date": list(event_dates)}
    arrived = spark_tables.read_partitions(run, processed, where).where(F.col("arrived") == literal(on))
    return _union(arrived, spark_tables.read_partitions(run, aside, where).where(moved))


def moved_dates(run: Run) -> list[date]:
    """The event dates whose file statistics allow rows that arrived, or were superseded, on ds.

    Of all event dates: the day may have run when the contract allowed more lateness than it does now.
    """
    found = set[str]()
    for table in layout.row_versions(run.contract):
        uri, at = run.path(table), run.at.get(table.path)
        found |= data_files.values_covering(uri, "event_date", table.stats, str(run.ds), at)
    return sorted(day for day in map(from_text, found) if day <= run.ds)


def all_versions(run: Run, event_dates: Sequence[date]) -> DataFrame:
    """Every version of those event dates that was ever known, with the day on which it was superseded."""
    if run.left_out:
        return _versions_admitted(run, event_dates)
    return _stored_versions(run, {"event_date": list(event_dates)})


def _stored_versions(run: Run, where: Slice) -> DataFrame:
    processed, aside = layout.row_versions(run.contract)
    replaced = spark_tables.read_partitions(run, aside, where)
    current = spark_tables.read_partitions(run, processed, where)
    current = _not_set_aside(run, current, replaced).withColumn("superseded", none(run.contract.every))
    return _union(current, replaced)


def _versions_admitted(run: Run, event_dates: Sequence[date]) -> DataFrame:
    """All versions of those event dates, superseded as if the arrivals that the run leaves out had never come."""
    contract, days = run.contract, run.contract.lateness
    # A version is beaten by versions of other event dates too, as far as lateness reaches.
    where: Slice = {"event_date": sorted({near for day in event_dates for near in day_range(day, days, days)})}
    admitted = _stored_versions(run, where).where(~F.col("arrived").isin(*map(as_stored, run.left_out)))
    unsettled = F.col("superseded").isin(*map(as_stored, run.left_out))
    keys = admitted.where(unsettled).select(*contract.key).distinct()
    others = admitted.join(keys, list(contract.key), "left_anti")
    again = admitted.join(keys, list(contract.key), "left_semi")
    again = settle(again.withColumn("superseded", F.when(~unsettled, F.col("superseded"))), contract, run.ds)
    return others.unionByName(again).where(F.col("event_date").isin([*map(as_stored, event_dates)]))


def _not_set_aside(run: Run, current: DataFrame, replaced: DataFrame) -> DataFrame:
    """A clean that was killed between two commits leaves a row in both tables: count it once."""
    identity = ["event_date", *run.contract.key, "record_hash", "arrived"]
    return current.join(replaced.select(*identity), identity, "left_anti")


def _union(current: DataFrame, replaced: DataFrame) -> DataFrame:
    """Casts superseded rows to the types of processed: the two tables get new columns at different times."""
    types = {field.name: field.dataType for field in current.schema if field.name in replaced.columns}
    same_types = replaced.select(*[F.col(name).cast(type_) for name, type_ in types.items()])
    return current.unionByName(same_types, allowMissingColumns=True)


def known_on(ds: date) -> Column:
    return (F.col("arrived") <= literal(ds)) & (F.col("superseded").isNull() | (F.col("superseded") > literal(ds)))


def settle(versions: DataFrame, contract: Contract, ds: date) -> DataFrame:
    """Fills in `superseded` for every version of some keys, as the run of `ds` sees them.

    A stored `superseded` of another day's arrival is kept or moves earlier: this run may not see the version that caused it.
    """
    key, ranked = list(contract.key), _ranked(versions, contract)
    # Of the versions with the same two dates, the best one beats whatever any of them beats.
    best = ranked.groupBy(*key, "arrived", "event_date").agg(F.max("_rank").alias("rank"))
    # Rows that a longer lateness let in stay comparable until their own days have run again.
    lateness = F.greatest(
        F.lit(contract.lateness), F.max(distance(F.col("event_date"), F.col("arrived"), contract.every))
    )
    rivals = best.groupBy(*key).agg(
        F.collect_list(F.struct("arrived", "event_date", "rank")).alias("_rivals"), lateness.alias("_lateness")
    )

    def beats(rival: Column) -> Column:
        first, last = F.least("event_date", rival["event_date"]), F.greatest("arrived", rival["arrived"])
        return (rival["rank"] > F.col("_rank")) & (last <= later(first, F.col("_lateness"), contract.every))

    beaten_on = F.array_min(F.transform(F.filter("_rivals", beats), lambda rival: rival["arrived"]))
    by_others = F.when(F.col("superseded") != literal(ds), F.col("superseded"))
    settled = ranked.join(rivals, key).withColumn("superseded", F.least(beaten_on, by_others))
    return settled.select(*versions.columns)


def _ranked(versions: DataFrame, contract: Contract) -> DataFrame:
    same_record = Window.partitionBy(*contract.key, "record_hash")
    first = F.min("arrived").over(same_record)
    again = distance(F.col("arrived"), literal(EPOCHS[contract.every]), contract.every)
    return versions.withColumn(
        "_rank", F.struct(*contract.winner, first.alias("_first"), "record_hash", again.alias("_again"))
    )
