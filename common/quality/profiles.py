"""What a day's columns look like: a small profile of each, measured in one pass and kept for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from common.contracts import suite
from common.contracts.aggregates import NUMERIC
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.contracts.sensitive import sensitive_names
from common.lake import small_tables

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from common.runtime.run import Run

STEPS = 100
QUANTILES = [step / STEPS for step in range(STEPS + 1)]
TOP = 50
EVERYBODY = ""

SCHEMA = pa.schema(
    [
        ("ds", pa.date32()),
        ("table", pa.string()),
        ("column", pa.string()),
        ("label", pa.string()),
        ("type", pa.string()),
        ("rows", pa.int64()),
        ("nulls", pa.int64()),
        ("distinct", pa.int64()),
        ("smallest", pa.string()),
        ("largest", pa.string()),
        ("mean", pa.float64()),
        ("deviation", pa.float64()),
        ("quantiles", pa.list_(pa.float64())),
        ("top", pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64())]))),
    ]
)


class Shown(Enum):
    """What is measured of a column's values beside their number."""

    ALL = "all"
    NEWEST = "newest"  # the last event, however personal its time: the day's freshness is judged by it
    COUNTS = "counts"


@dataclass(frozen=True)
class Profile:
    """One column of one day. `label` is empty, or the label of the rows that it is about."""

    ds: date
    table: str
    column: str
    label: str
    type: str
    rows: int
    nulls: int
    distinct: int
    smallest: str | None
    largest: str | None
    mean: float | None
    deviation: float | None
    quantiles: list[float] | None
    top: list[dict[str, Any]] | None

    @property
    def counts(self) -> dict[str, int] | None:
        """How often each value came, where all of them are known."""
        found = {each["value"]: each["count"] for each in self.top or []}
        return found if sum(found.values()) == self.rows - self.nulls else None


def table_of(contract: Contract) -> Table:
    return Table(
        path=f"profiles/{contract.name}",
        columns=tuple((field.name, str(field.type)) for field in SCHEMA),
        key=("table", "column", "label"),
        partition=("ds",),
        retention_days=contract.retention_days,
    )


def measure(rows: DataFrame, run: Run, name: str) -> list[Profile]:
    """The profiles of all columns, from one pass over the rows."""
    from pyspark.sql import functions as F

    contract = run.contract
    types = suite.table_of(contract, name).columns
    labels = [EVERYBODY, *_labels(contract, name)]
    wanted = [(label, column, type_) for label in labels for column, type_ in types]
    measures = [
        F.struct(*_measures(_among(contract, label, F.col(column)), type_, _shown(contract, name, column))).alias(
            str(place)
        )
        for place, (label, column, type_) in enumerate(wanted)
    ]
    counts = [F.count(_among(contract, label, F.lit(1))).alias(f"rows_{label}") for label in labels]
    found = rows.agg(*measures, *counts).first()
    assert found is not None
    seen = found.asDict(recursive=True)
    return [
        _profile(run.ds, name, label, column, type_, seen[f"rows_{label}"], seen[str(place)])
        for place, (label, column, type_) in enumerate(wanted)
    ]


def _labels(contract: Contract, name: str) -> list[str]:
    return ["0", "1"] if contract.label and name == "features" else []


def _among(contract: Contract, label: str, values: Column) -> Column:
    """The values of the rows with that label; null for the others."""
    from pyspark.sql import functions as F

    return values if label == EVERYBODY else F.when(F.col(str(contract.label)) == int(label), values)


def _told(contract: Contract, name: str, column: str) -> bool:
    """Whether its values may be written down: not those of personal columns, nor keys, of which none is typical."""
    personal = sensitive_names(contract, name)
    return column not in {*personal, *contract.key, contract.features.entity, "record_hash"}


def _shown(contract: Contract, name: str, column: str) -> Shown:
    if _told(contract, name, column):
        return Shown.ALL
    return Shown.NEWEST if (name, column) == ("processed", contract.event_time) else Shown.COUNTS


def _measures(values: Column, type_: str, shown: Shown) -> Iterator[Column]:
    from pyspark.sql import functions as F

    yield F.count(values).alias("known")
    yield F.approx_count_distinct(values).alias("distinct")
    if shown is not Shown.COUNTS:
        yield F.max(values).cast("string").alias("largest")
    if shown is not Shown.ALL:
        return
    yield F.min(values).cast("string").alias("smallest")
    if type_.partition("(")[0] in NUMERIC:
        numbers = values.cast("double")
        yield F.mean(numbers).alias("mean")
        yield F.stddev_pop(numbers).alias("deviation")
        yield F.percentile_approx(numbers, _quantiles(), F.lit(1_000)).alias("quantiles")
    if type_ == "string":
        yield F.call_function("approx_top_k", values, F.lit(TOP)).alias("top")
    if type_ == "boolean":
        yield F.count_if(values).alias("true")


@cache
def _quantiles() -> Column:
    """Each number of a list is a call to the JVM: a hundred of them, for every column, table and day."""
    from pyspark.sql import functions as F

    return F.lit(QUANTILES)


def _profile(ds: date, table: str, label: str, column: str, type_: str, rows: int, mine: dict[str, Any]) -> Profile:
    return Profile(
        ds=ds,
        table=table,
        column=column,
        label=label,
        type=type_,
        rows=rows,
        nulls=rows - mine["known"],
        distinct=mine["distinct"],
        smallest=mine.get("smallest"),
        largest=mine.get("largest"),
        mean=_steady(mine.get("mean")),
        deviation=_steady(mine.get("deviation")),
        quantiles=mine.get("quantiles"),
        top=_top(mine),
    )


def _top(mine: dict[str, Any]) -> list[dict[str, Any]] | None:
    if "true" in mine:
        # Both are possible whether anybody has them or not.
        found = [("true", mine["true"]), ("false", mine["known"] - mine["true"])]
    elif "top" in mine:
        found = [(each["item"], each["count"]) for each in mine["top"] or [] if each["item"] is not None]
    else:
        return None
    return [{"value": value, "count": count} for value, count in sorted(found, key=lambda each: (-each[1], each[0]))]


def _steady(number: float | None) -> float | None:
    """A sum of doubles depends on who added what first; that must not show."""
    return None if number is None else float(f"{number:.12g}")


def from_json(said: dict[str, Any]) -> Profile:
    return Profile(**{**said, "ds": date.fromisoformat(said["ds"])})


def keep(run: Run, name: str, found: Sequence[Profile]) -> None:
    """What may not be told is left out."""
    told = {each.column: _told(run.contract, name, each.column) for each in found}
    rows = [vars(each if told[each.column] else replace(each, largest=None)) for each in found]
    small_tables.write_slice(run, table_of(run.contract), SCHEMA, rows, {"ds": [run.ds], "table": [name]})


def known(run: Run, name: str, days: Sequence[date]) -> list[Profile]:
    """The profiles of those days, as far as they were taken."""
    found = small_tables.read_slice(run.path(table_of(run.contract)), {"ds": days, "table": [name]})
    return [Profile(**row) for row in found.to_pylist()]
