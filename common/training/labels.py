"""Read labels (entity, time, label) and check that every value can be read before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common.days import end_of, start_of
from common.errors import ContractViolationError, UsageError
from common.lake import spark_tables
from common.lake.spark_hash import hash_frame
from common.runtime.locations import require_present
from common.training.training_set import TIME, Labels

if TYPE_CHECKING:
    from common.runtime.run import Run


@dataclass(frozen=True)
class LabelRows:
    """The labels of a range of days or hours; the hash identifies them, because the file may change later."""

    file: str
    rows: DataFrame  # entity, TIME and label
    hash: str
    used: int
    outside: int  # labels of other times

    @property
    def facts(self) -> dict[str, Any]:
        counts = {"rows": self.used + self.outside, "used": self.used, "outside": self.outside}
        return {"file": self.file, "hash": self.hash, **counts}


def read_labels(run: Run, declared: Labels, file: str, first: date, last: date) -> LabelRows:
    require_present("--labels", file)
    labels = _load(run, file)
    columns = {"entity": declared.entity, "time": declared.time, "label": declared.label}
    absent = [name for name in columns.values() if name not in labels.columns]
    if absent:
        raise UsageError(f"{file} lacks {absent}; found {labels.columns}. Correct the file, or the declared Labels")
    rows = labels.select(declared.entity, F.col(declared.time).try_cast("timestamp").alias(TIME), declared.label)
    empty = {
        what: F.count_if(F.col(name).isNull())
        for what, name in zip(columns, (declared.entity, TIME, declared.label), strict=True)
    }
    in_range = (F.col(TIME) >= F.lit(start_of(first))) & (F.col(TIME) < F.lit(end_of(last)))
    rows, counts = spark_tables.materialize(rows, used=F.count_if(in_range), outside=F.count_if(~in_range), **empty)
    _require_complete(file, {name: counts[what] for what, name in columns.items()})
    used = rows.where(in_range)
    hashed = hash_frame(used, [declared.entity, TIME], counts["used"])
    return LabelRows(file, used, hashed, counts["used"], counts["outside"])


def _require_complete(file: str, empty: Mapping[str, int]) -> None:
    missing = {name: count for name, count in empty.items() if count}
    if missing:
        problems = ", ".join(f"{count} without {name}" for name, count in missing.items())
        raise ContractViolationError(
            f"{file}: found labels {problems} (or with one that can't be read); expected an entity, a time and a label in "
            "every row. Nothing was built. Correct the rows, or remove them",
            [{"column": name, "rows": count} for name, count in missing.items()],
        )


def _load(run: Run, file: str) -> DataFrame:
    if file.endswith(".parquet"):
        return run.spark.read.parquet(file)
    if file.endswith(".csv"):
        return run.spark.read.csv(file, header=True, inferSchema=True)
    return run.spark.read.format("delta").load(file)
