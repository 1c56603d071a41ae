"""Turns a source's day into raw rows, refused records, and books that account for every line of every file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.layout import FILE_REFUSED, Table
from common.errors import ContractViolationError, SourceMissingError, UnbalancedBooksError
from common.lake import data_files, spark_tables
from common.lake.merge import DesiredSlice
from common.lake.spark_tables import record_hash
from common.lake.split_rows import split_rows
from common.runtime.run import Change, Outcome, Run
from common.sources.source import Source, SourceListing


def require_usable(run: Run, listing: SourceListing) -> SourceListing:
    """Raises if the day cannot be ingested: nothing landed, files are refused, or files came empty."""
    raw = layout.raw(run.contract)
    if not listing.units:
        raise SourceMissingError(
            f"{listing.place} holds nothing for {run.ds}; expected at least one file there. "
            "If the source is late, run again when it has come."
        )
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
    if not run.contract.source.empty_day_wipes:
        _require_rows(run, listing, raw)
    return listing


def _require_rows(run: Run, listing: SourceListing, raw: Table) -> None:
    """Raises if a file lost all its rows: an empty file is no proof that they were wrong."""
    empty = [unit.name for unit in listing.good if not unit.records]
    if not empty or not data_files.files(run.path(raw), ds=[str(run.ds)]):
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
            "kept. Send the files again; delete a file whose rows should go, or declare empty_day_wipes=True."
        )


@dataclass(frozen=True)
class IngestedDay:
    """The day's distinct records with their number of copies."""

    run: Run
    listing: SourceListing
    records: DataFrame
    seen: dict[str, int]
    drift: dict[str, list[str]]  # by file, the columns that the contract does not know

    def books(self) -> dict[str, Any]:
        counts = {
            "landed": self.seen["accepted"] + self.seen["quarantined"],
            "accepted": self.seen["accepted"],
            "quarantined": self.seen["quarantined"],
            "files": len(self.listing.good),
            "refused_files": len(self.listing.bad),
        }
        files = [unit.name for unit in self.listing.good]
        return {"counts": counts, "sources": {"files": files}, "drift": self.drift}

    def arrived(self) -> DesiredSlice:
        table = layout.raw(self.run.contract)
        good = self.records.where(F.col("problem").isNull())
        rows = spark_tables.conform(good.withColumn("ds", F.lit(self.run.ds)), table)
        return DesiredSlice(
            table=table, where={"ds": [self.run.ds]}, desired=rows, size=self.seen["different_accepted"]
        )

    def refused(self) -> DesiredSlice:
        table = layout.quarantine(self.run.contract)
        bad = self.records.where(F.col("problem") != "").withColumn("reasons", F.array("problem"))
        files = [(unit.name, FILE_REFUSED, unit.refused, 1) for unit in self.listing.bad]
        whole = self.run.spark.createDataFrame(files, "file string, problem string, record string, copies long")
        rows = bad.select("file", "reasons", "record", "copies").unionByName(
            whole.select("file", F.array("problem").alias("reasons"), "record", "copies")
        )
        named = rows.withColumns({**self.run.refused_by, "record_hash": F.md5("record")})
        size = self.seen["different_quarantined"] + len(files)
        return DesiredSlice(table=table, where=self.run.refusals, desired=spark_tables.conform(named, table), size=size)


def read_day(run: Run, source: Source, listing: SourceListing) -> IngestedDay:
    columns = [column.name for column in run.contract.columns]
    read = source.read(run.spark, listing.good)
    accepted, quarantined = F.col("problem").isNull(), F.col("problem") != ""
    split = split_rows(
        read.withColumn("record_hash", record_hash(columns)),
        F.xxhash64("file", "problem", "record", "extra", "record_hash"),
        accepted=F.count_if(accepted),
        quarantined=F.count_if(quarantined),
        lines=spark_tables.sum_or_zero("lines"),
        extra=F.collect_set(F.when(F.col("extra").isNotNull(), F.struct("file", "extra"))),
    )
    seen, copies = split.measures, {"accepted": 0, "quarantined": 0}
    names = [name for name in split.alone.columns if name != "lines"]
    records = split.alone.select(*names).withColumn("copies", F.lit(1).cast("long"))
    if split.alike is not None:
        several, copies = spark_tables.materialize(
            split.alike.groupBy(*names).agg(F.count(F.lit(1)).alias("copies")),
            accepted=spark_tables.sum_or_zero(F.when(accepted, F.col("copies") - 1)),
            quarantined=spark_tables.sum_or_zero(F.when(quarantined, F.col("copies") - 1)),
        )
        records = records.unionByName(several)
    different = {f"different_{name}": seen[name] - copies[name] for name in copies}
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
    return IngestedDay(run, listing, records, {**seen, **different}, drift)


def outcome(listing: SourceListing, books: Mapping[str, Any], changes: list[tuple[Table, Change]]) -> Outcome:
    facts = {"drift": books["drift"]} if books["drift"] else {}
    if listing.bad:
        facts["refused_files"] = {unit.name: unit.refused for unit in listing.bad}
    result = Outcome.of(books["counts"], changes, **facts)
    return result if listing.records else replace(result, outcome="empty")
