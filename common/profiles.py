"""What a day's columns look like: a small profile of each, measured in one pass and kept for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from common import history, layout, ledger
from common.contract import NUMERIC, Contract
from common.layout import Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from common.run import Run

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
    contract = run.contract
    _, layout_of = layout.STAGES[name]
    types = dict(layout_of(contract).columns)
    labels = [EVERYBODY, *_labels(contract, name)]
    wanted = [(label, column, type_) for label in labels for column, type_ in types.items()]
    found = rows.agg(
        *[
            measure_.alias(f"{place}_{what}")
            for place, (label, column, type_) in enumerate(wanted)
            for what, measure_ in _measures(_among(contract, label, column), type_, _told(contract, column))
        ],
        *[_rows(contract, label).alias(f"rows_{label}") for label in labels],
    ).first()
    assert found is not None
    seen = found.asDict(recursive=True)
    return [
        _profile(run.ds, name, label, column, type_, seen, place) for place, (label, column, type_) in enumerate(wanted)
    ]


def _labels(contract: Contract, name: str) -> list[str]:
    return ["0", "1"] if contract.label and name == "features" else []


def _among(contract: Contract, label: str, column: str) -> Column:
    from pyspark.sql import functions as F

    return F.col(column) if label == EVERYBODY else F.when(F.col(str(contract.label)) == int(label), F.col(column))


def _rows(contract: Contract, label: str) -> Column:
    from pyspark.sql import functions as F

    return F.count(F.lit(1)) if label == EVERYBODY else F.count_if(F.col(str(contract.label)) == int(label))


def _told(contract: Contract, column: str) -> bool:
    """Whether its values may be written down: not those of personal columns, nor keys, of which none is typical."""
    sensitive = {each.name for each in contract.columns if each.sensitive}
    return column not in {*sensitive, *contract.key, contract.features.entity, "record_hash"}


def _measures(values: Column, type_: str, told: bool) -> Iterator[tuple[str, Column]]:
    from pyspark.sql import functions as F

    base = type_.partition("(")[0]
    yield "known", F.count(values)
    yield "distinct", F.approx_count_distinct(values)
    if not told:
        return
    yield "smallest", F.min(values).cast("string")
    yield "largest", F.max(values).cast("string")
    if base in NUMERIC:
        numbers = values.cast("double")
        yield "mean", F.mean(numbers)
        yield "deviation", F.stddev_pop(numbers)
        yield "quantiles", F.percentile_approx(numbers, QUANTILES, F.lit(1_000))
    if base == "string":
        yield "top", F.call_function("approx_top_k", values.cast("string"), F.lit(TOP))


def _profile(ds: date, table: str, label: str, column: str, type_: str, seen: dict[str, Any], place: int) -> Profile:
    mine = {name.partition("_")[2]: value for name, value in seen.items() if name.startswith(f"{place}_")}
    rows = seen[f"rows_{label}"]
    top = [
        {"value": each["item"], "count": each["count"]} for each in mine.get("top") or [] if each["item"] is not None
    ]
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
        mean=mine.get("mean"),
        deviation=mine.get("deviation"),
        quantiles=mine.get("quantiles"),
        top=sorted(top, key=lambda each: (-each["count"], each["value"])) if "top" in mine else None,
    )


def keep(run: Run, name: str, found: Sequence[Profile]) -> None:
    rows = [vars(each) for each in found]
    ledger.record(run, table_of(run.contract), SCHEMA, rows, {"ds": [run.ds], "table": [name]})


def known(run: Run, name: str, days: Sequence[date]) -> list[Profile]:
    """The profiles of those days, as far as they were taken."""
    path = run.path(table_of(run.contract))
    if not days or not history.exists(path):
        return []
    found = ledger.read(path, {"ds": list(days), "table": [name]}).to_pylist()
    return [Profile(**{field.name: row[field.name] for field in SCHEMA}) for row in found]
