"""CSV to records. A record ends at a line end outside quotes, as RFC 4180 says, and nowhere else.

Text inside quotes never becomes a record, even if the record around it is refused.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence

from common.names import repeated
from common.sources.files.text_records import CountedLines, Lines, RefusedFileError, Shown
from common.sources.parsed_block import ParsedBlock, is_blank

MOST_NAMES = 5_000
# The longest record is declared in the contract; Python's own limit of 131,072 characters a field must not cut in.
csv.field_size_limit(sys.maxsize)


class Quotes:
    """Follows the quotes of a file from line to line."""

    def __init__(self, delimiter: str) -> None:
        end = re.escape(delimiter)
        quoted = r'[^"]*+(?:""[^"]*+)*+"'
        text = rf"(?:\"{quoted}[^{end}]*+|[^\"{end}][^{end}]*+|)"
        self._from_outside = re.compile(rf"{text}(?:{end}{text})*+\Z")
        self._from_inside = re.compile(rf"{quoted}[^{end}]*+(?:{end}{text})*+\Z")
        self.open = False

    def close_in(self, line: str) -> bool:
        """Whether the record ends with this line."""
        pattern = self._from_inside if self.open else self._from_outside
        self.open = pattern.match(line) is None
        return not self.open

    def pieces(self, lines: list[str]) -> Iterator[tuple[list[str], bool]]:
        """Cut a block into runs of lines without quotes, and lines of a record with quotes: its last ones unless `open`."""
        place = 0
        for at in [at for at, line in enumerate(lines) if '"' in line]:
            if not self.open and place < at:
                yield lines[place:at], False
                place = at
            if self.close_in(lines[at]):
                yield lines[place : at + 1], True
                place = at + 1
        if place < len(lines):
            yield lines[place:], self.open


def numbered_records(blocks: Lines, delimiter: str) -> Iterator[tuple[int, str]]:
    """The number of the line on which each record begins, and its text; the header is the first record."""
    quotes, number = Quotes(delimiter), 0
    record: list[str] = []
    for block in blocks:
        for piece, quoted in quotes.pieces(block):
            if not quoted:
                yield from (
                    (number + place, line.removesuffix("\r"))
                    for place, line in enumerate(piece, 1)
                    if not is_blank(line)
                )
            number += len(piece)
            record += piece if quoted else []
            if record and not quotes.open:
                yield number - len(record) + 1, "\n".join(record).removesuffix("\r")
                record = []


class _Records:
    """Puts the records of one file into blocks, and keeps one that is still open for the next lines."""

    def __init__(self, width: int, delimiter: str, longest: int) -> None:
        self._width, self._longest = width, longest
        self._quotes = Quotes(delimiter)
        self._open: list[str] = []
        self._size = 0

    def take(self, lines: list[str], batch: ParsedBlock) -> None:
        for piece, quoted in self._quotes.pieces(lines):
            if not quoted:
                self._take_plain(piece, batch)
                continue
            self._keep(piece, batch)
            if not self._quotes.open:
                self.close(batch)

    def _keep(self, lines: list[str], batch: ParsedBlock) -> None:
        """Adds lines to the open record, up to the longest that a record may be."""
        batch.lines += sum(not is_blank(line) for line in lines)
        for line in lines:
            if self._size > self._longest + 1:
                return
            self._open.append(line)
            self._size += len(line) + 1

    def close(self, batch: ParsedBlock) -> None:
        if not self._open:
            return
        text = "\n".join(self._open).removesuffix("\r")
        self._open, self._size = [], 0
        if len(text) > self._longest:
            batch.refuse("too_long", text[: self._longest])
        elif (fields := parse_record(text, batch.delimiter)) is None:
            batch.refuse("broken_quoting", text)
        elif len(fields) != self._width:
            batch.refuse_width(len(fields), self._width, text)
        else:
            batch.rows.append([None if place is None else fields[place] for place in batch.places])

    def _take_plain(self, lines: list[str], batch: ParsedBlock) -> None:
        texts = [text for line in lines if (text := line.removesuffix("\r"))]
        delimiters = self._width - 1
        whole = [
            text
            for text in texts
            if text.count(batch.delimiter) == delimiters and len(text) <= self._longest and "\r" not in text
        ]
        batch.lines += len(texts)
        batch.plain += whole
        if len(whole) < len(texts):
            for text in texts:
                if len(text) > self._longest:
                    batch.refuse("too_long", text[: self._longest])
                elif "\r" in text:
                    # Some readers end a record here, others do not.
                    batch.refuse("carriage_return", text)
                elif (count := text.count(batch.delimiter)) != delimiters:
                    batch.refuse_width(count + 1, self._width, text)


def csv_batches(
    blocks: Lines, header: list[str], wanted: Sequence[str], delimiter: str, longest: int
) -> Iterator[ParsedBlock]:
    """Maps records to the wanted columns by header name; a missing optional column reads as None."""
    places = [header.index(name) if name in header else None for name in wanted]
    records = _Records(len(header), delimiter, longest)
    for block in blocks:
        batch = ParsedBlock(places=places, delimiter=delimiter)
        records.take(block, batch)
        yield batch
    last = ParsedBlock(places=places, delimiter=delimiter)
    records.close(last)
    yield last


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


class WholeRecords(CountedLines):
    """Counts the lines behind the header, and refuses a file that ends inside quotes or in the middle of a record."""

    def __init__(self, width: int, delimiter: str, before: int = 0) -> None:
        self._width, self._delimiter = width, delimiter
        self._quotes, self._number, self._opened = Quotes(delimiter), before, 0
        self._record, self._goes_on = [""], False

    def take(self, block: list[str]) -> None:
        super().take(block)
        for piece, quoted in self._quotes.pieces(block):
            if not self._goes_on:
                self._record, self._opened = piece if quoted else piece[-1:], self._number + 1
            elif len(self._record) < MOST_NAMES:  # no more lines are needed to count its fields
                self._record += piece
            self._goes_on = quoted and self._quotes.open
            self._number += len(piece)
        self._goes_on = self._quotes.open

    def require_end(self, last_line_ends: bool) -> None:
        if self._quotes.open:
            raise RefusedFileError(
                f"it ends inside quotes that were opened {self._opened} lines below its header: the file was cut, or a quote "
                "there is one too many; have it sent again"
            )
        if not last_line_ends:
            _require_whole("\n".join(self._record).removesuffix("\r"), self._width, self._delimiter)


def _require_whole(text: str, width: int, delimiter: str) -> None:
    fields = parse_record(text, delimiter)
    if text and fields is not None and len(fields) < width:
        raise RefusedFileError(
            f"its last record has {len(fields)} of {width} fields and no line end: the file was cut; have it sent again"
        )


def csv_header(line: str, delimiter: str, shown: Shown = list) -> list[str]:
    fields = parse_record(line, delimiter)
    if fields is None:
        raise RefusedFileError(f"its header has broken quoting: {shown([line[:200]])}")
    if "\r" in line:
        raise RefusedFileError(
            f"its header holds a carriage return: {shown([line[:200]])}; expected lines that end with LF or CRLF"
        )
    return [name.strip() for name in fields]


def check_header(names: list[str], columns: Sequence[str], required: Sequence[str], shown: Shown = list) -> None:
    if len(names) > MOST_NAMES:
        raise RefusedFileError(f"its header has {len(names)} names; expected {list(columns)}, and at most {MOST_NAMES}")
    if twice := repeated(names):
        raise RefusedFileError(
            f"its header names {shown(twice)} twice; found {shown(names)}, expected each of {list(columns)} once"
        )
    missing = [name for name in required if name not in names]
    if missing:
        raise RefusedFileError(f"its header lacks {missing}; found {shown(names)}, expected {list(columns)}")
