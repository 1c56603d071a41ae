"""Measure a small profile of every column of a day in one pass, and store it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from common.contracts import suite
from common.contracts.checking.field_types import base_type
from common.contracts.contract import Contract
from common.contracts.layout import Table
from common.contracts.number_types import NUMERIC
from common.days import from_text
from common.lake import small_tables
from common.quality.shown_values import Shown, may_show, shown
from common.runtime.kept_columns import once_a_declaration

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from common.runtime.run import Run

STEPS = 100
QUANTILES = [step / STEPS for step in range(STEPS + 1)]
TOP = 50
EVERYBODY = ""
SKETCH_BITS = 12  # 4,096 registers estimate the number of different values
DISTINCT_ERROR = 0.02  # the standard error of that

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
        ("distinct_error", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Profile:
    """The profile of one column and day, of all rows or of the rows with one `label`."""

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
    distinct_error: float | None = None  # the standard error of `distinct`: 0 where it is exact, None in older profiles

    @property
    def counts(self) -> dict[str, int] | None:
        """The count of every value; None if the top values do not cover all rows."""
        counts = {entry["value"]: entry["count"] for entry in self.top or []}
        return counts if sum(counts.values()) == self.rows - self.nulls else None

    def exact_distinct(self, contract: Contract) -> int | None:
        """The number of different values, where the profile or the contract tells it; else `distinct` is an estimate."""
        known = self.rows - self.nulls
        if not known or self.column in _unique(contract, self.table):
            return known
        if self.counts is not None:
            return sum(count > 0 for count in self.counts.values())
        if self.smallest is None or self.largest is None:
            return None
        # Of whole numbers side by side, such as 0 and 1, there are two.
        apart = self.type in ("int", "long") and Decimal(self.largest) - Decimal(self.smallest) == 1
        return 1 if self.smallest == self.largest else 2 if apart else None


def table_of(contract: Contract) -> Table:
    return Table(
        path=f"profiles/{contract.name}",
        columns=tuple((field.name, str(field.type)) for field in SCHEMA),
        key=("table", "column", "label"),
        partition=("ds",),
        retention_days=contract.retention_days,
    )


def measure(rows: DataFrame, run: Run, name: str) -> list[Profile]:
    """Compute the profiles of all columns in one pass over the rows."""
    row = rows.agg(*aggregates(run.contract, name)).first()
    assert row is not None
    return of_row(run, name, row.asDict(recursive=True))


def of_row(run: Run, name: str, values: Mapping[str, Any]) -> list[Profile]:
    """The profiles that the aggregates of the rows say; of raw, which is untyped text, there are none."""
    contract = run.contract
    profiles = [
        _profile(run.ds, name, label, column, type_, values[f"rows_{label}"], values[str(position)])
        for position, (label, column, type_) in enumerate(_targets(contract, name))
    ]
    exact = [(profile, profile.exact_distinct(contract)) for profile in profiles]
    return [each if number is None else replace(each, distinct=number, distinct_error=0.0) for each, number in exact]


def _targets(contract: Contract, name: str) -> list[tuple[str, str, str]]:
    """What has a profile: each column, of all rows and of those with each label."""
    types = suite.table_of(contract, name).columns
    return [(label, column, type_) for label in _labels(contract, name) for column, type_ in types]


@once_a_declaration
def aggregates(contract: Contract, name: str) -> list[Column]:
    """A structure for each target, named by its position, and the number of rows with each label."""
    from pyspark.sql import functions as F

    measures = [
        F.struct(*_measures(_among(contract, label, F.col(column)), type_, shown(contract, name, column))).alias(
            str(position)
        )
        for position, (label, column, type_) in enumerate(_targets(contract, name))
    ]
    counts = [F.count(_among(contract, label, F.lit(1))).alias(f"rows_{label}") for label in _labels(contract, name)]
    return [*measures, *counts]


def _unique(contract: Contract, name: str) -> tuple[str, ...]:
    """The column that identifies a row of a day, if one alone does."""
    keys = {"processed": contract.key, "features": (contract.features.entity,)}.get(name, ())
    return keys if len(keys) == 1 else ()


def _labels(contract: Contract, name: str) -> list[str]:
    return [EVERYBODY, *(["0", "1"] if contract.label and name == "features" else [])]


def _among(contract: Contract, label: str, values: Column) -> Column:
    """Return the values of the rows with the label, and null for other rows."""
    from pyspark.sql import functions as F

    return values if label == EVERYBODY else F.when(F.col(str(contract.label)) == int(label), values)


def _measures(values: Column, type_: str, values_shown: Shown) -> Iterator[Column]:
    from pyspark.sql import functions as F

    yield F.count(values).alias("known")
    # A sketch is one value to aggregate, where approx_count_distinct has a column for every ten registers.
    hashed = F.when(F.isnotnull(values), F.xxhash64(values))
    yield F.hll_sketch_estimate(F.hll_sketch_agg(hashed, SKETCH_BITS)).alias("distinct")
    if values_shown is not Shown.COUNTS:
        yield F.max(values).cast("string").alias("largest")
    if values_shown is not Shown.ALL:
        return
    yield F.min(values).cast("string").alias("smallest")
    if base_type(type_) in NUMERIC:
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
    """The list as one text: Spark would look at each number of it, for each column, in every one of its rules."""
    from pyspark.sql import functions as F

    return F.split(F.lit(" ".join(map(str, QUANTILES))), " ").cast("array<double>")


def _profile(ds: date, table: str, label: str, column: str, type_: str, rows: int, values: dict[str, Any]) -> Profile:
    return Profile(
        ds=ds,
        table=table,
        column=column,
        label=label,
        type=type_,
        rows=rows,
        nulls=rows - values["known"],
        distinct=min(values["distinct"] or 0, values["known"]),
        smallest=values.get("smallest"),
        largest=values.get("largest"),
        mean=_steady(values.get("mean")),
        deviation=_steady(values.get("deviation")),
        quantiles=values.get("quantiles"),
        top=_top(values),
        distinct_error=DISTINCT_ERROR,
    )


def _top(values: dict[str, Any]) -> list[dict[str, Any]] | None:
    if "true" in values:
        # List both values, even with no rows.
        counts = [("true", values["true"]), ("false", values["known"] - values["true"])]
    elif "top" in values:
        counts = [(entry["item"], entry["count"]) for entry in values["top"] or [] if entry["item"] is not None]
    else:
        return None
    return [{"value": value, "count": count} for value, count in sorted(counts, key=lambda pair: (-pair[1], pair[0]))]


def _steady(number: float | None) -> float | None:
    """Round to 12 digits: the rounding of double sums depends on the order of addition."""
    return None if number is None else float(f"{number:.12g}")


def from_json(fields: dict[str, Any]) -> Profile:
    return Profile(**{**fields, "ds": from_text(fields["ds"])})


def keep(run: Run, name: str, measured: Sequence[Profile], books: Mapping[str, Any] | None = None) -> None:
    """Store the profiles, without the largest value of columns whose values may not be shown."""
    kept = {profile.column: may_show(run.contract, name, profile.column) for profile in measured}
    rows = [vars(profile if kept[profile.column] else replace(profile, largest=None)) for profile in measured]
    small_tables.write_slice(run, table_of(run.contract), SCHEMA, rows, {"ds": [run.ds], "table": [name]}, books)


def known(run: Run, name: str, days: Sequence[date]) -> list[Profile]:
    """Read the stored profiles of these days; days without profiles are skipped."""
    rows = small_tables.read_slice(run.path(table_of(run.contract)), {"ds": days, "table": [name]})
    return [from_json(row) for row in rows.to_pylist()]


def of_day(run: Run, name: str) -> list[Profile]:
    """Those of the run's own day, in the order in which they are measured."""
    order = {(column, label): place for place, (label, column, _) in enumerate(_targets(run.contract, name))}
    return sorted(known(run, name, [run.ds]), key=lambda profile: order.get((profile.column, profile.label), -1))
