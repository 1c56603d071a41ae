"""Partials: one aggregate row per entity and event date, as known at the end of an arrival day.

Each row is the full aggregate of the entity's day, not a delta: a window takes, for each event date, the newest row
that had arrived by then, and never subtracts anything.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean import transforms
from common.clean.as_of import moved_dates, rows_known, versions_moved
from common.contracts import layout
from common.contracts.entity import DROP
from common.contracts.number_types import WIDE_INTEGER
from common.days import day_range, from_text
from common.errors import UnbalancedBooksError
from common.features.dimensions_known import look_up
from common.features.earlier_partials import table_before
from common.lake import spark_tables
from common.lake.period_columns import literal
from common.runtime.run import Run


def build_partials(run: Run) -> tuple[DataFrame, int]:
    """The partial rows that the arrival of ds writes, and their number; raises unless each event is in one of them."""
    observations = list[Observation]()
    rows, totals = spark_tables.materialize(
        look_up(run, arrived_partials(run, observations)),
        partials=F.count(F.lit(1)),
        events=spark_tables.sum_or_zero("events"),
    )
    events = sum(observation.get["events"] for observation in observations)
    if totals["events"] != events:
        raise UnbalancedBooksError(
            f"{events} events went into the partials of {run.ds}, {totals['events']} came out; nothing was committed. "
            "This is a bug in the pipeline or in a measure: measure must neither drop nor add rows."
        )
    return spark_tables.conform(rows.withColumn("ds", literal(run.ds)), layout.partials(run.contract)), totals[
        "partials"
    ]


def take_over(run: Run) -> tuple[DataFrame, int]:
    """The same, from the partials of the version before, which hold every aggregate of this one."""
    stored = spark_tables.read_partitions(run, table_before(run.contract), {"ds": [run.ds]})
    rows, totals = spark_tables.materialize(stored, partials=F.count(F.lit(1)))
    table = layout.partials(run.contract)
    return spark_tables.conform(rows.select(table.names), table), totals["partials"]


def arrived_partials(run: Run, observations: list[Observation]) -> DataFrame:
    """Return the aggregate of every entity and event date that the arrivals of ds touched.

    Appends to `observations` what counts the events that went in.
    """
    today = _with_entity(run, rows_known(run, [run.ds], run.ds))
    touched, dates, number = _touched_earlier(run)
    if touched is None:
        return aggregate(run, today, observations)
    by_day = [run.contract.features.entity, "event_date"]
    late = rows_known(run, dates, run.ds).join(spark_tables.beside(touched, number), by_day, "left_semi")
    states = aggregate(run, today.unionByName(late), observations)
    # A correction may have moved an entity's last event to another day: this day then has no events.
    return states.join(touched.hint("shuffle_hash"), by_day, "full_outer").fillna(0, ["events"])


def _touched_earlier(run: Run) -> tuple[DataFrame | None, list[date], int]:
    """The entities and event dates before ds whose versions its arrivals changed, those dates, and how many of both.

    None if there are none.
    """
    earlier = day_range(run.ds, run.contract.lateness)[:-1]
    if not run.left_out:
        # An arrival that is left out changes which day superseded a row, so the tables' statistics say nothing then.
        earlier = [day for day in moved_dates(run) if day in earlier]
    if not earlier:
        return None, [], 0
    moved = _with_entity(run, versions_moved(run, earlier, run.ds))
    touched, totals = spark_tables.materialize(
        moved.select(run.contract.features.entity, "event_date").distinct(),
        dates=F.collect_set("event_date"),
        number=F.count(F.lit(1)),
    )
    dates = [*map(from_text, totals["dates"])]
    return (touched if dates else None), dates, totals["number"]


def _with_entity(run: Run, rows: DataFrame) -> DataFrame:
    return rows.where(F.col(run.contract.features.entity).isNotNull()) if run.contract.null_entity == DROP else rows


def aggregate(run: Run, rows: DataFrame, observations: list[Observation]) -> DataFrame:
    """Return one row of states per entity and event date; append an observation that counts the input rows."""
    features = run.contract.features
    states = layout.states(run.contract)
    observations.append(Observation())
    measured = transforms.measure(run, rows)
    observed = rows.observe(observations[-1], F.count(F.lit(1)).alias("events"))
    plain = {
        name: _state(name, type_, run.contract.event_time)
        for name, type_ in states.items()
        if not name.startswith(("values_", "lookup_"))
    }
    counted = [name.removeprefix("values_") for name in states if name.startswith("values_")]
    by_day = [features.entity, "event_date"]
    partials = (
        transforms.measure(run, observed)
        .groupBy(*by_day)
        .agg(F.count(F.lit(1)).alias("events"), *[column.alias(name) for name, column in plain.items()])
    )
    for column in counted:
        partials = partials.join(_value_counts(measured, by_day, column), by_day, "left")
    return partials


def _state(name: str, type_: str, event_time: str | None) -> Column:
    kind, _, column = name.partition("_")
    value = F.col(column)
    match kind:
        case "sum":
            # Spark adds longs as longs, and two large ones overflow.
            return F.sum(value.cast(type_) if type_ == WIDE_INTEGER else value)
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
    """Return the number of occurrences of each value, as one sorted array per entity and day."""
    counts = (
        rows.where(F.col(column).isNotNull())
        .groupBy(*by_day, F.col(column).alias("value"))
        .agg(F.count(F.lit(1)).alias("count"))
    )
    entries = F.sort_array(F.collect_list(F.struct("value", "count")))
    return counts.groupBy(*by_day).agg(entries.alias(f"values_{column}"))
