"""A text file as blocks of lines, and what a reader makes of them: rows, and refused records with their text.

Plain Python, so that it can be tested without Spark and runs as it is inside Spark's tasks.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from common.contracts.column import Column

CHUNK = 4 << 20
# A line beyond this, and beyond the declared longest record, refuses its file, so that memory stays bounded.
LONGEST_LINE = 4 * CHUNK
Lines = Iterator[list[str]]
# What of a file's first line may be shown: it may hold a record.
Shown = Callable[[list[str]], list[str]]


class RefusedFileError(Exception):
    """The whole file is refused."""


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


class TextFile:
    """A decoded file; `last_line_ends` is known once all blocks are read."""

    def __init__(self, stream: BinaryIO, encoding: str, longest_record: int) -> None:
        self._stream = stream
        self._encoding = encoding
        self._longest = max(LONGEST_LINE, longest_record)
        self.last_line_ends = True

    def blocks(self) -> Lines:
        """Yields lines without newlines; drops a BOM, and names the offset of a byte that does not decode."""
        decoder = codecs.getincrementaldecoder(self._encoding)("strict")
        offset, tail, number, first = 0, "", 1, True
        while block := self._stream.read(CHUNK):
            text = tail + self._decode(decoder, block, offset)
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            offset += len(block)
            lines = text.split("\n")
            tail = lines.pop()
            number += len(lines)
            if len(tail) > self._longest:
                raise RefusedFileError(
                    f"line {number} has more than {self._longest} characters; expected one record a line. "
                    "Check its line ends, and that its format is the one of its name."
                )
            yield lines
        tail += self._decode(decoder, b"", offset)
        self.last_line_ends = not tail
        if tail:
            yield [tail.removeprefix("\ufeff") if first else tail]

    def _decode(self, decoder: codecs.IncrementalDecoder, block: bytes, offset: int) -> str:
        try:
            return decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = offset - (len(error.object) - len(block)) + error.start
            raise RefusedFileError(
                f"byte {at} is not {self._encoding}; convert the file, or declare its encoding"
            ) from None


def decimal_marks(columns: Sequence[Column]) -> dict[str, str]:
    """The decimal marks of the columns that declare one."""
    return {column.name: column.decimal for column in columns if column.decimal != "."}


def is_blank(line: str) -> bool:
    return line in ("", "\r")


def split_header(blocks: Lines) -> tuple[str | None, Lines]:
    """The first line that is not blank, and the lines after it."""
    for block in blocks:
        for place, line in enumerate(block):
            if not is_blank(line):
                return line.removesuffix("\r"), _chain(block[place + 1 :], blocks)
    return None, iter(())


def _chain(first: list[str], rest: Lines) -> Lines:
    yield first
    yield from rest


class CountedLines:
    """Counts the lines of a file while they are read."""

    count = 0

    def seen(self, blocks: Lines) -> Lines:
        for block in blocks:
            self.take(block)
            yield block

    def take(self, block: list[str]) -> None:
        self.count += count_lines([block])


def count_lines(blocks: Iterable[list[str]]) -> int:
    return sum(sum(not is_blank(line) for line in block) for block in blocks)
