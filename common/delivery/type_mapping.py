"""Which PostgreSQL type takes the values of an Arrow column without loss."""

from __future__ import annotations

import pyarrow as pa
from pyarrow import types

from common.errors import UsageError

LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer ones without a word
TYPES = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.large_string(): "text",
    pa.date32(): "date",
}


def column_types(schema: pa.Schema) -> dict[str, str]:
    """The type of each column; raise with all that no table could take."""
    found = {field.name: _type(field.type) for field in schema}
    unfit = [f"{name} is {schema.field(name).type}" for name, type_ in found.items() if not type_]
    if unfit:
        raise UsageError(
            f"these columns can't be delivered to PostgreSQL: {', '.join(unfit)}; expected numbers, texts, booleans, dates "
            "or times. Deliver the table to a folder as Parquet instead; nothing was written"
        )
    require_short(list(found))
    return found


def require_short(names: list[str]) -> None:
    long = [name for name in names if len(name.encode()) > LONGEST_NAME]
    if long:
        raise UsageError(
            f"PostgreSQL cuts names after {LONGEST_NAME} bytes, and these are longer: {', '.join(long)}; "
            "give them shorter names. Nothing was written"
        )


def require_equal(table: str, found: dict[str, str], expected: dict[str, str]) -> None:
    """Raise unless the target's table has the same columns with the same types, in any order."""
    if found == expected:
        return
    problems = [f"{name} is missing (expected {type_})" for name, type_ in expected.items() if name not in found]
    problems += [f"{name} ({type_}) is unknown here" for name, type_ in found.items() if name not in expected]
    problems += [
        f"{name} is {found[name]}, expected {type_}"
        for name, type_ in expected.items()
        if found.get(name, type_) != type_
    ]
    raise UsageError(
        f"{table} has other columns than the rows: {'; '.join(problems)}. Alter the table, or drop it to have it made again; "
        "nothing was written"
    )


def _type(type_: pa.DataType) -> str:
    if types.is_timestamp(type_) and type_.unit != "ns":  # PostgreSQL keeps microseconds
        return f"timestamp {'with' if type_.tz else 'without'} time zone"
    if types.is_decimal(type_):
        return f"numeric({type_.precision},{type_.scale})"
    return TYPES.get(type_, "")
