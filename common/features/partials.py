"""Per-day partial aggregates: one small row per entity and event date, as it was known when an arrival day was in.

Each row is the whole aggregate of its entity's day, not a delta: a window takes the newest row of each day that had
arrived by then, and nothing is ever subtracted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean.as_of import rows_known, versions_moved
from common.contracts import layout
from common.days import around
from common.errors import BooksDoNotBalance
from common.features import build
from common.lake import delta_log, spark_tables
from common.lake.merge import Wish, converge
from common.orchestration import run_log
from common.orchestration.job import Job, Watch, run_day
from common.runtime.run import Outcome, Run


def main(run: Run) -> Outcome:
    table, seen = layout.partials(run.contract), list[Observation]()
    rows, made = spark_tables.computed(
        arrived_partials(run, seen), partials=F.count(F.lit(1)), events=spark_tables.total("events")
    )
    events = sum(each.get["events"] for each in seen)
    if made["events"] != events:
        raise BooksDoNotBalance(
            f"{events} events went into the partials of {run.ds}, {made['events']} came out; nothing was committed. "
            "This is a fault of the pipeline or of a measure: a measure must neither drop nor add rows."
        )
    desired = spark_tables.conform(rows.withColumn("ds", F.lit(run.ds)), table)
    wish = Wish(table=table, where={"ds": [run.ds]}, desired=desired, size=made["partials"])
    change = converge(run, wish, {"sources": run.versions(build.sources(run.contract))})
    return Outcome.of({"partials_changed": change.rows}, [(table, change)])


def arrived_partials(run: Run, seen: list[Observation]) -> DataFrame:
    """The aggregates of every entity's day that the arrival of ds has touched, and what counts the events in them."""
    entity = run.contract.features.entity
    today = aggregate(run, rows_known(run, [run.ds], run.ds), seen)
    earlier = around(run.ds, run.contract.lateness_days)[:-1]
    if not earlier:
        return today
    touched = versions_moved(run, earlier, run.ds).select(entity, "event_date").distinct()
    touched, found = spark_tables.computed(touched, dates=F.collect_set("event_date"))
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


PARTIALS = Job(
    "partials",
    main,
    watches=lambda run: (
        [
            Watch(table, lambda day: day in around(run.ds, run.contract.lateness_days))
            for table in build.sources(run.contract)
        ]
        + [Watch(layout.partials(run.contract), lambda day: False)]
    ),
)


def _arrived(run: Run) -> set[date]:
    """By the table: the log of runs may be lost."""
    return {date.fromisoformat(file.partition["ds"]) for file in delta_log.files(run.path(layout.raw(run.contract)))}


def bring_up_to_date(run: Run) -> None:
    """Makes the partials of the window whole, whichever of its days have been cleaned, or cleaned again, since."""
    window = run.contract.features.window_days
    if not window:
        return
    cleaned = set(run_log.days(run.settings.lake, run.contract.name, "clean")) | _arrived(run)
    for day in around(run.ds, window - 1):
        if day in cleaned:
            run_day(PARTIALS, replace(run, ds=day, full_refresh=run.full_refresh and day == run.ds), quiet=True)
