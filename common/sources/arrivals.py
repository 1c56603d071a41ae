"""Turns a source's day into raw rows, refused records, and books that account for every line of every file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.declared_source import ASKED_ONCE
from common.contracts.layout import ERASED, FILE_REFUSED, Table
from common.errors import ContractViolationError, SourceMissingError, UnbalancedBooksError
from common.lake import spark_tables
from common.lake.log import data_files, delta_log
from common.lake.merging.merge import DesiredSlice
from common.lake.merging.split_rows import split_rows
from common.lake.period_columns import literal
from common.lake.spark_tables import record_hash
from common.runtime.run import Change, Outcome, Run
from common.sources.arrow_batches import schema
from common.sources.source import Source, SourceListing, SourceUnit


def came(run: Run, listing: SourceListing) -> bool:
    """Whether the source has the day, judging by the listing."""
    empty = listing.records == 0 and not listing.bad
    return bool(listing.units) and not (empty and run.contract.source.on_empty == "fail")


def require_came(run: Run, listing: SourceListing) -> None:
    if not came(run, listing):
        raise SourceMissingError(
            f"{listing.place} holds nothing for {run.ds}; expected {run.contract.source.awaited}. "
            "If the source is late, run again once the data is there."
        )


def require_usable(run: Run, listing: SourceListing) -> None:
    """Raises if a file is refused, unless the contract takes the others without it."""
    for unit in listing.good:
        if unit.absent:
            run.log.warning("%s lacks optional columns, read as missing: %s", unit.name, list(unit.absent))
    for unit in listing.bad:
        run.log.warning("%s is refused: %s", unit.name, unit.refused)
    if listing.bad and run.contract.source.on_bad_file == "fail":
        named = "; ".join(f"{unit.name}: {unit.refused}" for unit in listing.bad)
        raise ContractViolationError(
            f"{len(listing.bad)} of {len(listing.units)} files of {run.ds} are refused, and nothing was ingested: {named}",
            [{"file": unit.name, "problem": unit.refused} for unit in listing.bad],
        )


def require_rows(run: Run, listing: SourceListing) -> None:
    """Raises if a file lost all its rows: an empty file is no proof that they were wrong."""
    require_came(run, listing)
    raw = layout.raw(run.contract)
    empty = [unit.name for unit in listing.good if not unit.records]
    wipes = run.contract.source.empty_day_wipes
    if wipes or not empty or not data_files.files(run.path(raw), ds=[str(run.ds)]):
        return
    if listing.records:
        held = (
            spark_tables.read_partitions(run, raw, {"ds": [run.ds]})
            .where(F.col("file").isin(empty))
            .select("file")
            .distinct()
        )
        empty = sorted(row["file"] for row in held.collect())
    if empty:
        raise ContractViolationError(
            f"{listing.place} has no rows in {', '.join(empty)}, but {raw.path} already holds rows for {run.ds}: they were "
            "kept. Send them again; if they should go, delete their file, or declare empty_day_wipes=True."
        )


@dataclass(frozen=True)
class IngestedDay:
    """The day's distinct records with their number of copies."""

    run: Run
    listing: SourceListing  # with the number of records in each unit
    records: DataFrame
    seen: dict[str, int]  # of all records
    different: dict[str, int]  # the same without copies
    drift: dict[str, list[str]]  # by file, the columns that the contract does not know

    def books(self) -> dict[str, Any]:
        counts = {
            "landed": self.seen["accepted"] + self.seen["quarantined"] + self.seen["erased"],
            "accepted": self.seen["accepted"],
            "quarantined": self.seen["quarantined"],
            **({"erased": self.seen["erased"]} if self.seen["erased"] else {}),
            "files": len(self.listing.good),
            "refused_files": len(self.listing.bad),
        }
        return {"counts": counts, "sources": self._sources(), "drift": self.drift}

    def _sources(self) -> dict[str, Any]:
        """What the day held; for a source that can't be read again as it was, also a checksum of the records."""
        held = {"files": [unit.name for unit in self.listing.good], **self.listing.facts}
        if self.run.source == ASKED_ONCE:
            held |= {"repeatable": False, "checksum": str(self.seen["checksum"])}
        return held

    def arrived(self) -> DesiredSlice:
        table = layout.raw(self.run.contract)
        good = self.records.where(F.col("problem").isNull())
        rows = spark_tables.conform(good.withColumn("ds", literal(self.run.ds)), table)
        return DesiredSlice(table=table, where={"ds": [self.run.ds]}, desired=rows, size=self.different["accepted"])

    def refused(self) -> DesiredSlice:
        table = layout.quarantine(self.run.contract)
        bad = self.records.where(_quarantined()).withColumn("reasons", F.array("problem"))
        files = [(unit.name, FILE_REFUSED, unit.refused, 1) for unit in self.listing.bad]
        whole = self.run.spark.createDataFrame(files, "file string, problem string, record string, copies long")
        rows = bad.select("file", "reasons", "record", "copies").unionByName(
            whole.select("file", F.array("problem").alias("reasons"), "record", "copies")
        )
        named = rows.withColumns({**self.run.refused_by, "record_hash": F.md5("record")})
        size = self.different["quarantined"] + len(files)
        return DesiredSlice(table=table, where=self.run.refusals, desired=spark_tables.conform(named, table), size=size)


def read_day(
    run: Run,
    source: Source,
    listing: SourceListing,
    without_erased: Callable[[Run, DataFrame], DataFrame],
    told: Mapping[str, Column],
) -> IngestedDay:
    """Raises if the day cannot be ingested. Files that turn out to be refused are left out, where the contract says so.

    `told` names what else to count the accepted records by.
    """
    columns = [column.name for column in run.contract.columns]
    accepted = F.col("problem").isNull()
    counted = {"accepted": accepted, "quarantined": _quarantined()}
    counted |= {name: accepted & condition for name, condition in told.items()}
    checksum = {"checksum": spark_tables.sum_or_zero(_hash())} if run.source == ASKED_ONCE else {}
    try:
        records = without_erased(run, _records(run, source, listing, columns))
        split = split_rows(
            records.withColumn("record_hash", record_hash(tuple(columns))),
            F.xxhash64("file", "problem", "record", "extra", "record_hash"),
            **checksum,
            **{name: F.count_if(what) for name, what in counted.items()},
            erased=F.count_if(F.col("problem") == ERASED),
            lines=spark_tables.sum_or_zero("lines"),
            lines_of_first=spark_tables.sum_or_zero(F.when(F.col("file") == listing.units[0].name, F.col("lines"))),
            extra=F.collect_set(F.when(F.col("extra").isNotNull(), F.struct("file", "extra"))),
            units=F.collect_set(F.when(F.col("problem") == "", F.col("record"))),
        )
    except Exception as error:
        if explained := source.explain(error):
            raise explained from error
        raise
    found = _found(listing, split.measures, split.rows)
    if len(found.bad) > len(listing.bad) and run.contract.source.on_bad_file != "fail":
        return read_day(run, source, found, without_erased, told)
    require_usable(run, found)
    listing = source.was_read(found)
    run = replace(run, source=listing.fingerprint or run.source)
    seen, copies = split.measures, dict.fromkeys(counted, 0)
    names = [name for name in split.alone.columns if name != "lines"]
    records = split.alone.select(*names).withColumn("copies", F.lit(1).cast("long"))
    if split.alike is not None:
        several, copies = spark_tables.materialize(
            split.alike.groupBy(*names).agg(F.count(F.lit(1)).alias("copies")),
            **{name: spark_tables.sum_or_zero(F.when(what, F.col("copies") - 1)) for name, what in counted.items()},
        )
        records = records.unionByName(several)
    different = {name: seen[name] - copies[name] for name in copies}
    if seen["lines"] != listing.records:
        raise UnbalancedBooksError(
            f"the source counted {listing.records} records for {run.ds}, reading accounts for {seen['lines']}; "
            "nothing was committed. A file probably changed during the run: run again."
        )
    drift: dict[str, list[str]] = {unit.name: list(unit.extra) for unit in listing.units if unit.extra}
    for file, extra in sorted(seen["extra"]):
        drift.setdefault(file, []).append(extra)
    for file, names in drift.items():
        run.log.warning("%s has columns that the contract doesn't know, left out: %s", file, names)
    return IngestedDay(run, listing, records, seen, different, drift)


def _records(run: Run, source: Source, listing: SourceListing, columns: list[str]) -> DataFrame:
    if listing.good:
        return source.read(run.spark, listing)
    return run.spark.createDataFrame([], schema(columns))


def _quarantined() -> Column:
    return ~F.col("problem").isin("", ERASED)


def _hash() -> Column:
    """The hash of one record. The sum of all depends neither on their order nor on their units."""
    return F.xxhash64("problem", "record", "record_hash").cast("decimal(38,0)")


def _found(listing: SourceListing, seen: Mapping[str, Any], read: DataFrame) -> SourceListing:
    """The listing with what reading has told: of the units themselves, or else the number of their records."""
    parts = defaultdict[str, list[SourceUnit]](list)
    for part in map(SourceUnit.from_text, seen["units"]):
        parts[part.name].append(part)
    by_name = {name: SourceUnit.joined(found) for name, found in parts.items()}
    units = (replace(by_name[unit.name], state=unit.state) if unit.name in by_name else unit for unit in listing.units)
    return _counted(replace(listing, units=tuple(units)), seen["lines_of_first"], read)


def _counted(listing: SourceListing, of_first: int, read: DataFrame) -> SourceListing:
    """The listing with the number of records in each unit, where only reading shows it."""
    if listing.records is not None:
        return listing
    found = {listing.units[0].name: of_first} if len(listing.units) == 1 else _by_unit(read)
    units = (
        unit if unit.records is not None else replace(unit, records=found.get(unit.name, 0)) for unit in listing.units
    )
    return replace(listing, units=tuple(units))


def _by_unit(read: DataFrame) -> dict[str, int]:
    rows = read.groupBy("file").agg(F.sum("lines").alias("lines")).collect()
    return {row["file"]: row["lines"] for row in rows}


def is_kept(run: Run) -> bool:
    """Whether raw holds the day, and its source can't be asked for the same rows again."""
    commit = delta_log.newest_commit(run.path(layout.raw(run.contract)), "ingest", str(run.ds))
    asked = commit is not None and commit.books.get("source") == ASKED_ONCE == run.source
    if not asked or run.full_refresh:
        return False
    run.log.warning(
        "another program has changed this day in raw or its quarantine, and its source can't be read again as it was: left "
        "as it is. Restore the tables, or run with --full-refresh to take what the source holds now."
    )
    return True


def outcome(listing: SourceListing, books: Mapping[str, Any], changes: list[tuple[Table, Change]]) -> Outcome:
    facts = {"drift": books["drift"]} if books["drift"] else {}
    if listing.bad:
        facts["refused_files"] = {unit.name: unit.refused for unit in listing.bad}
    result = Outcome.of(books["counts"], changes, **facts)
    return result if listing.records else replace(result, outcome="empty")
