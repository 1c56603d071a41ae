"""What a source's day becomes: raw rows, refused records, and books that account for every line of every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common import history, layout, tables
from common.converge import Change
from common.errors import BooksDoNotBalance, ContractBroken, NothingThere
from common.layout import Table
from common.run import Outcome, Run
from common.sources import Holding, Source
from common.versions import record_hash

FILE_REFUSED = "file_refused"


def check(run: Run, holding: Holding, raw: Table) -> Holding:
    """Decides from what the source holds whether the day can be taken at all."""
    if not holding.units:
        raise NothingThere(
            f"{holding.place} holds nothing for {run.ds}; expected at least one file there. "
            "If the source is late, run again when it has come."
        )
    for unit in holding.good:
        if unit.extra:
            run.log.warning("%s has columns that the contract doesn't know, left out: %s", unit.name, list(unit.extra))
        if unit.absent:
            run.log.warning("%s lacks optional columns, read as missing: %s", unit.name, list(unit.absent))
    if holding.bad and run.contract.source.on_bad_file == "fail":
        named = "; ".join(f"{unit.name}: {unit.refused}" for unit in holding.bad)
        raise ContractBroken(
            f"{len(holding.bad)} of {len(holding.units)} files of {run.ds} are refused, and nothing was ingested: {named}",
            [{"file": unit.name, "problem": unit.refused} for unit in holding.bad],
        )
    wipes = run.contract.source.empty_day_wipes
    if not holding.records and not wipes and history.files(run.path(raw), ds=[str(run.ds)]):
        raise ContractBroken(
            f"{holding.place} has files but no rows, and {raw.path} holds rows for {run.ds}: they were kept. "
            "Land the day again, or declare empty_day_wipes in the contract."
        )
    return holding


@dataclass(frozen=True)
class Taken:
    """The day's records, each different one once, with its copies."""

    run: Run
    holding: Holding
    records: DataFrame

    @cached_property
    def counts(self) -> dict[str, int]:
        real = F.when(F.col("problem").isNull() | (F.col("problem") != ""), F.col("copies"))
        row = self.records.agg(
            F.coalesce(F.sum(real), F.lit(0)).alias("landed"),
            F.coalesce(F.sum(F.when(F.col("problem").isNull(), F.col("copies"))), F.lit(0)).alias("accepted"),
            F.coalesce(F.sum(F.when(F.col("problem") != "", F.col("copies"))), F.lit(0)).alias("quarantined"),
            F.coalesce(F.sum("lines"), F.lit(0)).alias("lines"),
            F.collect_set("extra").alias("extra"),
        ).first()
        assert row is not None
        if row["lines"] != self.holding.records:
            raise BooksDoNotBalance(
                f"the source counted {self.holding.records} records for {self.run.ds}, reading accounts for {row['lines']}; "
                "nothing was committed. Was a file changed meanwhile? Run again."
            )
        if row["extra"]:
            self.run.log.warning("columns that the contract doesn't know, left out: %s", sorted(row["extra"]))
        named = ("landed", "accepted", "quarantined")
        return {
            **{name: row[name] for name in named},
            "files": len(self.holding.good),
            "refused_files": len(self.holding.bad),
        }

    def books(self) -> dict[str, Any]:
        drift = {unit.name: list(unit.extra) for unit in self.holding.units if unit.extra}
        return {"counts": self.counts, "sources": {"files": [unit.name for unit in self.holding.good]}, "drift": drift}

    def raw(self) -> DataFrame:
        fields = [column.name for column in self.run.contract.columns]
        good = self.records.where(F.col("problem").isNull())
        named = good.withColumn("ds", F.lit(self.run.ds)).withColumn("record_hash", record_hash(fields))
        return tables.conform(named, layout.raw(self.run.contract))

    def quarantine(self) -> DataFrame:
        table = layout.quarantine(self.run.contract)
        bad = self.records.where(F.col("problem") != "").withColumn("reasons", F.array("problem"))
        files = [(unit.name, FILE_REFUSED, unit.refused, 1) for unit in self.holding.bad]
        whole = self.run.spark.createDataFrame(files, "file string, problem string, record string, copies long")
        rows = bad.select("file", "reasons", "record", "copies").unionByName(
            whole.select("file", F.array("problem").alias("reasons"), "record", "copies")
        )
        named = rows.withColumns({"ds": F.lit(self.run.ds), "job": F.lit(self.run.job), "record_hash": F.md5("record")})
        return tables.conform(named, table)


@contextmanager
def taken(run: Run, source: Source, holding: Holding) -> Iterator[Taken]:
    columns = [column.name for column in run.contract.columns]
    rows = source.read(run.spark, holding.good)
    records = rows.groupBy("file", "problem", "record", "extra", *columns).agg(
        F.count(F.lit(1)).alias("copies"), F.sum("lines").alias("lines")
    )
    records = records.persist()
    try:
        yield Taken(run, holding, records)
    finally:
        records.unpersist()


def outcome(holding: Holding, books: Mapping[str, Any], changes: list[tuple[Table, Change]]) -> Outcome:
    facts = {"drift": books["drift"]} if books["drift"] else {}
    found = Outcome.of(books["counts"], changes, **facts)
    return found if holding.records else replace(found, outcome="empty")
