"""Settles one arrival day against what is stored: which versions count now, and which were superseded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.clean import stored_versions
from common.clean.as_of import known_on, moved_dates, settle, without_deleted
from common.clean.casting import KEY_REASON
from common.clean.stored_versions import FURTHER, MOVED_TOO_FAR, ORIGIN
from common.clean.typed_day import TypedDay
from common.contracts import layout
from common.contracts.changes import event_dates
from common.contracts.contract import Contract
from common.contracts.entity import DROP
from common.contracts.layout import Table
from common.days import from_text
from common.errors import UnbalancedBooksError
from common.lake import spark_tables
from common.lake.log.decisions import Decision, decide
from common.lake.merging.difference import DELETE, INSERT, UPDATE
from common.lake.merging.merge import DesiredSlice
from common.lake.period_columns import literal
from common.runtime import plan_size
from common.runtime.run import Run

FRESH = "_fresh"  # current, and its key has no current row in the table yet
AGAIN = "_again"  # the same record had arrived before


@dataclass(frozen=True)
class SettledDay:
    """Every version of the day's keys, with the day on which a better one replaced it."""

    run: Run
    own_dates: list[date]  # event dates with rows that an earlier run of this day may have stored
    alone: DataFrame | None  # versions whose key has no other version; of a small day all are in `settled`
    settled: DataFrame  # all versions of the other keys
    measures: dict[str, Any]  # of both
    stored: DataFrame  # the stored rows of the day's keys, with their table
    stored_arrivals: list[tuple[str, date]]  # table and arrival day of the stored rows
    moved: DataFrame | None  # keys with a stored row too far away to be corrected, and the reason to refuse them
    decisions: dict[str, Decision]  # by table, taken before the stored rows were read

    def current(self) -> list[DesiredSlice]:
        """First the keys with nothing stored: they are most of a day, and need no stored row to be read.

        A row that moves to another event date comes in the commit that deletes the old one, so it never exists twice.
        """
        table, rows = layout.processed(self.run.contract), self.settled.where(F.col("superseded").isNull())
        if self.own_dates:
            return [self._against_stored(table, self._with_alone(rows))]
        fresh = DesiredSlice(
            table=table,
            where={"event_date": sorted({*self.measures["fresh_on"]})},
            desired=spark_tables.conform(self._with_alone(rows.where(FRESH)), table),
            size=self.measures["fresh"],
            new=True,
            decision=self.decisions[table.path],
            after=self._aside_first(table),
        )
        if not self._has_stored(table):
            return [fresh]
        return [fresh, self._against_stored(table, rows.where(~F.col(FRESH)))]

    def set_aside(self) -> list[DesiredSlice]:
        some = self.measures["replaced"] or self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(INSERT, UPDATE))] if some else []

    def taken_back(self) -> list[DesiredSlice]:
        some = self._has_stored(layout.superseded(self.run.contract))
        return [replace(self._aside, actions=(DELETE,), after=self._decision_on_current)] if some else []

    def meet_others(self) -> None:
        """A clean that has changed superseded also raises the number of processed.

        Another one may have set rows aside before, and not yet replaced them: it then fails, and settles its day again.
        """
        if self.decisions[layout.superseded(self.run.contract).path].committed:
            self._decision_on_current.claim(self.run)

    @property
    def _decision_on_current(self) -> Decision:
        return self.decisions[layout.processed(self.run.contract).path]

    @property
    def _aside(self) -> DesiredSlice:
        rows = self.settled.where(F.col("superseded").isNotNull())
        return self._against_stored(layout.superseded(self.run.contract), rows)

    def known(self) -> DataFrame:
        """The rows that ds added, as known on ds: those that the gate judges."""
        run, table = self.run, layout.processed(self.run.contract)
        rows = self._with_alone(self.settled)
        rows = rows.where((F.col("arrived") == literal(run.ds)) & known_on(run.ds))
        return spark_tables.conform(without_deleted(rows, run.contract), table)

    def later_arrivals(self) -> list[date]:
        """Days after ds with records of the day's keys: their counts may have changed, or what is too far to be corrected."""
        stored = {day for _, day in self.stored_arrivals if day > self.run.ds}
        return sorted({*stored, *stored_versions.days_with_moved_records(self.run)})

    def _with_alone(self, rows: DataFrame) -> DataFrame:
        both = rows if self.alone is None else rows.unionByName(self.alone)
        return both.drop(FRESH, AGAIN)

    def _has_stored(self, table: Table) -> bool:
        return any(path == table.path for path, _ in self.stored_arrivals)

    def _against_stored(self, table: Table, rows: DataFrame) -> DesiredSlice:
        stored = self.stored.where(F.col(ORIGIN) == F.lit(table.path))
        return DesiredSlice(
            table=table,
            where=stored_versions.reach(self.run, self.own_dates),
            desired=spark_tables.conform(rows, table),
            existing=spark_tables.conform(stored, table),
            decision=self.decisions[table.path],
            after=self._aside_first(table),
        )

    def _aside_first(self, table: Table) -> Decision | None:
        """Every clean commits to superseded first: of two that read the same rows, one then writes nothing at all."""
        aside = layout.superseded(self.run.contract)
        return None if table == aside else self.decisions[aside.path]

    def counts(self, day: TypedDay) -> dict[str, int]:
        counts = {
            "rows_in": day.counts["rows_in"],
            "accepted": self.measures["accepted"],
            "late": self.measures["late"],
            "superseded": self.measures["superseded"],
            "duplicates": day.counts["copies"] + self.measures["again"],
            "quarantined": day.counts["quarantined"],
        }
        balance(counts)
        if self.run.contract.null_entity == DROP:
            counts["without_entity"] = self.measures["without_entity"]
        return counts


def _measures(run: Run) -> dict[str, Column]:
    """Of rows that say whether they are fresh and came again. Counts are those known on ds, whatever ran later."""
    mine, on_ds = (
        F.col("arrived") == literal(run.ds),
        F.col("event_date") == literal(event_dates(run.contract, run.ds)[0]),
    )
    known, beaten = mine & known_on(run.ds), mine & ~known_on(run.ds)
    counts = {
        "accepted": known & on_ds,
        "late": known & ~on_ds,
        "superseded": beaten & ~F.col(AGAIN),
        "again": beaten & F.col(AGAIN),
        "without_entity": known & F.isnull(run.contract.features.entity),
        "fresh": F.col(FRESH),
        "replaced": F.col("superseded").isNotNull(),
    }
    fresh_on = F.collect_set(F.when(F.col(FRESH), F.col("event_date")))
    return {**{name: F.count_if(condition) for name, condition in counts.items()}, "fresh_on": fresh_on}


def balance(counts: dict[str, int]) -> None:
    out = {name: count for name, count in counts.items() if name != "rows_in"}
    if sum(out.values()) != counts["rows_in"]:
        raise UnbalancedBooksError(
            f"{counts['rows_in']} rows came in and {sum(out.values())} are accounted for ({out}); nothing was committed. "
            "This is a bug in the pipeline or in a transform: derive must neither drop nor add rows."
        )


def settle_day(day: TypedDay) -> SettledDay:
    """Reads the stored versions of the day's keys and ranks all of them."""
    run, contract = day.run, day.run.contract
    key, versions = list(contract.key), day.versions
    decisions = {table.path: decide(run, table, "keys") for table in layout.row_versions(contract)}
    own_dates = moved_dates(run)
    too_far = stored_versions.too_far(run)
    stored, seen = spark_tables.materialize(
        stored_versions.of_keys(run, versions, own_dates),
        arrivals=F.collect_set(F.struct(ORIGIN, "arrived")),
        too_far=F.count_if(too_far),
    )
    moved = stored.where(too_far).select(*key, F.lit(MOVED_TOO_FAR).alias(KEY_REASON)).distinct()
    others = stored.where((F.col("arrived") != literal(run.ds)) & (F.col(ORIGIN) != F.lit(FURTHER)))
    alone, contested = _uncontested(day, others.select(*key))
    rows = settle(contested.unionByName(others, allowMissingColumns=True), contract, run.ds)
    settled, measures = spark_tables.materialize(_marked(rows, contract).drop(ORIGIN), **_measures(run))
    if alone is not None:
        marked = alone.withColumns({FRESH: F.lit(True), AGAIN: F.lit(False)})
        alone, more = spark_tables.materialize(marked, **_measures(run))
        measures = {name: value + more[name] for name, value in measures.items()}
    return SettledDay(
        run=run,
        own_dates=own_dates,
        alone=alone,
        settled=settled,
        measures=measures,
        stored=stored,
        stored_arrivals=[(table, from_text(arrived)) for table, arrived in seen["arrivals"]],
        moved=moved if seen["too_far"] else None,
        decisions=decisions,
    )


def _marked(settled: DataFrame, contract: Contract) -> DataFrame:
    of_key, same_record = (Window.partitionBy(*contract.key, *more) for more in ((), ("record_hash",)))
    stored = F.coalesce(F.bool_or(F.col(ORIGIN) == F.lit(layout.processed(contract).path)).over(of_key), F.lit(False))
    again = F.min("arrived").over(same_record) < F.col("arrived")
    return settled.withColumns({FRESH: F.col("superseded").isNull() & ~stored, AGAIN: again})


def _uncontested(day: TypedDay, stored_keys: DataFrame) -> tuple[DataFrame | None, DataFrame]:
    """The day's versions whose key has no other version, which need no settling, and the rest: of a small day, all."""
    key, versions = list(day.run.contract.key), day.versions
    if plan_size.is_small(day.run.spark):
        return None, versions
    twice = day.repeated.groupBy(*key).count().where("count > 1").select(*key)
    keys, _ = spark_tables.broadcast_if_small(twice.unionByName(stored_keys).distinct())
    return versions.join(keys, key, "left_anti"), versions.join(keys, key, "left_semi")
