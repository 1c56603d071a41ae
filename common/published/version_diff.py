"""Compare two versions of a feature table; days with the same files are not read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from common.days import from_text
from common.errors import ContractViolationError
from common.lake.content_hash import Bytes, canonical, encoded
from common.published.view import View

LARGEST = 10


@dataclass(frozen=True, kw_only=True)
class ValueChange:
    """One number that changed."""

    ds: date
    entity: Any
    column: str
    before: Any
    after: Any
    size: float


@dataclass
class VersionDiff:
    """Differences by entity and day. Values are compared by their bits, like `common.lake.content_hash`."""

    days: list[date] = field(default_factory=list)  # the days that were read
    added: int = 0
    removed: int = 0
    changed: int = 0
    columns: dict[str, int] = field(default_factory=dict)  # changed rows by column
    largest: list[ValueChange] = field(default_factory=list)
    new_columns: list[str] = field(default_factory=list)
    gone_columns: list[str] = field(default_factory=list)
    retyped: list[str] = field(default_factory=list)  # type changed, so not compared


def compare_versions(before: View, after: View, days: Iterable[date] | None = None) -> VersionDiff:
    """Compare day by day, with one day of both versions in memory."""
    diff = _columns(before, after)
    compared = [name for name in before.stored.schema.names if name in _shared(before, after, diff)]
    selected = None if days is None else {str(day) for day in days}
    old, new = before.stored.files, after.stored.files
    for day in sorted({*old, *new}):
        if old.get(day) != new.get(day) and (selected is None or day in selected):
            _compare_day(diff, from_text(day), before, after, compared)
    return diff


def _columns(before: View, after: View) -> VersionDiff:
    old, new = before.stored.schema, after.stored.schema
    return VersionDiff(
        new_columns=[name for name in new.names if name not in old.names],
        gone_columns=[name for name in old.names if name not in new.names],
        retyped=[
            name
            for name in old.names
            if name in new.names and canonical(old.field(name).type, name) != canonical(new.field(name).type, name)
        ],
    )


def _shared(before: View, after: View, diff: VersionDiff) -> set[str]:
    both = {*before.stored.schema.names} & {*after.stored.schema.names}
    return both - {*diff.retyped, "ds"}


def _compare_day(diff: VersionDiff, day: date, before: View, after: View, compared: list[str]) -> None:
    entity = after.entity
    old, new = (_rows_of(view, day, compared, entity) for view in (before, after))
    place = pc.index_in(new[entity], value_set=old[entity].combine_chunks())
    both = pc.is_valid(place)
    kept, was = new.filter(both), old.take(pc.drop_null(place))
    diff.days.append(day)
    diff.added += new.num_rows - kept.num_rows
    diff.removed += old.num_rows - kept.num_rows
    differs = np.zeros(kept.num_rows, bool)
    for name in (column for column in compared if column != entity):
        type_ = canonical(kept[name].type, name)
        here = _differ(encoded(was[name], type_), encoded(kept[name], type_))
        if here.any():
            differs |= here
            diff.columns[name] = diff.columns.get(name, 0) + int(here.sum())
            diff.largest += _largest(day, name, kept[entity], was[name], kept[name])
    diff.changed += int(differs.sum())
    diff.largest = sorted(
        diff.largest, key=lambda change: (-change.size, change.ds, str(change.entity), change.column)
    )[:LARGEST]


def _rows_of(view: View, day: date, columns: list[str], entity: str) -> pa.Table:
    rows = view.stored.read(str(day), columns)
    if pc.count_distinct(rows[entity], mode="all").as_py() != rows.num_rows:
        raise ContractViolationError(
            f"{view.table} version {view.version} has a {entity} more than once on {day}; "
            "expected one row for each. Publish the day again"
        )
    return rows


def _differ(one: Bytes, other: Bytes) -> Any:
    return (one != other).any(axis=1)


def _largest(day: date, name: str, entities: Any, before: Any, after: Any) -> list[ValueChange]:
    """The largest changes of a numeric column, without changes from or to null."""
    if not _is_number(before.type):
        return []
    old, new = (np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy()) for column in (before, after))
    with np.errstate(invalid="ignore"):
        sizes = np.nan_to_num(np.abs(new - old), nan=0.0, posinf=np.inf)
    chosen = np.argsort(-sizes, kind="stable")[:LARGEST]
    return [
        ValueChange(
            ds=day,
            entity=entities[index].as_py(),
            column=name,
            before=before[index].as_py(),
            after=after[index].as_py(),
            size=float(sizes[index]),
        )
        for index in map(int, chosen)
        if sizes[index] > 0
    ]


def _is_number(type_: pa.DataType) -> bool:
    return bool(types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_))
