"""Print the output of a command as tables, or as one JSON object."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from common.printable import printable

WIDEST = 1 << 16


@dataclass(frozen=True)
class Output:
    facts: dict[str, Any]  # what `--json` prints
    parts: list[Grid | str]
    warnings: list[str] = field(default_factory=list)
    fitting: bool = False  # its tables wrap at the terminal's width
    exit_code: int = 0

    def print(self, as_json: bool) -> None:
        if as_json:
            print(json.dumps(_plain(self.facts), default=str))
            return
        console = Console(highlight=False, emoji=False)
        for part in self.parts:
            if isinstance(part, Grid) and not self.fitting:
                # Do not cut numbers off at the terminal's width.
                wide = console.options.update_width(WIDEST)
                console.width = max(console.width, console.measure(part, options=wide).maximum)
            console.print(_safe(part), markup=False, soft_wrap=isinstance(part, str) and not self.fitting)


def _safe(part: Grid | str) -> Grid | str:
    return part if isinstance(part, Grid) else "\n".join(map(printable, part.split("\n")))


def grid(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    """Return a table with numbers right-aligned; values are plain text, never markup."""
    table = Grid(header_style="bold", box=None, pad_edge=False)
    for name, values in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True):
        figures = any(_is_figure(value) for value in values)
        table.add_column(Text(name), justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(display(value)) for value in row))
    return table


def display(value: Any) -> str:
    """Format a value: `-` for None, floats with ten digits, control characters escaped."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return format(value, ".10g")
    if isinstance(value, Decimal):
        return format(value, "f")
    return printable(value)


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Turn NaN and infinity, which JSON lacks, into text."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
