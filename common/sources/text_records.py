"""CSV text to records, each field as text; a record that cannot be read is refused with its text.

Plain Python, so that it can be tested without Spark and runs as it is inside Spark's tasks.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

CHUNK = 4 << 20
# A quote that is not closed within so many lines is a stray quote.
LONGEST_RECORD = 200
Lines = Iterator[list[str]]
# What of a header may be shown: it may hold a record.
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


def read_lines(stream: BinaryIO, encoding: str) -> Lines:
    """Yields blocks of lines without newlines; drops a BOM, and names the offset of a byte that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    offset, tail, first = 0, "", True
    while True:
        block = stream.read(CHUNK)
        try:
            text = tail + decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            at = offset - (len(error.object) - len(block)) + error.start
            raise RefusedFileError(f"byte {at} is not {encoding}; convert the file, or declare its encoding") from None
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        offset += len(block)
        lines = text.split("\n")
        tail = lines.pop()
        if not block:
            yield [*lines, tail] if tail else lines
            return
        yield lines


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


def parse_record(text: str, delimiter: str) -> list[str] | None:
    """The fields of one record, or None if its quoting is broken."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        # Split at \n only: Python also splits at characters that do not end a line in a file.
        lines = [f"{line}\n" for line in text.split("\n")]
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def check_header(names: list[str], columns: Sequence[str], required: Sequence[str], shown: Shown = list) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RefusedFileError(
            f"its header names {shown(twice)} twice; found {shown(names)}, expected each of {list(columns)} once"
        )
    missing = [name for name in required if name not in names]
    if missing:
        raise RefusedFileError(f"its header lacks {missing}; found {shown(names)}, expected {list(columns)}")


def csv_header(line: str, delimiter: str, shown: Shown = list) -> list[str]:
    fields = parse_record(line, delimiter)
    if fields is None:
        raise RefusedFileError(f"its header has broken quoting: {shown([line[:200]])}")
    return [name.strip() for name in fields]


def csv_batches(blocks: Lines, header: list[str], wanted: Sequence[str], delimiter: str) -> Iterator[ParsedBlock]:
    """Maps records to the wanted columns by header name; a missing optional column reads as None."""
    width = len(header)
    places = [header.index(name) if name in header else None for name in wanted]
    open_record: list[str] = []
    for block in blocks:
        batch = ParsedBlock(places=places, delimiter=delimiter)
        for text, fields in _quoted([*open_record, *block], width, batch, open_record):
            _take_quoted(text, fields, width, batch)
        yield batch
    yield _unclosed(open_record, width, ParsedBlock(places=places, delimiter=delimiter))


def _quoted(
    lines: list[str], width: int, batch: ParsedBlock, open_record: list[str]
) -> Iterator[tuple[str, list[str] | None]]:
    """Joins the lines of records with quotes; leaves one that is still open at the end in `open_record`.

    Lines without quotes go straight into the block.
    """
    open_record.clear()
    delimiter, place = batch.delimiter, 0
    for at in [at for at, line in enumerate(lines) if '"' in line]:
        if at < place:  # inside the previous record
            continue
        _take_plain(lines[place:at], width, batch)
        place = at
        taken = _record_length(lines, place, delimiter, width)
        if taken is None:
            open_record[:] = lines[place:]
            return
        text = "\n".join(lines[place : place + taken]).removesuffix("\r")
        batch.lines += sum(not is_blank(each) for each in lines[place : place + taken])
        place += taken
        yield text, parse_record(text, delimiter)
    _take_plain(lines[place:], width, batch)


def _take_quoted(text: str, fields: list[str] | None, width: int, batch: ParsedBlock) -> None:
    if fields is None:
        batch.refuse("broken_quoting", text)
    elif len(fields) != width:
        batch.refuse_width(len(fields), width, text)
    else:
        batch.rows.append([None if place is None else fields[place] for place in batch.places])


def _take_plain(lines: list[str], width: int, batch: ParsedBlock) -> None:
    texts = [text for line in lines if (text := line.removesuffix("\r"))]
    delimiters = width - 1
    whole = [text for text in texts if text.count(batch.delimiter) == delimiters]
    batch.lines += len(texts)
    batch.plain += whole
    if len(whole) < len(texts):
        for text in texts:
            if (found := text.count(batch.delimiter)) != delimiters:
                batch.refuse_width(found + 1, width, text)


def _record_length(lines: list[str], place: int, delimiter: str, width: int) -> int | None:
    """How many lines the record at `place` takes; None where the lines end before it is known.

    A record ends where its quotes are even. If what it then is doesn't parse to the declared width, the quote was a
    stray one: the first line stands alone, and the lines after it are records of their own.
    """
    quotes = 0
    for taken, line in enumerate(lines[place : place + LONGEST_RECORD], start=1):
        quotes += line.count('"')
        if quotes % 2 == 0:
            if taken == 1:
                return 1
            fields = parse_record("\n".join(lines[place : place + taken]).removesuffix("\r"), delimiter)
            return taken if fields is not None and len(fields) == width else 1
    return None if len(lines) - place < LONGEST_RECORD else 1


def _unclosed(lines: list[str], width: int, batch: ParsedBlock) -> ParsedBlock:
    """The file ended inside a quoted field: refuses its first line, and parses the lines after it on their own."""
    while lines:
        first, lines = lines[0], lines[1:]
        if not is_blank(first):
            batch.lines += 1
            batch.refuse("broken_quoting", first.removesuffix("\r"))
        rest: list[str] = []
        for text, fields in _quoted(list(lines), width, batch, rest):
            _take_quoted(text, fields, width, batch)
        lines = rest
    return batch


def count_lines(blocks: Iterable[list[str]]) -> int:
    return sum(sum(not is_blank(line) for line in block) for block in blocks)
