"""Rows for an online store, written as text, or many at once."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pyarrow as pa

DAY = date(2026, 1, 5)


def rows(text: str, ds: date = DAY) -> pa.RecordBatch:
    """`1:10 2:20`: user 1 spent 10, user 2 spent 20."""
    pairs = [each.split(":") for each in text.split()]
    return pa.RecordBatch.from_pylist(
        [{"ds": ds, "user_id": int(user), "spend": Decimal(spend)} for user, spend in pairs],
        schema=pa.schema({"ds": pa.date32(), "user_id": pa.int64(), "spend": pa.decimal128(12, 2)}),
    )


def spends(amount: int, users: int = 500) -> Iterator[pa.RecordBatch]:
    for start in range(0, users, 100):
        yield rows(" ".join(f"{user}:{amount}" for user in range(start, start + 100)))
