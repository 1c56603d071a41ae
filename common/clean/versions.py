"""Versions of a key: which one counts, since when it was known, and until when.

A version is one accepted record of a key, as it arrived on one day. Versions are ranked by the contract's winner order,
then the later arrival (a correction), then the record's hash; the same record again ranks behind its first arrival.
A version is superseded on the day on which the first better one arrived. That is a function of the set of versions
alone, so the order in which days are run leaves no trace. As known on D are those with arrived <= D that were not yet
superseded on D: one per key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.contracts.contract import Contract


def known_on(ds: date) -> Column:
    return (F.col("arrived") <= F.lit(ds)) & (F.col("superseded").isNull() | (F.col("superseded") > F.lit(ds)))


def record_hash(columns: Sequence[str]) -> Column:
    """128 bits of the values, in their order, and of which are null: Spark's hash alone passes over a null."""
    missing = [F.isnull(name) for name in columns]
    return F.concat_ws("-", *[F.hex(F.xxhash64(F.lit(seed), *columns, *missing)) for seed in (0, 1)])


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
