"""One arrival day, typed: which records are accepted, and which are refused and why."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean import transforms
from common.clean.casting import KEY_REASON, cast_rows
from common.contracts import layout
from common.contracts.changes import changes_of
from common.contracts.contract import LINE
from common.lake import spark_tables
from common.lake.merging.merge import DesiredSlice
from common.lake.merging.split_rows import split_rows
from common.lake.period_columns import literal, none
from common.lake.spark_tables import record_hash
from common.runtime.run import Run

# Distinct accepted records that a key may have on one day. A key with more is a placeholder: no record is corrected so often.
MAX_VERSIONS = 1_000
TOO_MANY_VERSIONS = "too_many_versions"


@dataclass(frozen=True)
class TypedDay:
    """The distinct records that arrived on ds, typed. Accepted ones have no `reasons`."""

    run: Run
    records: DataFrame
    repeated: DataFrame  # records whose key arrived more than once, also as the same record
    counts: dict[str, int]

    @property
    def refused(self) -> DesiredSlice:
        table = layout.quarantine(self.run.contract)
        refused = self.records.where(F.size("reasons") > 0).withColumns(self.run.refused_by)
        rows = spark_tables.conform(refused, table)
        return DesiredSlice(table=table, where=self.run.refusals, desired=rows, size=self.counts["refused"])

    @cached_property
    def versions(self) -> DataFrame:
        """The accepted records as versions of their keys, none of them superseded yet."""
        contract = self.run.contract
        accepted = self.records.where(F.size("reasons") == 0)
        derived = transforms.derive(self.run, accepted)
        versions = derived.withColumns({"arrived": literal(self.run.ds), "superseded": none(contract.every)})
        return spark_tables.conform(versions, layout.superseded(contract))


def type_day(run: Run, refused_keys: DataFrame | None = None) -> TypedDay:
    """Casts the day's raw records, refuses those that break the contract or have a refused key, and counts copies."""
    day = _type_records(run, refused_keys)
    crowded = _crowded_keys(day)
    if crowded is None:
        return day
    return _type_records(run, crowded if refused_keys is None else crowded.unionByName(refused_keys))


def _type_records(run: Run, refused_keys: DataFrame | None) -> TypedDay:
    contract = run.contract
    if refused_keys is not None:
        refused_keys, _ = spark_tables.broadcast_if_small(refused_keys)
    rows_in = Observation()
    raw = spark_tables.read_partitions(run, layout.raw(contract), {"ds": [run.ds]}).drop("ds")
    observed = raw.observe(rows_in, spark_tables.sum_or_zero("copies").alias("rows_in"))
    records = cast_rows(observed, contract, run.ds, refused_keys)
    accepted = F.size("reasons") == 0
    if contract.key == LINE:
        records = one_row_a_line(records, accepted)
    # Accepted records are equal across files; a refused one keeps its file, so that it can be found.
    values = tuple(column.name for column in contract.columns)
    records = records.withColumns(
        {
            "file": F.when(~accepted, F.col("file")),
            "record_hash": F.when(accepted, record_hash(values)).otherwise(F.col("record_hash")),
        }
    )
    split = split_rows(
        records,
        F.when(accepted, F.xxhash64(*contract.key)),
        refused=F.count_if(~accepted),
        quarantined=spark_tables.sum_or_zero(F.when(~accepted, F.col("copies"))),
        copies=spark_tables.sum_or_zero(F.when(accepted, F.col("copies") - 1)),
    )
    counts = {**rows_in.get, **split.measures, "repeated": 0}
    if split.alike is None:
        return TypedDay(run, split.alone, split.alone.limit(0), counts)
    names = [name for name in split.alike.columns if name != "copies"]
    repeated, duplicates = spark_tables.materialize(
        split.alike.groupBy(*names).agg(F.sum("copies").alias("copies"), F.count(F.lit(1)).alias("_records")),
        records=spark_tables.sum_or_zero(F.col("_records") - 1),
        repeated=F.count(F.lit(1)),
    )
    repeated = repeated.drop("_records")
    counts |= {"copies": counts["copies"] + duplicates["records"], "repeated": duplicates["repeated"]}
    return TypedDay(run, split.alone.unionByName(repeated), repeated, counts)


def _crowded_keys(day: TypedDay) -> DataFrame | None:
    """The keys with more versions than a key can have, or None: few days have enough repeated records to look.

    A row of a database may change as often as it likes.
    """
    if changes_of(day.run.contract) or day.counts["repeated"] <= MAX_VERSIONS:
        return None
    key = day.run.contract.key
    crowded = day.repeated.groupBy(*key).count().where(F.col("count") > MAX_VERSIONS).select(*key)
    crowded, size = spark_tables.materialize(crowded, keys=F.count(F.lit(1)))
    return crowded.withColumn(KEY_REASON, F.lit(TOO_MANY_VERSIONS)) if size["keys"] else None


def one_row_a_line(records: DataFrame, accepted: Column) -> DataFrame:
    """Gives each copy of an accepted record a row and a key of its own."""
    copies = F.when(accepted, F.col("copies")).otherwise(F.lit(1))
    lines = records.withColumn("_copy", F.explode(F.sequence(F.lit(1).cast("long"), copies)))
    key = F.concat_ws("-", F.md5("file"), "record_hash", "_copy")
    return lines.withColumns(
        {"line": F.when(accepted, key), "copies": F.when(accepted, F.lit(1)).otherwise(F.col("copies"))}
    ).drop("_copy")
