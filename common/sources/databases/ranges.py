"""Divides a table into ranges of one column, for connections that read side by side."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from common.sources.databases.dialects import DatabaseColumn
from common.sources.databases.query import EVERY_ROW


def conditions(name: str, column: DatabaseColumn, least: str | None, most: str | None, parts: int) -> list[str]:
    """Of every row exactly one holds, also of a row without a value, and of one outside the bounds.

    The bounds were asked for; they only say where to divide.
    """
    if least is None or most is None:
        return [EVERY_ROW]
    divide = _moments if column.is_moment else _numbers
    try:
        cuts = divide(least, most, parts)
    except (ValueError, ArithmeticError):  # infinity, or no date
        return [EVERY_ROW]
    if not cuts:
        return [EVERY_ROW]
    inner = [f"{name} >= {low} AND {name} < {high}" for low, high in pairwise(cuts)]
    return [f"{name} < {cuts[0]} OR {name} IS NULL", *inner, f"{name} >= {cuts[-1]}"]


def _numbers(least: str, most: str, parts: int) -> list[str]:
    low, high = Decimal(least), Decimal(most)
    cuts = {int(low + (high - low) * part / parts) for part in range(1, parts)}
    return [str(cut) for cut in sorted(cuts) if low < cut <= high]


def _moments(least: str, most: str, parts: int) -> list[str]:
    low, high = _moment(least), _moment(most)
    cuts = {low + (high - low) * part / parts for part in range(1, parts)}
    texts = sorted({f"{cut:%Y-%m-%d %H:%M:%S}" for cut in cuts if low < cut <= high})
    return [f"'{text}'" for text in texts]


def _moment(text: str) -> datetime:
    """Without its zone: the sessions are in UTC, and so are the texts."""
    return datetime.fromisoformat(text).replace(tzinfo=None)
