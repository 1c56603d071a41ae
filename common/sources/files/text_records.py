"""A text file as blocks of lines, and what a reader makes of them: rows, and refused records with their text.

Plain Python, so that it can be tested without Spark and runs as it is inside Spark's tasks.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from common.contracts.column import Column
from common.sources.parsed_block import count_lines, is_blank

CHUNK = 4 << 20
# A line beyond this, and beyond the declared longest record, refuses its file, so that memory stays bounded.
LONGEST_LINE = 4 * CHUNK
Lines = Iterator[list[str]]
# What of a file's first line may be shown: it may hold a record.
Shown = Callable[[list[str]], list[str]]


class RefusedFileError(Exception):
    """The whole file is refused."""


class TextFile:
    """A decoded file; `last_line_ends` is known once all blocks are read."""

    def __init__(self, stream: BinaryIO, encoding: str, longest_record: int, start: int = 0, lines: int = 0) -> None:
        """Of a part of a file, `start` and `lines` say what is before it."""
        self._stream, self._start, self._before = stream, start, lines
        self._encoding = encoding
        self._longest = max(LONGEST_LINE, longest_record)
        self.last_line_ends = True

    def blocks(self) -> Lines:
        """Yields lines without newlines; drops a BOM, and names the offset of a byte that does not decode."""
        decoder = codecs.getincrementaldecoder(self._encoding)("strict")
        offset, tail, number, first = self._start, "", self._before + 1, self._start == 0
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
