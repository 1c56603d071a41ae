"""Feature rows from partials (windows) or from the day itself (snapshots), as the contract declares them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

from common.clean.as_of import rows_known
from common.contracts import aggregates as agg
from common.contracts import layout
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.days import day_range
from common.errors import UnbalancedBooksError
from common.lake import spark_tables
from common.runtime.run import Run

# How many entity days a feature row was made of: what went in must come out.
PARTS = "_parts"


def build_features(run: Run, partials: DataFrame | None = None) -> tuple[DataFrame, dict[str, int]]:
    """The feature rows of ds and their books; from the stored partials, unless others are given."""
    seen = Observation()
    if run.contract.features.window_days:
        rows = windows(run, seen, newest_partials(run) if partials is None else partials)
    else:
        rows = snapshot(run, seen)
    rows, made = spark_tables.materialize(rows, features=F.count(F.lit(1)), parts=spark_tables.sum_or_zero(PARTS))
    parts = seen.get["parts"]
    if made["parts"] != parts:
        raise UnbalancedBooksError(
            f"{parts} entity days went into {run.ds}; {made['parts']} came out, in {made['features']} rows. "
            "Nothing was committed: this is a fault of the pipeline or of a measure."
        )
    counts = {"entity_days": parts, "features": made["features"]}
    return spark_tables.conform(rows.withColumn("ds", F.lit(run.ds)), layout.features(run.contract)), counts


def source_tables(contract: Contract) -> list[Table]:
    return [layout.processed(contract), layout.superseded(contract)]


def arrival_days(run: Run) -> list[date]:
    """The arrival days that a feature row of ds is made from."""
    return day_range(run.ds, max(0, run.contract.features.window_days - 1) + run.contract.lateness_days)


def snapshot(run: Run, seen: Observation) -> DataFrame:
    """Each row of the day's snapshot, one for one."""
    rows = rows_known(run, [run.ds], run.ds).observe(seen, F.count(F.lit(1)).alias("parts"))
    rows = run.dataset.measure(rows).withColumn(PARTS, F.lit(1))
    features = run.contract.features
    columns = {each.name: _of_row(each.rule, run) for each in features.columns}
    return rows.select(features.entity, PARTS, *[column.alias(name) for name, column in columns.items()])


def _of_row(rule: agg.Aggregate, run: Run) -> Column:
    match rule:
        case agg.Pick(column):
            return F.col(column)
        case agg.Flag(column, value):
            return (F.col(column) == F.lit(value)).cast("int")
        case agg.DatePart("dayofweek"):
            return F.weekday(F.lit(run.ds)) + 1
        case agg.DatePart(part):
            return F.date_part(F.lit(part), F.lit(run.ds))
        case agg.FeatureRatio():
            return ratio(rule)
        case _:
            raise TypeError(f"{rule} is no rule for a snapshot")


def ratio(rule: agg.FeatureRatio) -> Column:
    numerator, divisor = F.col(rule.numerator).cast("double"), F.col(rule.divisor).cast("double")
    return F.when(F.coalesce(divisor, F.lit(0.0)) != 0, numerator / divisor).otherwise(F.lit(rule.zero))


def newest_partials(run: Run) -> DataFrame:
    """Of each entity's event date in the window, the newest aggregate that had arrived by ds."""
    features = run.contract.features
    key = [features.entity, "event_date"]
    days = day_range(run.ds, features.window_days - 1)
    partials = spark_tables.read_partitions(run, layout.partials(run.contract), {"ds": days})
    partials = partials.where(F.col("event_date") >= F.lit(days[0]))
    # Only a day that somebody was late for has several, so only those are looked up.
    newest = partials.where(F.col("ds") > F.col("event_date")).groupBy(*key).agg(F.max("ds").alias("newest"))
    joined = partials.join(newest, key, "left")
    return joined.where(F.col("ds") == F.coalesce("newest", "ds")).drop("newest")


def windows(run: Run, seen: Observation, partials: DataFrame) -> DataFrame:
    """One row per entity, from the partials of its days."""
    features = run.contract.features
    partials = partials.where("events > 0")
    ratios = {each.name: each.rule for each in features.columns if isinstance(each.rule, agg.FeatureRatio)}
    counted = {
        each.name: each.rule for each in features.columns if isinstance(each.rule, agg.Distinct | agg.MostFrequent)
    }
    plain = [
        _over_window(each.rule, run).alias(each.name)
        for each in features.columns
        if each.name not in ratios and each.name not in counted
    ]
    seen_partials = partials.observe(seen, F.count(F.lit(1)).alias("parts"))
    rows = seen_partials.groupBy(features.entity).agg(F.count(F.lit(1)).alias(PARTS), *plain)
    for column in sorted({rule.column for rule in counted.values()}):
        mine = {name: rule for name, rule in counted.items() if rule.column == column}
        rows = rows.join(_of_values(run, partials, column, mine), features.entity, "left")
    return rows.withColumns({name: ratio(rule) for name, rule in ratios.items()})


def _over_window(rule: agg.Aggregate, run: Run) -> Column:
    if isinstance(rule, agg.ColumnAggregate):
        return _of_column(rule, run)
    match rule:
        case agg.Count(days):
            return F.coalesce(F.sum(_inside(run, days, "events")), F.lit(0))
        case agg.ActiveDays(days):
            return F.count(_inside(run, days, "events"))
        case agg.DaysSinceLast(days):
            return F.datediff(F.lit(run.ds), F.max(_inside(run, days, "event_date")))
        case _:
            raise TypeError(f"{rule} is no rule for a window")


def _of_column(rule: agg.ColumnAggregate, run: Run) -> Column:
    def inside(state: str) -> Column:
        return _inside(run, rule.days, state)

    column = rule.column
    match rule:
        case agg.Sum():
            return F.coalesce(F.sum(inside(f"sum_{column}")), F.lit(0))
        case agg.Mean():
            total, count = F.sum(inside(f"sum_{column}")), F.sum(inside(f"count_{column}"))
            return F.when(count > 0, total.cast("double") / count)
        case agg.Min():
            return F.min(inside(f"min_{column}"))
        case agg.Max():
            return F.max(inside(f"max_{column}"))
        case agg.Share():
            return F.sum(inside(f"true_{column}")) / F.sum(inside("events"))
        case agg.Last():
            return F.max(inside(f"last_{column}"))["value"]
        case _:
            raise TypeError(f"{rule} is no rule for a window")


def _inside(run: Run, days: int, state: str) -> Column:
    """The state of the days in (ds - days, ds], null outside."""
    return F.when(F.col("event_date") > F.lit(run.ds - timedelta(days=days)), F.col(state))


def _of_values(run: Run, partials: DataFrame, column: str, rules: Mapping[str, agg.ColumnAggregate]) -> DataFrame:
    """Distinct counts and most frequent values: the arrays of the days added up, value by value."""
    entity = run.contract.features.entity
    each = partials.select(entity, "event_date", F.inline(f"values_{column}"))
    windows = sorted({rule.days for rule in rules.values()})
    times = [F.sum(_inside(run, days, "count")).alias(f"times_{days}") for days in windows]
    by_value = each.groupBy(entity, "value").agg(*times)
    return by_value.groupBy(entity).agg(*[_pick(rule).alias(name) for name, rule in rules.items()])


def _pick(rule: agg.ColumnAggregate) -> Column:
    times = F.col(f"times_{rule.days}")
    if isinstance(rule, agg.Distinct):
        return F.count(times)
    return F.min(F.when(times.isNotNull(), F.struct(-times, F.col("value").alias("value"))))["value"]
