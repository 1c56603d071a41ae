"""Conditions as SQL that Spark and deltalake read alike, with every value in them written by one function."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from common.days import as_stored

Slice = Mapping[str, Sequence[Any]]
# Spark and deltalake escape quotes and backslashes differently.
PLAIN_TEXT = re.compile(r"[\w.:/ -]*", re.ASCII)


def literal(value: date | str | int) -> str:
    """A period, a whole number or a declared name; raises for a text that could end the literal."""
    if isinstance(value, int):
        return str(value)
    stored = as_stored(value)
    if isinstance(stored, date):
        return f"DATE '{stored}'"
    if not PLAIN_TEXT.fullmatch(stored):
        raise ValueError(f"{stored!r} in a condition; expected a period or a declared name, nothing of the data")
    return f"'{stored}'"


def column(name: str, prefix: str = "") -> str:
    return f"{prefix}`{name}`"


def path_table(uri: str) -> str:
    """The name under which Spark knows the Delta table at that place."""
    return f"delta.`{uri.replace('`', '``')}`"


def in_slice(where: Slice, prefix: str = "") -> str:
    """That a row is of one of the partitions."""
    lists = {name: ", ".join(map(literal, values)) for name, values in where.items()}
    return " AND ".join(f"{column(name, prefix)} IN ({values})" for name, values in lists.items())
