"""Join labels to the features known at their time, and assign each example to a split."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.days import end_of
from common.lake import period_columns
from common.training.training_set import SPLITS, TIME, From, Split

SPLIT = "split"
# The first hex digits of an MD5 place an entity in 0..1: the same on every machine.
DIGITS = 8


def known_at(ds: Column, every: str) -> Column:
    """The moment from which a feature row of ds is known: the end of that period."""
    return period_columns.end(ds, every)


def newest_known(time: Column, every: str) -> Column:
    """The last ds whose row is known at that time. For an example of a snapshot that is its own ds."""
    return period_columns.later(period_columns.holding(time, every), F.lit(-1), every)


def first_unknown(time: Column, source: From, every: str) -> Column:
    """The first ds whose row is not known at that time."""
    return period_columns.holding(time - F.make_dt_interval(hours=F.lit(source.gap_hours)), every)


def as_of(examples: DataFrame, features: DataFrame, entity: str, source: From, columns: dict[str, str]) -> DataFrame:
    """Add to each example the columns of the last feature row known at its time; null where there is none.

    Examples and features are sorted together by time within each entity, so the cost is one sort for any number of days.
    """
    every = period_columns.kind(features)
    known_from = known_at(F.col("ds"), every) + F.make_dt_interval(hours=F.lit(source.gap_hours))
    values = F.struct("ds", *columns)
    rows = features.select(
        F.col(entity).alias("_who"), known_from.alias("_when"), F.lit(0).alias("_kind"), values.alias("_row")
    )
    timed_examples = examples.select(
        "*", F.col(entity).alias("_who"), F.col(TIME).alias("_when"), F.lit(1).alias("_kind")
    )
    line = Window.partitionBy("_who").orderBy("_when", "_kind").rowsBetween(Window.unboundedPreceding, 0)
    joined = timed_examples.unionByName(rows, allowMissingColumns=True).withColumn(
        "_row", F.last("_row", ignorenulls=True).over(line)
    )
    fresh = F.lit(True)
    if source.oldest_hours is not None:
        oldest = F.col(TIME) - F.make_dt_interval(hours=F.lit(source.oldest_hours))
        fresh = known_at(F.col("_row.ds"), every) >= oldest
    values_as_of = [F.when(fresh, F.col(f"_row.{name}")).alias(alias) for name, alias in columns.items()]
    return joined.where("_kind = 1").select(*examples.columns, *values_as_of)


def split_of(split: Split, entity: str, moment: Column) -> Column:
    """The name of the example's split, from its entity and a moment of its period; null if it belongs to no split."""
    by_time, by_entity = _by_time(split, moment), _by_entity(split, entity)
    if by_time is None or by_entity is None:
        chosen = by_time if by_time is not None else by_entity
        assert chosen is not None
        return chosen
    return F.when(by_time == by_entity, by_time)


def _by_time(split: Split, moment: Column) -> Column | None:
    if not split.by_time:
        return None
    ends = zip(SPLITS, split.ends, strict=False)
    return reduce(
        lambda cases, end: cases.when(moment < F.lit(end_of(end[1])), end[0]), ends, F.when(F.lit(False), "")
    ).otherwise(SPLITS[-1])


def _by_entity(split: Split, entity: str) -> Column | None:
    if split.seed is None:
        return None
    text = F.concat(F.lit(f"{split.seed}:"), F.col(entity).cast("string"))
    place = F.conv(F.substring(F.md5(text), 1, DIGITS), 16, 10).cast("long") / F.lit(16**DIGITS)
    train, val, _ = split.shares
    return F.when(place < train, SPLITS[0]).when(place < train + val, SPLITS[1]).otherwise(SPLITS[2])
