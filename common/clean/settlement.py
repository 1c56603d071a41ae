"""Settles one arrival day against what is stored: which versions count now, and which were superseded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F

from common.clean import stored_versions
from common.clean.as_of import known_on, settle
from common.clean.casting import KEY_REASON
from common.clean.stored_versions import FURTHER, MOVED_TOO_FAR, ORIGIN
from common.clean.typed_day import TypedDay
from common.contracts import layout
from common.contracts.entity import DROP
from common.contracts.layout import Table
from common.days import from_text
from common.errors import UnbalancedBooksError
from common.lake import spark_tables
from common.lake.decisions import Decision, decide
from common.lake.difference import DELETE, INSERT, UPDATE
from common.lake.merge import DesiredSlice
from common.lake.period_columns import literal
from common.runtime import plan_size
from common.runtime.run import Run


@dataclass(frozen=True)
class SettledDay:
    """Every version of the day's keys, with the day on which a better one replaced it."""

    run: Run
    own_dates: list[date]  # event dates with rows that an earlier run of this day may have stored
    alone: DataFrame  # versions whose key has no other version; of a small day all are in `settled`
    settled: DataFrame  # all versions of the other keys
    replaced: int  # number of rows in `settled` that a better one replaced
    stored: DataFrame  # the stored rows of the day's keys, with their table
    stored_arrivals: list[tuple[str, date]]  # table and arrival day of the stored rows
    moved: DataFrame | None  # keys with a stored row too far away to be corrected, and the reason to refuse them
    decisions: dict[str, Decision]  # by table, taken before the stored rows were read

    def current(self) -> list[DesiredSlice]:
        """First the keys with nothing stored: they are most of a day, and need no stored row to be read."""
        table, rows = layout.processed(self.run.contract), self._current
        if self.own_dates:
            return [self._against_stored(table, rows.unionByName(self.alone))]
        dates, desired = {"event_date": self._tally["fresh_on"]}, self.alone.unionByName(self._new_current)
        size = self._tally["fresh"]
        fresh = DesiredSlice(
            table=table,
            where=dates,
            desired=spark_tables.conform(desired, table),
            size=size,
            new=True,
            decision=self.decisions[table.path],
            after=self._aside_first(table),
        )
        if not self._has_stored(table):
            return [fresh]
        return [
            fresh,
            self._against_stored(table, rows.join(self._stored_keys, list(self.run.contract.key), "left_semi")),
        ]

    def set_aside(self) -> list[DesiredSlice]:
        some = self.replaced or self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(INSERT, UPDATE))] if some else []

    def taken_back(self) -> list[DesiredSlice]:
        some = self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(DELETE,))] if some else []

    @property
    def _aside(self) -> DesiredSlice:
        rows = self.settled.where(F.col("superseded").isNotNull())
        return self._against_stored(layout.superseded(self.run.contract), rows)

    def later_arrivals(self) -> list[date]:
        """Days after ds with records of the day's keys: their counts may have changed, or what is too far to be corrected."""
        stored = {day for _, day in self.stored_arrivals if day > self.run.ds}
        return sorted({*stored, *stored_versions.days_with_moved_records(self.run)})

    @property
    def _current(self) -> DataFrame:
        return self.settled.where(F.col("superseded").isNull())

    @property
    def _new_current(self) -> DataFrame:
        """Current rows of contested keys that have no stored row yet.

        A row that moves to another event date comes in the commit that deletes the old one, so it never exists twice.
        """
        return self._current.join(self._stored_keys, list(self.run.contract.key), "left_anti")

    @property
    def _stored_keys(self) -> DataFrame:
        table = layout.processed(self.run.contract)
        return F.broadcast(self.stored.where(F.col(ORIGIN) == F.lit(table.path)).select(*self.run.contract.key))

    def _has_stored(self, table: Table) -> bool:
        return any(path == table.path for path, _ in self.stored_arrivals)

    @property
    def _reach(self) -> spark_tables.Slice:
        return stored_versions.reach(self.run, self.own_dates)

    def _against_stored(self, table: Table, rows: DataFrame) -> DesiredSlice:
        stored = self.stored.where(F.col(ORIGIN) == F.lit(table.path))
        desired, existing = spark_tables.conform(rows, table), spark_tables.conform(stored, table)
        decision = self.decisions[table.path]
        return DesiredSlice(
            table=table,
            where=self._reach,
            desired=desired,
            existing=existing,
            decision=decision,
            after=self._aside_first(table),
        )

    def _aside_first(self, table: Table) -> Decision | None:
        """Every clean commits to superseded first: of two that have looked at the same rows, one then writes nothing at all."""
        aside = layout.superseded(self.run.contract)
        return None if table == aside else self.decisions[aside.path]

    @cached_property
    def _tally(self) -> Row:
        """Counts the day's rows as known on ds: the counts stay the same whatever ran later."""
        run = self.run
        mine = F.col("arrived") == literal(run.ds)
        same_record = Window.partitionBy(*run.contract.key, "record_hash")
        again = F.min("arrived").over(same_record) < F.col("arrived")
        no_entity = F.isnull(run.contract.features.entity).alias("no_entity")
        columns = [F.col("event_date"), F.col("arrived"), F.col("superseded"), no_entity]
        yes, no = F.lit(True), F.lit(False)
        alone = self.alone.select(*columns, no.alias("again"), yes.alias("fresh"), yes.alias("counts"))
        settled = self.settled.select(*columns, again.alias("again"), no.alias("fresh"), mine.alias("counts"))
        fresh = self._new_current.select(*columns, no.alias("again"), yes.alias("fresh"), no.alias("counts"))
        known = F.col("counts") & known_on(run.ds)
        beaten, on_ds = F.col("counts") & ~known_on(run.ds), F.col("event_date") == literal(run.ds)
        tally = (
            alone.unionByName(settled)
            .unionByName(fresh)
            .agg(
                _count(known & on_ds).alias("accepted"),
                _count(known & ~on_ds).alias("late"),
                _count(beaten & ~F.col("again")).alias("superseded"),
                _count(beaten & F.col("again")).alias("again"),
                _count(known & F.col("no_entity")).alias("without_entity"),
                _count(F.col("fresh")).alias("fresh"),
                F.sort_array(F.collect_set(F.when(F.col("fresh"), F.col("event_date")))).alias("fresh_on"),
            )
            .first()
        )
        assert tally is not None
        return tally

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
        if self.run.contract.null_entity == DROP:
            counts["without_entity"] = self._tally["without_entity"]
        return counts


def balance(counts: dict[str, int]) -> None:
    out = {name: count for name, count in counts.items() if name != "rows_in"}
    if sum(out.values()) != counts["rows_in"]:
        raise UnbalancedBooksError(
            f"{counts['rows_in']} rows came in and {sum(out.values())} are accounted for ({out}); nothing was committed. "
            "This is a bug in the pipeline or in a transform: derive must neither drop nor add rows."
        )


def _count(condition: Column) -> Column:
    return F.coalesce(F.count_if(condition), F.lit(0))


def settle_day(day: TypedDay) -> SettledDay:
    """Reads the stored versions of the day's keys and ranks all of them."""
    run, contract = day.run, day.run.contract
    key, versions = list(contract.key), day.versions
    decisions = {
        table.path: decide(run, table, "keys") for table in (layout.processed(contract), layout.superseded(contract))
    }
    own_dates = stored_versions.own_event_dates(run)
    too_far = stored_versions.too_far(run)
    stored, seen = spark_tables.materialize(
        stored_versions.of_keys(run, versions, own_dates),
        arrivals=F.collect_set(F.struct(ORIGIN, "arrived")),
        too_far=F.count_if(too_far),
    )
    moved = stored.where(too_far).select(*key, F.lit(MOVED_TOO_FAR).alias(KEY_REASON)).distinct()
    others = stored.where((F.col("arrived") != literal(run.ds)) & (F.col(ORIGIN) != F.lit(FURTHER)))
    alone, contested = _uncontested(day, others.select(*key))
    settled, size = spark_tables.materialize(
        settle(contested.unionByName(others.drop(ORIGIN)), contract, run.ds),
        replaced=F.count_if(F.col("superseded").isNotNull()),
    )
    return SettledDay(
        run=run,
        own_dates=own_dates,
        alone=alone,
        settled=settled,
        replaced=size["replaced"],
        stored=stored,
        stored_arrivals=[(table, from_text(arrived)) for table, arrived in seen["arrivals"]],
        moved=moved if seen["too_far"] else None,
        decisions=decisions,
    )


def _uncontested(day: TypedDay, stored_keys: DataFrame) -> tuple[DataFrame, DataFrame]:
    """The day's versions whose key has no other version, which need no settling, and the rest: of a small day, all."""
    key, versions = list(day.run.contract.key), day.versions
    if plan_size.is_small(day.run.spark):
        return versions.limit(0), versions
    twice = day.repeated.groupBy(*key).count().where("count > 1").select(*key)
    keys, _ = spark_tables.broadcast_if_small(twice.unionByName(stored_keys).distinct())
    return versions.join(keys, key, "left_anti"), versions.join(keys, key, "left_semi")
