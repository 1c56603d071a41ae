"""What a command answers: a table for people, or one JSON object."""

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

WIDEST = 1 << 16


@dataclass(frozen=True)
class Output:
    facts: dict[str, Any]  # what `--json` prints
    said: list[Grid | str]
    warnings: list[str] = field(default_factory=list)

    def print(self, as_json: bool) -> None:
        if as_json:
            print(json.dumps(_plain(self.facts), default=str))
            return
        console = Console(highlight=False)
        for part in self.said:
            if isinstance(part, Grid):
                # Cut to the terminal's width, a figure would lose half its digits.
                wide = console.options.update_width(WIDEST)
                console.width = max(console.width, console.measure(part, options=wide).maximum)
            console.print(part, markup=False, soft_wrap=isinstance(part, str))


def grid(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    """Figures to the right; what the data says is shown as it is, never read as markup."""
    found = Grid(header_style="bold", box=None, pad_edge=False)
    for name, values in zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True):
        figures = any(_is_figure(value) for value in values)
        found.add_column(Text(name), justify="right" if figures else "left", no_wrap=True)
    for row in rows:
        found.add_row(*(Text(display(value)) for value in row))
    return found


def display(value: Any) -> str:
    """`-` is nothing there; a number keeps ten digits, and control characters don't reach a terminal."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return format(value, ".10g")
    if isinstance(value, Decimal):
        return format(value, "f")
    text = str(value)
    return text if text.isprintable() else repr(text)


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are text."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
