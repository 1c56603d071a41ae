"""The rows of a dataset as they were known on a day, whatever has arrived since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.contract import Contract
from common.lake import spark_tables
from common.runtime.run import Run


def rows_known(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """Processed rows of those event dates, and in the place of what came later the rows that it replaced."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    where = {"event_date": list(event_dates)}
    replaced = spark_tables.read_partitions(run, aside, where).where(known_on(on)).drop("superseded")
    current = spark_tables.read_partitions(run, processed, where).where(F.col("arrived") <= F.lit(on))
    # A clean that was killed between its commits leaves a row in both tables; it counts once.
    identity = ["event_date", *run.contract.key, "record_hash", "arrived"]
    return _with(current.join(replaced.select(*identity), identity, "left_anti"), replaced)


def _with(current: DataFrame, replaced: DataFrame) -> DataFrame:
    """Rows that were kept aside, as the processed table has its columns: one that the contract has gained comes to each
    table when it is next written to, and no type may hide another."""
    types = {field.name: field.dataType for field in current.schema if field.name in replaced.columns}
    alike = replaced.select(*[F.col(name).cast(type_) for name, type_ in types.items()])
    return current.unionByName(alike, allowMissingColumns=True)


def versions_moved(run: Run, event_dates: Sequence[date], on: date) -> DataFrame:
    """The versions that arrived on that day, and those that it superseded."""
    processed, aside = layout.processed(run.contract), layout.superseded(run.contract)
    where = {"event_date": list(event_dates)}
    arrived = spark_tables.read_partitions(run, processed, where).where(F.col("arrived") == F.lit(on))
    moved = spark_tables.read_partitions(run, aside, where).where(
        (F.col("arrived") == F.lit(on)) | (F.col("superseded") == F.lit(on))
    )
    return _with(arrived, moved)


def known_on(ds: date) -> Column:
    return (F.col("arrived") <= F.lit(ds)) & (F.col("superseded").isNull() | (F.col("superseded") > F.lit(ds)))


def settle(versions: DataFrame, contract: Contract, ds: date) -> DataFrame:
    """Fills in `superseded` for all versions of some keys, seen from the run of `ds`.

    Rows bring what is stored (`superseded` may be null). What another day's arrival superseded stays so, at the latest
    on the day that is stored: this run may not see that other version.
    """
    ranked = _ranked(versions, contract)
    better = ranked.select(
        *[F.col(name).alias(f"_{name}") for name in contract.key],
        F.col("_rank").alias("_better"),
        F.col("arrived").alias("_beaten_on"),
        F.col("event_date").alias("_better_date"),
    )
    same_key = [F.col(name) == F.col(f"_{name}") for name in contract.key]
    reach = F.greatest("arrived", "_beaten_on") <= F.date_add(
        F.least("event_date", "_better_date"), contract.lateness_days
    )
    beaten = ranked.join(better, [*same_key, F.col("_better") > F.col("_rank"), reach], "left")
    names = versions.columns
    by_others = F.when(F.col("superseded") != F.lit(ds), F.col("superseded"))
    return (
        beaten.groupBy(*names)
        .agg(F.min("_beaten_on").alias("_beaten_on"))
        .withColumn("superseded", F.least("_beaten_on", by_others))
        .select(*names)
    )


def _ranked(versions: DataFrame, contract: Contract) -> DataFrame:
    same_record = Window.partitionBy(*contract.key, "record_hash")
    first = F.min("arrived").over(same_record)
    again = F.datediff(F.lit(date(1970, 1, 1)), "arrived")
    return versions.withColumn(
        "_rank", F.struct(*contract.winner, first.alias("_first"), "record_hash", again.alias("_again"))
    )
