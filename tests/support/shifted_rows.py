"""Rows and texts as they would be some days later: each date, time and key that names a day moves."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

DAY = re.compile(r"(?<!\d)(\d{4})(-?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
# Days of other centuries stand for nothing here.
YEARS = range(1990, 2100)


def shifted_text(text: str, by: timedelta) -> str:
    return DAY.sub(lambda found: _shifted_day(*found.groups(), by), text)


@lru_cache(maxsize=10_000)
def _shifted_day(year: str, dash: str, month: str, day: str, by: timedelta) -> str:
    as_it_is = dash.join((year, month, day))
    if int(year) not in YEARS:
        return as_it_is
    try:
        return (date(int(year), int(month), int(day)) + by).strftime(f"%Y{dash}%m{dash}%d")
    except ValueError:  # no date at all
        return as_it_is


def shifted_rows(rows: pa.Table, by: timedelta) -> pa.Table:
    plain = rows.cast(pa.schema([field.with_type(_plain(field.type)) for field in rows.schema]))
    columns = [_shifted(column.combine_chunks(), by) for column in plain.columns]
    return pa.Table.from_arrays(columns, schema=plain.schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Arrow writes no files of text views, as deltalake does."""
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def _shifted(values: pa.Array, by: timedelta) -> Any:
    kind = values.type
    if pa.types.is_date32(kind):
        return pc.add(values.cast(pa.int32()), pa.scalar(by.days, pa.int32())).cast(kind)
    if pa.types.is_timestamp(kind):
        return pc.add(values, pa.scalar(by, pa.duration(kind.unit)))
    if pa.types.is_string(kind):
        return pa.array([value and shifted_text(value, by) for value in values.to_pylist()], kind)
    if pa.types.is_struct(kind):
        parts = [_shifted(values.field(number), by) for number in range(kind.num_fields)]
        return pa.StructArray.from_arrays(parts, fields=[*kind], mask=values.is_null())
    return values
