"""Labels: who, when, and what came of it. Read, judged and counted before anything is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.errors import ContractViolationError, UsageError
from common.lake import content_hash, spark_tables
from common.training.training_set import TIME, Labels

if TYPE_CHECKING:
    from common.runtime.run import Run


@dataclass(frozen=True)
class LabelRows:
    """The labels of some days; the file may be another tomorrow, so their hash says which they were."""

    file: str
    rows: DataFrame  # entity, TIME and label
    hash: str
    used: int
    outside: int  # of other days

    @property
    def facts(self) -> dict[str, Any]:
        counts = {"rows": self.used + self.outside, "used": self.used, "outside": self.outside}
        return {"file": self.file, "hash": self.hash, **counts}


def read_labels(run: Run, declared: Labels, file: str, first: date, last: date) -> LabelRows:
    found = _load(run, file)
    columns = {"entity": declared.entity, "time": declared.time, "label": declared.label}
    absent = [name for name in columns.values() if name not in found.columns]
    if absent:
        raise UsageError(f"{file} lacks {absent}; found {found.columns}")
    rows = found.select(declared.entity, F.col(declared.time).try_cast("timestamp").alias(TIME), declared.label)
    empty = {
        what: F.count_if(F.col(name).isNull())
        for what, name in zip(columns, (declared.entity, TIME, declared.label), strict=True)
    }
    asked = F.to_date(TIME).between(F.lit(first), F.lit(last))
    rows, seen = spark_tables.materialize(rows, used=F.count_if(asked), outside=F.count_if(~asked), **empty)
    _insist_whole(file, {name: seen[what] for what, name in columns.items()})
    used = rows.where(asked)
    hashed = content_hash.hash_rows(used.toArrow(), [declared.entity, TIME])
    return LabelRows(file, used, hashed, seen["used"], seen["outside"])


def _insist_whole(file: str, empty: Mapping[str, int]) -> None:
    found = {name: count for name, count in empty.items() if count}
    if found:
        said = ", ".join(f"{count} without {name}" for name, count in found.items())
        raise ContractViolationError(
            f"{file}: found labels {said} (or with one that can't be read); expected who, when and what came of it in each. "
            "Mend them, or take them out; nothing was built",
            [{"column": name, "rows": count} for name, count in found.items()],
        )


def _load(run: Run, file: str) -> DataFrame:
    if file.endswith(".parquet"):
        return run.spark.read.parquet(file)
    if file.endswith(".csv"):
        return run.spark.read.csv(file, header=True, inferSchema=True)
    return run.spark.read.format("delta").load(file)
