"""One arrival day judged and settled: which of its records count, which are kept aside, which are refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from common.clean.as_of import known_on, settle
from common.clean.typed_day import TypedDay
from common.contracts import layout
from common.contracts.layout import Table
from common.days import day_range
from common.errors import UnbalancedBooksError
from common.lake import delta_log, spark_tables
from common.lake.merge import DELETE, INSERT, UPDATE, DesiredSlice
from common.runtime.run import Run

ORIGIN = "superseded_table"


@dataclass(frozen=True)
class SettledDay:
    """The versions of the day's keys, settled against what is stored."""

    run: Run
    again: bool  # the day may have been here before: its own rows may be stored already
    alone: DataFrame  # the day's versions that no other version stands against
    settled: DataFrame  # all versions of the keys that have several
    contested: int  # how many those are
    stored: DataFrame  # what is stored for the day's keys, with the table it is in
    stored_arrivals: list[tuple[str, date]]  # the tables and arrival days that those are of

    def current(self) -> list[DesiredSlice]:
        """First the rows that nothing is stored for: most of a day, and no stored row is read for them."""
        table, rows = layout.processed(self.run.contract), self._current
        if self.again:
            return [self._against_stored(table, rows.unionByName(self.alone))]
        dates, desired = {"event_date": self._tally["fresh_on"]}, self.alone.unionByName(self._unheard_of)
        size = self._tally["fresh"]
        fresh = DesiredSlice(
            table=table, where=dates, desired=spark_tables.conform(desired, table), size=size, new=True
        )
        if not self._has_stored(table):
            return [fresh]
        return [
            fresh,
            self._against_stored(table, rows.join(self._stored_keys, list(self.run.contract.key), "left_semi")),
        ]

    def set_aside(self) -> list[DesiredSlice]:
        some = self.contested or self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(INSERT, UPDATE))] if some else []

    def taken_back(self) -> list[DesiredSlice]:
        some = self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(DELETE,))] if some else []

    @property
    def _aside(self) -> DesiredSlice:
        rows = self.settled.where(F.col("superseded").isNotNull())
        return self._against_stored(layout.superseded(self.run.contract), rows)

    def later_arrivals(self) -> list[date]:
        """Days after ds whose records this run has settled anew: their books may count them otherwise now."""
        return sorted({day for _, day in self.stored_arrivals if day > self.run.ds})

    @property
    def _current(self) -> DataFrame:
        return self.settled.where(F.col("superseded").isNull())

    @property
    def _unheard_of(self) -> DataFrame:
        """Of the contested keys' current rows those whose key has none yet. A row that moves to another date comes in the
        commit that takes the old one away, so that it is never there twice."""
        return self._current.join(self._stored_keys, list(self.run.contract.key), "left_anti")

    @property
    def _stored_keys(self) -> DataFrame:
        table = layout.processed(self.run.contract)
        return F.broadcast(self.stored.where(F.col(ORIGIN) == F.lit(table.path)).select(*self.run.contract.key))

    def _has_stored(self, table: Table) -> bool:
        return any(path == table.path for path, _ in self.stored_arrivals)

    @property
    def _reach(self) -> spark_tables.Slice:
        days = self.run.contract.lateness_days
        return {"event_date": day_range(self.run.ds, 2 * days, days)}

    def _against_stored(self, table: Table, rows: DataFrame) -> DesiredSlice:
        stored = self.stored.where(F.col(ORIGIN) == F.lit(table.path))
        desired, existing = spark_tables.conform(rows, table), spark_tables.conform(stored, table)
        return DesiredSlice(table=table, where=self._reach, desired=desired, existing=existing)

    @cached_property
    def _tally(self) -> Row:
        """The day's rows as known on ds, so that they are the same whatever has run since."""
        run = self.run
        mine = F.col("arrived") == F.lit(run.ds)
        same_record = Window.partitionBy(*run.contract.key, "record_hash")
        again = F.min("arrived").over(same_record) < F.col("arrived")
        columns = ["event_date", "arrived", "superseded"]
        yes, no = F.lit(True), F.lit(False)
        alone = self.alone.select(*columns, no.alias("again"), yes.alias("fresh"), yes.alias("counts"))
        settled = self.settled.select(*columns, again.alias("again"), no.alias("fresh"), mine.alias("counts"))
        fresh = self._unheard_of.select(*columns, no.alias("again"), yes.alias("fresh"), no.alias("counts"))
        known = F.col("counts") & known_on(run.ds)
        beaten, on_ds = F.col("counts") & ~known_on(run.ds), F.col("event_date") == F.lit(run.ds)
        found = (
            alone.unionByName(settled)
            .unionByName(fresh)
            .agg(
                _count(known & on_ds).alias("accepted"),
                _count(known & ~on_ds).alias("late"),
                _count(beaten & ~F.col("again")).alias("superseded"),
                _count(beaten & F.col("again")).alias("again"),
                _count(F.col("fresh")).alias("fresh"),
                F.sort_array(F.collect_set(F.when(F.col("fresh"), F.col("event_date")))).alias("fresh_on"),
            )
            .first()
        )
        assert found is not None
        return found

    def counts(self, day: TypedDay) -> dict[str, int]:
        counts = {
            "rows_in": day.counts["rows_in"],
            "accepted": self._tally["accepted"],
            "late": self._tally["late"],
            "superseded": self._tally["superseded"],
            "duplicates": day.counts["copies"] + self._tally["again"],
            "quarantined": day.counts["quarantined"],
        }
        balance(counts)
        return counts


def balance(counts: dict[str, int]) -> None:
    out = {name: count for name, count in counts.items() if name != "rows_in"}
    if sum(out.values()) != counts["rows_in"]:
        raise UnbalancedBooksError(
            f"{counts['rows_in']} rows came in and {sum(out.values())} are accounted for ({out}); nothing was committed. "
            "This is a fault of the pipeline or of a transform: a derive must neither drop nor add rows."
        )


def _count(condition: Column) -> Column:
    return F.coalesce(F.count_if(condition), F.lit(0))


def settle_day(day: TypedDay) -> SettledDay:
    """Finds what is stored for the day's keys, and says of every version until when it was known."""
    run, contract = day.run, day.run.contract
    key, versions = list(contract.key), day.versions
    again = _may_be_stored(run)
    stored, seen = spark_tables.materialize(
        _stored(run, versions, again), arrivals=F.collect_set(F.struct(ORIGIN, "arrived"))
    )
    others = stored.where(F.col("arrived") != F.lit(run.ds))
    twice = day.several.groupBy(*key).count().where("count > 1").select(*key)
    keys = spark_tables.broadcast_if_small(twice.unionByName(others.select(*key)).distinct())
    contested = versions.join(keys, key, "left_semi").unionByName(others.drop(ORIGIN))
    settled, size = spark_tables.materialize(settle(contested, contract, run.ds), versions=F.count(F.lit(1)))
    alone = versions.join(keys, key, "left_anti")
    return SettledDay(run, again, alone, settled, size["versions"], stored, [tuple(row) for row in seen["arrivals"]])


def _stored(run: Run, versions: DataFrame, again: bool) -> DataFrame:
    """The stored versions of the day's keys, from the event dates that can hold any."""
    contract = run.contract
    reach = contract.lateness_days
    where: spark_tables.Slice = {"event_date": day_range(run.ds, 2 * reach if again else reach, reach)}
    current, aside = layout.processed(contract), layout.superseded(contract)
    known = spark_tables.read_partitions(run, current, where).withColumn(ORIGIN, F.lit(current.path))
    replaced = spark_tables.read_partitions(run, aside, where).withColumn(ORIGIN, F.lit(aside.path))
    every = replaced.unionByName(known, allowMissingColumns=True)
    key = F.xxhash64(*contract.key)
    keys = versions.select(key.alias("_key"))
    if again:
        mine = (F.col("arrived") == F.lit(run.ds)) | (F.col("superseded") == F.lit(run.ds))
        keys = keys.union(every.where(mine).select(key))
    # Joined on a hash, eight bytes a key; a key that only shares the hash settles to what it already is.
    return every.withColumn("_key", key).join(keys, "_key", "left_semi").drop("_key")


def _may_be_stored(run: Run) -> bool:
    """Whether rows of this arrival day may be stored, or rows that it superseded: by the files' statistics."""
    contract, ds = run.contract, str(run.ds)
    where = spark_tables.values_as_text({"event_date": day_range(run.ds, contract.lateness_days)})
    for table in (layout.processed(contract), layout.superseded(contract)):
        for file in delta_log.files(run.path(table), **where):
            if any(file.covers(column, ds) for column in table.stats):
                return True
    return False
