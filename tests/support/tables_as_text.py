"""Tables written as text, for input and for comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def parse(text: str) -> list[dict[str, str | None]]:
    """Parses rows from a text table like `a | b`; `-` means null."""
    names, *rows = cells(text)
    return [dict(zip(names, (None if cell == "-" else cell for cell in row), strict=True)) for row in rows]


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


def shown(rows: Iterable[Mapping[str, Any]], names: list[str]) -> list[tuple[str | None, ...]]:
    """The named columns of the rows as sorted text."""
    found = [tuple(None if row[name] is None else str(row[name]) for name in names) for row in rows]
    return sorted(found, key=lambda row: tuple(str(cell) for cell in row))


def assert_rows(rows: Iterable[Mapping[str, Any]], text: str) -> None:
    wanted = parse(text)
    names = list(wanted[0]) if wanted else cells(text)[0]
    assert shown(rows, names) == shown(wanted, names)
