"""One arrival day, typed: which records are accepted, and which are refused and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from common.clean.casting import cast_rows
from common.contracts import layout
from common.lake import spark_tables
from common.lake.merge import DesiredSlice
from common.lake.spark_tables import record_hash
from common.runtime.run import Run


@dataclass(frozen=True)
class TypedDay:
    """What arrived on ds, typed: each different record once. `reasons` is empty for the accepted ones."""

    run: Run
    judged: DataFrame
    several: DataFrame  # those whose key came more than once, be it as the same record
    counts: dict[str, int]

    @property
    def refused(self) -> DesiredSlice:
        table = layout.quarantine(self.run.contract)
        bad = self.judged.where(F.size("reasons") > 0)
        named = bad.withColumns(self.run.refused_by)
        rows = spark_tables.conform(named, table)
        return DesiredSlice(table=table, where=self.run.refusals, desired=rows, size=self.counts["refused"])

    @cached_property
    def versions(self) -> DataFrame:
        """The accepted records as versions of their keys; nothing has superseded them yet."""
        contract = self.run.contract
        good = self.judged.where(F.size("reasons") == 0).transform(self.run.dataset.derive)
        named = good.withColumns({"arrived": F.lit(self.run.ds), "superseded": F.lit(None).cast("date")})
        return spark_tables.conform(named, layout.superseded(contract))


def type_day(run: Run) -> TypedDay:
    contract = run.contract
    rows_in = Observation()
    raw = spark_tables.read_partitions(run, layout.raw(contract), {"ds": [run.ds]}).drop("ds")
    judged = cast_rows(raw.observe(rows_in, spark_tables.sum_or_zero("copies").alias("rows_in")), contract, run.ds)
    accepted = F.size("reasons") == 0
    # An accepted record is the same wherever it stood; a refused one is kept with its file.
    values = [column.name for column in contract.columns]
    judged = judged.withColumns(
        {
            "file": F.when(~accepted, F.col("file")),
            "record_hash": F.when(accepted, record_hash(values)).otherwise(F.col("record_hash")),
        }
    )
    rows, seen = spark_tables.materialize(
        judged,
        refused=F.count_if(~accepted),
        quarantined=spark_tables.sum_or_zero(F.when(~accepted, F.col("copies"))),
        copies=spark_tables.sum_or_zero(F.when(accepted, F.col("copies") - 1)),
    )
    alone, alike = spark_tables.split_unique(rows, F.when(accepted, F.xxhash64(*contract.key)))
    names = [name for name in rows.columns if name != "copies"]
    several, again = spark_tables.materialize(
        alike.groupBy(*names).agg(F.sum("copies").alias("copies"), F.count(F.lit(1)).alias("_records")),
        records=spark_tables.sum_or_zero(F.col("_records") - 1),
    )
    several = several.drop("_records")
    counts = {**rows_in.get, **seen, "copies": seen["copies"] + again["records"]}
    return TypedDay(run, alone.unionByName(several), several, counts)
