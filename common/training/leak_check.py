"""Check a training set for leaks: change the rows outside train and the features after each label, and compare."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from common.errors import ContractViolationError
from common.lake import period_columns
from common.lake.row_diff import EXAMPLES
from common.lake.spark_hash import diff_frames
from common.training.as_of_join import SPLIT, first_unknown
from common.training.fitting import Fitted
from common.training.training_set import TIME, From

LATER = 3  # poison days, or hours, for each entity


def check_fit(rows: DataFrame, fit: Callable[[DataFrame], Fitted]) -> dict[str, int]:
    """Fit with val and test as they are, and again with changed values; raise if the parameters differ."""
    outside = F.col(SPLIT) != "train"
    changed = {
        field.name: F.when(outside, other).otherwise(F.col(field.name))
        for field in rows.schema
        if field.name != SPLIT and (other := _other(field)) is not None
    }
    before, after = fit(rows), fit(rows.withColumns(changed))
    leaks = [
        {"column": ", ".join(step.reads), "step": step.name, "fitted": path}
        for step, one, another in zip(before.steps, before.params, after.params, strict=True)
        for path in _differing(one, another)
    ]
    if leaks:
        examples = ", ".join(f"{leak['fitted'] or 'all'} of {leak['step']}" for leak in leaks[:EXAMPLES])
        raise ContractViolationError(
            f"the fitted steps look at rows outside the train split: {examples} changed when only val and test did. "
            "Fit on the train split alone.",
            [dict(leak) for leak in leaks],
        )
    return {"changed_columns": len(changed), "leaks": 0}


def later(features: DataFrame, labels: DataFrame, entity: str, source: From) -> DataFrame:
    """Replace the feature rows not yet known at their entity's last label with poison rows."""
    every = period_columns.kind(features)
    asked = labels.groupBy(entity).agg(first_unknown(F.max(TIME), source, every).alias("_first"))
    columns = [field for field in features.schema if field.name not in ("ds", entity)]
    kept = features.join(asked, entity, "left").where(F.col("_first").isNull() | (F.col("ds") < F.col("_first")))
    row = F.struct(*(field.name for field in columns))
    newest = features.groupBy(entity).agg(F.max_by(row, "ds").alias("_row")).select(entity, "_row.*")
    following = [period_columns.later(F.col("_first"), F.lit(number), every) for number in range(LATER)]
    days = F.explode(F.array(*following)).alias("ds")
    values = [F.col(field.name) if (other := _other(field)) is None else other.alias(field.name) for field in columns]
    poison = asked.join(newest, entity, "left").select(entity, days, *values)
    return kept.drop("_first").unionByName(poison)


def check_join(before: DataFrame, after: DataFrame, entity: str, examples: int) -> dict[str, int]:
    """Compare the joined examples with those joined to poisoned features; raise if they differ."""
    difference = diff_frames(before, after, [entity, TIME], examples)
    if difference:
        raise ContractViolationError(
            f"examples change with features that were not known by the time of their label: {difference.words}. "
            "The join reads rows that are later than the label, or closer to it than gap_hours. Fix the join.",
            difference.facts,
        )
    return {"examples": examples}


def _other(field: T.StructField) -> Column | None:
    """A different value of the same type; None for a type that has no obvious one."""
    value, type_ = F.col(field.name), field.dataType
    if isinstance(type_, T.NumericType):
        # try_cast turns an overflow into null, which is a different value too.
        return (F.coalesce(value.cast("double"), F.lit(0)) * 3 + 7).try_cast(type_)
    if isinstance(type_, T.StringType):
        return F.concat(F.coalesce(value, F.lit("")), F.lit(" poison"))
    if isinstance(type_, T.BooleanType):
        return ~F.coalesce(value, F.lit(False))
    if isinstance(type_, T.DateType | T.TimestampType):
        return (value + F.make_dt_interval(days=F.lit(1))).cast(type_)
    return None


def _differing(before: Any, after: Any, where: str = "") -> list[str]:
    """The paths at which two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(before.keys() | after.keys())
        paths = [(f"{where}/{name}".lstrip("/"), name) for name in names]
        return [inner for path, name in paths for inner in _differing(before.get(name), after.get(name), path)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [path for place, pair in pairs for path in _differing(*pair, f"{where}/{place}".lstrip("/"))]
    return [] if before == after else [where]
