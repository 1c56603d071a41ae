"""Splits rows into unique ones and ones that resemble others: only the latter need to be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from common.lake.spark_tables import broadcast_if_small, materialize
from common.runtime import plan_size

ALIKE = "_alike"
SHARED = "_shared"


@dataclass(frozen=True)
class SplitRows:
    rows: DataFrame
    alone: DataFrame
    alike: DataFrame | None  # None if every row stands alone
    measures: dict[str, Any]


def split_rows(rows: DataFrame, alike: Column, **measures: Column) -> SplitRows:
    """Computes the rows once and takes the measures on that pass. Rows are alike by that value; one without it stands alone."""
    by = _by_window if plan_size.is_small(rows.sparkSession) else _by_join
    return by(rows.withColumn(ALIKE, alike), measures)


def _by_window(rows: DataFrame, measures: dict[str, Column]) -> SplitRows:
    """For one task: nothing is shuffled."""
    shared = F.col(ALIKE).isNotNull() & (F.count(F.lit(1)).over(Window.partitionBy(ALIKE)) > 1)
    marked = rows.withColumn(SHARED, shared).drop(ALIKE)
    rows, seen = materialize(marked, **measures, **{SHARED: F.count_if(SHARED)})
    some = seen.pop(SHARED)
    alone, others = (rows.where(condition).drop(SHARED) for condition in (~F.col(SHARED), F.col(SHARED)))
    return SplitRows(rows, alone, others if some else None, seen)


def _by_join(rows: DataFrame, measures: dict[str, Column]) -> SplitRows:
    """For many rows: most stand alone, and they are never shuffled."""
    rows, seen = materialize(rows, **measures)
    counted = rows.where(F.col(ALIKE).isNotNull()).groupBy(ALIKE).count()
    shared, count = broadcast_if_small(counted.where("count > 1").select(ALIKE))
    if not count:
        return SplitRows(rows, rows.drop(ALIKE), None, seen)
    alone, others = (rows.join(shared, ALIKE, kind).drop(ALIKE) for kind in ("left_anti", "left_semi"))
    return SplitRows(rows, alone, others, seen)
