"""Convert rows to text and back without loss; online stores keep the text."""

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
    """Return standard JSON; a value of a type that JSON lacks is tagged with it: `{"$decimal": "1.50"}`."""
    try:
        return json.dumps(value, default=_tagged, allow_nan=False, separators=(",", ":"))
    except ValueError:  # NaN or infinity
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
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    raise UsageError(f"a {type(value).__name__} can't be stored online; expected a number, text, a date or a boolean")


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$double": repr(value)}
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    return [_without_nan(item) for item in value] if isinstance(value, list | tuple) else value


def _untagged(row: Row) -> Any:
    if len(row) == 1:
        [(tag, text)] = row.items()
        if tag in _READ:
            return _READ[tag](text)
    return row


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a valid view or column name; use lower case letters, digits and _")
    return name


def newer(entity: str, batch: pa.RecordBatch, newest: dict[str, date | None]) -> dict[str, str]:
    """Return the rows newer than `newest` has for their entity, as text by entity; update `newest`."""
    _check(entity, batch)
    texts: dict[str, str] = {}
    for row in batch.to_pylist():
        key, ds = encode(row[entity]), row.get("ds")
        if key in newest:
            known = newest[key]
            if ds is None or known is None or ds == known:
                raise ContractViolationError(
                    f"an {entity} has two rows{f' of {ds}' if ds else ''}; expected one for each ds, remove the wrong one"
                )
            if ds < known:
                continue
        newest[key], texts[key] = ds, encode(row)
    return texts


def _check(entity: str, batch: pa.RecordBatch) -> None:
    for field in batch.schema:
        checked_name(field.name)
        if not _storable(field.type):
            raise UsageError(
                f"column {field.name!r} is {field.type}, which can't be stored online exactly; leave it out"
            )
    if entity not in batch.schema.names:
        raise UsageError(
            f"the rows have no column {entity!r} to be looked up by, only {batch.schema.names}; name one of those"
        )
    if batch.column(entity).null_count:
        raise ContractViolationError(f"some rows have no {entity}; expected a value in every row, leave those rows out")


def _storable(type_: pa.DataType) -> bool:
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_date)
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_null)
    # Python's datetime has no nanoseconds.
    return any(is_(type_) for is_ in plain + texts) or (pa.types.is_timestamp(type_) and type_.unit != "ns")
