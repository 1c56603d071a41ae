"""Which versions counted where some arrivals were left out: the rule of `common.clean.as_of`, for few rows, without Spark."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts.contract import Contract
from common.days import as_stored, end_of, from_text, number_between, shifted

SUPERSEDED = "superseded"
PERIODS = ("event_date", "arrived", SUPERSEDED)
Row = dict[str, Any]
# Reads the versions that meet a condition, of all event dates on which versions of the same keys can lie.
Read = Callable[[pc.Expression], pa.Table]


def without_arrivals(versions: pa.Table, left_out: list[date], contract: Contract, read: Read) -> pa.Table:
    """The versions as if those arrivals had never come: superseded by the first better one of the others, if by any."""
    type_ = versions.schema.field("arrived").type
    days = pa.array(map(as_stored, left_out), type_)
    admitted = versions.filter(~pc.field("arrived").isin(days))
    unsettled = admitted.filter(pc.field(SUPERSEDED).isin(days))
    if not unsettled.num_rows:
        return admitted
    keys = pc.scalar(True)
    for name in contract.key:
        keys = keys & pc.field(name).isin(unsettled[name].unique().to_pylist())
    ends = superseded_on(read(keys & ~pc.field("arrived").isin(days)).to_pylist(), left_out, contract)
    rows = map(_with_periods, admitted.to_pylist())
    settled = [ends.get(_identity(row, contract), row[SUPERSEDED]) for row in rows]
    place = admitted.schema.get_field_index(SUPERSEDED)
    return admitted.set_column(place, SUPERSEDED, pa.array([day and as_stored(day) for day in settled], type_))


def superseded_on(
    versions: Iterable[Row], left_out: Collection[date], contract: Contract
) -> dict[tuple[Any, ...], date | None]:
    """By version, the arrival of the first better one; a stored day is kept unless its arrival was left out."""
    by_key = defaultdict(list)
    for row in map(_with_periods, versions):
        by_key[tuple(row[name] for name in contract.key)].append(row)
    ends = {}
    for rows in by_key.values():
        first: dict[str, date] = {}
        for row in sorted(rows, key=lambda each: each["arrived"]):
            first.setdefault(row["record_hash"], row["arrived"])
        # Rows that a longer lateness let in stay comparable.
        lateness = max([contract.lateness, *(number_between(row["event_date"], row["arrived"]) for row in rows)])
        ranks = [_rank(row, first, contract) for row in rows]
        for row, rank in zip(rows, ranks, strict=True):
            better = [rival for rival, other in zip(rows, ranks, strict=True) if other > rank]
            beaten = [rival["arrived"] for rival in better if _meet(row, rival, lateness)]
            kept = [row[SUPERSEDED]] if row[SUPERSEDED] and row[SUPERSEDED] not in left_out else []
            ends[_identity(row, contract)] = min([*beaten, *kept], default=None)
    return ends


def _with_periods(row: Row) -> Row:
    return {**row, **{name: from_text(row[name]) for name in PERIODS if row.get(name) is not None}}


def _rank(row: Row, first: dict[str, date], contract: Contract) -> tuple[Any, ...]:
    """As Spark orders a struct: nulls first."""
    order = [(row[name] is not None, row[name]) for name in contract.winner]
    return *order, first[row["record_hash"]], row["record_hash"], -end_of(row["arrived"]).timestamp()


def _meet(one: Row, other: Row, lateness: int) -> bool:
    events, arrivals = (one["event_date"], other["event_date"]), (one["arrived"], other["arrived"])
    return bool(max(arrivals) <= shifted(min(events), lateness))


def _identity(row: Row, contract: Contract) -> tuple[Any, ...]:
    return *(row[name] for name in contract.key), row["event_date"], row["record_hash"], row["arrived"]
