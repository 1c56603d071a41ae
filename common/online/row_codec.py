"""Rows as text and back, exactly: what the online stores keep."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from common.errors import ContractViolationError, UsageError
from common.names import NAME

Row = dict[str, Any]
Pair = tuple[str, str]  # an entity and its row, both as text

_READ: dict[str, Callable[[str], Any]] = {
    "$decimal": Decimal,
    "$date": date.fromisoformat,
    "$time": datetime.fromisoformat,
    "$double": float,
}


def encode(value: Any) -> str:
    """As JSON that any reader takes; what JSON has no word for says what it is: `{"$decimal": "1.50"}`."""
    try:
        return json.dumps(value, default=_tagged, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a double that is no number
        return json.dumps(_without_nan(value), default=_tagged, allow_nan=False, separators=(",", ":"))


def decode(text: str) -> Any:
    return json.loads(text, object_hook=_untagged)


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$time": (value.astimezone(UTC) if value.tzinfo else value).isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if hasattr(value, "item"):  # a number of NumPy's
        return value.item()
    raise UsageError(f"a {type(value).__name__} can't be stored online; expected a number, text, a date or a boolean")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$double": repr(value)}
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    return [_without_nan(each) for each in value] if isinstance(value, list | tuple) else value


def _untagged(found: Row) -> Any:
    if len(found) == 1:
        [(tag, text)] = found.items()
        if tag in _READ:
            return _READ[tag](text)
    return found


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} names no view or column; expected lower case letters, digits and _")
    return name


def newer(entity: str, batch: pa.RecordBatch, newest: dict[str, date | None]) -> dict[str, str]:
    """The rows that are newer than what `newest` has of their entities, by entity; it is brought up to date."""
    _check(entity, batch)
    found: dict[str, str] = {}
    for row in batch.to_pylist():
        key, ds = encode(row[entity]), row.get("ds")
        if key in newest:
            known = newest[key]
            if ds is None or known is None or ds == known:
                raise ContractViolationError(
                    f"an {entity} has two rows{f' of {ds}' if ds else ''}; expected one for each ds, find out which is right"
                )
            if ds < known:
                continue
        newest[key], found[key] = ds, encode(row)
    return found


def _check(entity: str, batch: pa.RecordBatch) -> None:
    for field in batch.schema:
        checked_name(field.name)
        if not _storable(field.type):
            raise UsageError(f"column {field.name!r} is {field.type}: it can't be stored online exactly; leave it out")
    if entity not in batch.schema.names:
        raise UsageError(f"the rows have no column {entity!r} to be found by, only {batch.schema.names}")
    if batch.column(entity).null_count:
        raise ContractViolationError(
            f"rows without their {entity} were to be stored; expected one in each, leave those out"
        )


def _storable(type_: pa.DataType) -> bool:
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_date)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    # Python's own times know microseconds and no less.
    return any(is_(type_) for is_ in plain + texts) or (pa.types.is_timestamp(type_) and type_.unit != "ns")
