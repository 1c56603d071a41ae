"""Build feature rows as the contract declares them: from partials (windows) or from the day's rows (snapshots)."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean import transforms
from common.clean.as_of import rows_known
from common.contracts import aggregates as agg
from common.contracts import layout
from common.contracts.changes import event_dates
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.contracts.lookup import Lookup
from common.days import day_of, day_range, shifted
from common.errors import UnbalancedBooksError
from common.lake import spark_tables
from common.lake.period_columns import distance, literal
from common.runtime.run import Run

# The number of entity days in a feature row; its sum must equal the number that was read.
PARTS = "_parts"


def build_features(run: Run, partials: DataFrame | None = None) -> tuple[DataFrame, dict[str, int]]:
    """Return the feature rows of ds and their books, from `partials` or else from the stored ones."""
    observation = Observation()
    if run.contract.features.window_days:
        rows = windows(run, observation, newest_partials(run) if partials is None else partials)
    else:
        rows = snapshot(run, observation)
    rows, totals = spark_tables.materialize(rows, features=F.count(F.lit(1)), parts=spark_tables.sum_or_zero(PARTS))
    parts = observation.get["parts"]
    if totals["parts"] != parts:
        raise UnbalancedBooksError(
            f"{parts} entity days went into the features of {run.ds}, {totals['parts']} came out in "
            f"{totals['features']} rows; nothing was committed. Check `measure`: it must neither drop nor add rows. "
            "If it does neither, this is a bug in the pipeline."
        )
    counts = {"entity_days": parts, "features": totals["features"]}
    return spark_tables.conform(rows.withColumn("ds", literal(run.ds)), layout.features(run.contract)), counts


def source_tables(contract: Contract) -> list[Table]:
    return [*layout.row_versions(contract)]


def snapshot(run: Run, observation: Observation) -> DataFrame:
    """Return one feature row for each row of the day's snapshot."""
    rows = rows_known(run, event_dates(run.contract, run.ds), run.ds).observe(
        observation, F.count(F.lit(1)).alias("parts")
    )
    rows = transforms.measure(run, rows).withColumn(PARTS, F.lit(1))
    features = run.contract.features
    columns = [_snapshot_column(column.rule, run).alias(column.name) for column in features.columns]
    return rows.select(features.entity, PARTS, *columns)


def _snapshot_column(rule: agg.Aggregate, run: Run) -> Column:
    match rule:
        case agg.Pick(column):
            return F.col(column)
        case agg.Flag(column, value):
            return (F.col(column) == F.lit(value)).cast("int")
        case agg.DatePart("dayofweek"):
            return F.weekday(F.lit(day_of(run.ds))) + 1
        case agg.DatePart(part):
            return F.date_part(F.lit(part), F.lit(day_of(run.ds)))
        case agg.FeatureRatio():
            return ratio(rule)
        case _:
            raise TypeError(f"{rule} cannot be computed on a snapshot")


def ratio(rule: agg.FeatureRatio) -> Column:
    numerator, divisor = F.col(rule.numerator).cast("double"), F.col(rule.divisor).cast("double")
    return F.when(F.coalesce(divisor, F.lit(0.0)) != 0, numerator / divisor).otherwise(F.lit(rule.zero))


def newest_partials(run: Run) -> DataFrame:
    """Return the newest partial that had arrived by ds, for each entity and event date of the window."""
    features = run.contract.features
    key = [features.entity, "event_date"]
    days = day_range(run.ds, features.days_back)
    admitted = [day for day in days if day not in run.left_out]
    partials = spark_tables.read_partitions(run, layout.partials(run.contract), {"ds": admitted})
    partials = partials.where(F.col("event_date") >= literal(days[0]))
    # Only event dates with late arrivals have several partials, so look up the newest of those alone.
    newest = partials.where(F.col("ds") > F.col("event_date")).groupBy(*key).agg(F.max("ds").alias("newest"))
    joined = partials.join(newest, key, "left")
    return joined.where(F.col("ds") == F.coalesce("newest", "ds")).drop("newest")


def windows(run: Run, observation: Observation, partials: DataFrame) -> DataFrame:
    """Return one feature row per entity, from the partials of the window."""
    features = run.contract.features
    partials = partials.where("events > 0")
    rules = {column.name: column.rule for column in features.columns}
    ratios = {name: rule for name, rule in rules.items() if isinstance(rule, agg.FeatureRatio)}
    by_value = {name: rule for name, rule in rules.items() if isinstance(rule, agg.Distinct | agg.MostFrequent)}
    plain = [
        _window_column(rule, run).alias(name)
        for name, rule in rules.items()
        if name not in ratios and name not in by_value
    ]
    observed = partials.observe(observation, F.count(F.lit(1)).alias("parts"))
    rows = observed.groupBy(features.entity).agg(F.count(F.lit(1)).alias(PARTS), *plain)
    for source in sorted({rule.column for rule in by_value.values()}):
        of_source = {name: rule for name, rule in by_value.items() if rule.column == source}
        rows = rows.join(_value_columns(run, partials, source, of_source), features.entity, "left")
    # A Spark Connect server refuses to add no column.
    return rows.withColumns({name: ratio(rule) for name, rule in ratios.items()}) if ratios else rows


def _window_column(rule: agg.Aggregate, run: Run) -> Column:
    if isinstance(rule, agg.ColumnAggregate):
        return _column_aggregate(rule, run)
    match rule:
        case agg.Count():
            return F.coalesce(F.sum(_within(run, rule, "events")), F.lit(0))
        case agg.ActiveDays():
            return F.count(_within(run, rule, "events")).cast("int")
        case Lookup():
            return F.max_by(rule.state, "event_date")
        case agg.DaysSinceLast():
            return distance(F.max(_within(run, rule, "event_date")), literal(run.ds), run.contract.every)
        case _:
            raise TypeError(f"{rule} cannot be computed over a window")


def _column_aggregate(rule: agg.ColumnAggregate, run: Run) -> Column:
    def within(state: str) -> Column:
        return _within(run, rule, state)

    column = rule.column
    match rule:
        case agg.Sum():
            # Spark sums decimals wider still; a sum that does not fit the declared type raises.
            total = F.coalesce(F.sum(within(f"sum_{column}")), F.lit(0))
            return total.cast(rule.type(lambda name: layout.type_of(run.contract, name)))
        case agg.Mean():
            total, count = F.sum(within(f"sum_{column}")), F.sum(within(f"count_{column}"))
            return F.when(count > 0, total.cast("double") / count)
        case agg.Min():
            return F.min(within(f"min_{column}"))
        case agg.Max():
            return F.max(within(f"max_{column}"))
        case agg.Share():
            events = F.sum(within("events" if rule.of == "all" else f"count_{column}"))
            return F.sum(within(f"true_{column}")) / F.nullif(events, F.lit(0))
        case agg.Last():
            return F.max(within(f"last_{column}"))["value"]
        case _:
            raise TypeError(f"{rule} cannot be computed over a window")


def _within(run: Run, window: agg.Windowed, state: str) -> Column:
    """Return the state on the event dates of the window, and null on others."""
    last = shifted(run.ds, -window.ago)
    within = F.col("event_date") > literal(shifted(last, -window.days))
    return F.when(within & (F.col("event_date") <= literal(last)) if window.ago else within, F.col(state))


def _value_columns(run: Run, partials: DataFrame, column: str, rules: Mapping[str, agg.ColumnAggregate]) -> DataFrame:
    """Return distinct counts and most frequent values, by summing the days' counts of each value."""
    entity = run.contract.features.entity
    counts = partials.select(entity, "event_date", F.inline(f"values_{column}"))
    windows = {_times(rule): rule for rule in rules.values()}
    times = [F.sum(_within(run, rule, "count")).alias(name) for name, rule in sorted(windows.items())]
    by_value = counts.groupBy(entity, "value").agg(*times)
    return by_value.groupBy(entity).agg(*[_pick(rule).alias(name) for name, rule in rules.items()])


def _times(rule: agg.ColumnAggregate) -> str:
    return f"times_{rule.days}_{rule.ago}"


def _pick(rule: agg.ColumnAggregate) -> Column:
    times = F.col(_times(rule))
    if isinstance(rule, agg.Distinct):
        return F.count(times)
    return F.min(F.when(times.isNotNull(), F.struct(-times, F.col("value").alias("value"))))["value"]
