"""Periods in columns of Spark: dates, or the texts of hours. Literals prune partitions; texts sort as their hours do."""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from common.days import DAY, HOUR, STORED_TYPES, as_stored

SECONDS = 3600


@lru_cache(maxsize=1_000)
def literal(ds: date) -> Column:
    return F.lit(as_stored(ds))


def none(every: str) -> Column:
    return F.lit(None).cast(STORED_TYPES[every])


def holding(time: Column, every: str) -> Column:
    """The period that holds a moment, or a date."""
    return F.date_format(time, "yyyy-MM-dd'T'HH") if every == HOUR else F.to_date(time)


def start(period: Column, every: str) -> Column:
    """The moment that the period begins."""
    return F.concat(period, F.lit(":00:00")).cast("timestamp") if every == HOUR else period.cast("timestamp")


def end(period: Column, every: str) -> Column:
    """The first moment after the period."""
    return start(later(period, F.lit(1), every), every)


def kind(rows: DataFrame) -> str:
    """Whether the rows are of days or of hours, as the type of their ds tells."""
    return DAY if rows.schema["ds"].dataType.simpleString() == STORED_TYPES[DAY] else HOUR


def distance(first: Column, last: Column, every: str) -> Column:
    """How many periods later the last one is."""
    if every != HOUR:
        return F.datediff(last, first)
    return ((F.unix_timestamp(start(last, every)) - F.unix_timestamp(start(first, every))) / SECONDS).cast("int")


def later(period: Column, number: Column, every: str) -> Column:
    if every != HOUR:
        return F.date_add(period, number)
    return holding(start(period, every) + F.make_dt_interval(hours=number), every)
