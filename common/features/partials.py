"""Per-day partial aggregates: one small row per entity and event date, as it was known when an arrival day was in.

Each row is the whole aggregate of its entity's day, not a delta: a window takes the newest row of each day that had
arrived by then, and nothing is ever subtracted.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean.as_of import rows_known, versions_moved
from common.contracts import layout
from common.days import day_range
from common.lake import spark_tables
from common.runtime.run import Run


def arrived_partials(run: Run, seen: list[Observation]) -> DataFrame:
    """The aggregates of every entity's day that the arrival of ds has touched, and what counts the events in them."""
    entity = run.contract.features.entity
    today = aggregate(run, rows_known(run, [run.ds], run.ds), seen)
    earlier = day_range(run.ds, run.contract.lateness_days)[:-1]
    if not earlier:
        return today
    touched = versions_moved(run, earlier, run.ds).select(entity, "event_date").distinct()
    touched, found = spark_tables.materialize(touched, dates=F.collect_set("event_date"))
    dates = found["dates"]
    if not dates:
        return today
    late = rows_known(run, dates, run.ds).join(F.broadcast(touched), [entity, "event_date"], "left_semi")
    # A correction may have moved an entity's last event of a day elsewhere: then the day holds no events.
    whole = touched.join(aggregate(run, late, seen), [entity, "event_date"], "left").fillna(0, ["events"])
    return today.unionByName(whole)


def aggregate(run: Run, rows: DataFrame, seen: list[Observation]) -> DataFrame:
    features = run.contract.features
    states = layout.states(run.contract)
    seen.append(Observation())
    measured, watched = run.dataset.measure(rows), rows.observe(seen[-1], F.count(F.lit(1)).alias("events"))
    plain = {name: _state(name, run.contract.event_time) for name in states if not name.startswith("values_")}
    counted = [name.removeprefix("values_") for name in states if name.startswith("values_")]
    by_day = [features.entity, "event_date"]
    found = (
        run.dataset.measure(watched)
        .groupBy(*by_day)
        .agg(F.count(F.lit(1)).alias("events"), *[column.alias(name) for name, column in plain.items()])
    )
    for column in counted:
        found = found.join(_value_counts(measured, by_day, column), by_day, "left")
    return found


def _state(name: str, event_time: str | None) -> Column:
    kind, _, column = name.partition("_")
    value = F.col(column)
    match kind:
        case "sum":
            return F.sum(value)
        case "count":
            return F.count(value)
        case "min":
            return F.min(value)
        case "max":
            return F.max(value)
        case "true":
            return F.count_if(value)
        case _:
            last = F.struct(F.col(event_time or "event_date").cast("timestamp").alias("time"), value.alias("value"))
            return F.max(F.when(value.isNotNull(), last))


def _value_counts(rows: DataFrame, by_day: list[str], column: str) -> DataFrame:
    """How often each value came, as one sorted array."""
    each = (
        rows.where(F.col(column).isNotNull())
        .groupBy(*by_day, F.col(column).alias("value"))
        .agg(F.count(F.lit(1)).alias("count"))
    )
    entries = F.sort_array(F.collect_list(F.struct("value", "count")))
    return each.groupBy(*by_day).agg(entries.alias(f"values_{column}"))
