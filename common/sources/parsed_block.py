"""What a parser found in a part of one file, one answer or one collection: its records, and what it refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass
class ParsedBlock:
    """Records of one file: fields by position in `wanted`, and the refused ones with their text.

    Most lines are `plain`, without quotes. They stay whole and are split in one call later; `places` holds the position of
    each wanted column in them.
    """

    rows: list[Sequence[str | None]] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    places: Sequence[int | None] = ()
    delimiter: str = ","
    refused: list[tuple[str, str]] = field(default_factory=list)  # (problem, text)
    lines: int = 0  # physical lines that are neither blank nor header
    extra: set[str] = field(default_factory=set)

    @property
    def records(self) -> int:
        return len(self.rows) + len(self.plain)

    def refuse(self, problem: str, text: str) -> None:
        self.refused.append((problem, text))

    def refuse_width(self, found: int, expected: int, text: str) -> None:
        self.refuse("too_few_fields" if found < expected else "too_many_fields", text)


def is_blank(line: str) -> bool:
    return line in ("", "\r")


def count_lines(blocks: Iterable[list[str]]) -> int:
    return sum(sum(not is_blank(line) for line in block) for block in blocks)
