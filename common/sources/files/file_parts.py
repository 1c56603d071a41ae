"""Parts of a large text file, which tasks read side by side. They are cut where a record ends, and never inside quotes.

A record may only be cut out of a file by who knows whether it begins inside quotes, which depends on all that comes before.
So each stretch of the file is looked at alone, for both answers; put one behind the other, they tell where records begin.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from common.contracts.declared_source import Files
from common.sources.files.csv_records import Quotes
from common.sources.files.landing_files import format_of
from common.sources.files.text_records import CHUNK, LONGEST_LINE

PART_BYTES = 64 << 20
# In these, a byte that looks like a line end, a quote or a delimiter is one.
ASCII_INSIDE = {codecs.lookup(name).name for name in ("ascii", "utf-8", "latin-1", "cp1252", "cp1250", "cp1251")}


@dataclass(frozen=True)
class FilePart:
    """From a record's first byte to another's; a file that is not cut has one part without an end."""

    number: int = 0
    start: int = 0
    end: int | None = None
    lines: int = 0  # before it


WHOLE = FilePart()


class Way(NamedTuple):
    """How a stretch is left if it is entered this way, and where its first record begins, if one does."""

    stays_open: bool
    begins: int | None
    lines: int  # before that


class Stretch(NamedTuple):
    """Lines that begin within some bytes of a file."""

    lines: int
    outside: Way
    inside: Way


def stretch_of(text: str) -> Stretch | None:
    """From JSON."""
    if (found := json.loads(text)) is None:
        return None
    lines, outside, inside = found
    return Stretch(lines, Way(*outside), Way(*inside))


def can_be_cut(name: str, size: int, declared: Files) -> bool:
    text = format_of(name) in ("csv", "json") and not name.lower().endswith(".gz")
    plain = codecs.lookup(declared.encoding).name in ASCII_INSIDE and declared.delimiter.isascii()
    return size > PART_BYTES and text and plain


def stretches(size: int) -> list[tuple[int, int]]:
    return [(start, min(start + PART_BYTES, size)) for start in range(0, size, PART_BYTES)]


def look(stream: Any, start: int, end: int, delimiter: str | None) -> Stretch | None:
    """What lies between two places of a file; without a delimiter, each line is a record. None: a line is far too long."""
    ways = _Walk(delimiter, inside=False), _Walk(delimiter, inside=True)
    lines, header = 0, start == 0 and delimiter is not None
    for at, block in _blocks(stream, start, end):
        if block is None:
            return None
        rest = block
        if header:  # its quotes do not go on, and no record begins before its end
            behind = _behind_header(block)
            header, rest = behind is None, behind or b""
        for way in ways:
            way.take(at + len(block) - len(rest), rest, lines + block.count(b"\n") - rest.count(b"\n"))
        lines += block.count(b"\n")
    return Stretch(lines, *(way.found() for way in ways))


class _Walk:
    """Goes through lines, beginning inside or outside of quotes."""

    def __init__(self, delimiter: str | None, *, inside: bool) -> None:
        self._quotes = Quotes(delimiter or ",")
        self._quotes.open = inside and delimiter is not None
        self._each_line = delimiter is None
        self._begins: tuple[int, int] | None = None

    def take(self, at: int, block: bytes, before: int) -> None:
        if not block:
            return
        if self._each_line or b'"' not in block:
            self._begin(at, before)
            return
        for number, line in enumerate(block.decode("latin-1").removesuffix("\n").split("\n"), before):
            self._begin(at, number)
            at += len(line) + 1
            if '"' in line:
                self._quotes.close_in(line)

    def _begin(self, at: int, before: int) -> None:
        if self._begins is None and not self._quotes.open:
            self._begins = at, before

    def found(self) -> Way:
        begins, lines = self._begins or (None, 0)
        return Way(self._quotes.open, begins, lines)


def _behind_header(block: bytes) -> bytes | None:
    """What follows the first line that is not blank; None if all are."""
    begins, bom = 0, block.startswith(codecs.BOM_UTF8)
    while begins < len(block):
        ends = block.find(b"\n", begins) % (len(block) + 1)
        line = block[begins:ends].removeprefix(codecs.BOM_UTF8 if bom else b"")
        begins, bom = ends + 1, False
        if line not in (b"", b"\r"):
            return block[begins:]
    return None


def _blocks(stream: Any, start: int, end: int) -> Iterator[tuple[int, bytes | None]]:
    """The lines that begin there, whole, and where they do; None instead of a line that is far too long."""
    at = max(0, start - 1)
    stream.seek(at)
    held, skipping = b"", start > 0
    while at < end:
        block = stream.read(CHUNK)
        held += block
        if skipping:  # what is left of the line before
            cut = held.find(b"\n") + 1
        elif at + len(held) < end:
            cut = held.rfind(b"\n") + 1
        else:
            cut = held.find(b"\n", end - 1 - at) + 1
        cut = cut or (0 if block else len(held))
        if not cut and len(held) > LONGEST_LINE:
            yield at, None
            return
        if cut and not skipping:
            yield at, held[:cut]
        at, held, skipping = at + cut, held[cut:], skipping and not cut
        if not block:
            return


def parts_of(looked: Sequence[Stretch | None]) -> list[FilePart]:
    """The parts of a file, which are the same for the same bytes."""
    if any(stretch is None for stretch in looked):
        return [WHOLE]
    found = [(0, 0)]
    inside, lines = False, 0
    for number, stretch in enumerate(looked):
        assert stretch is not None
        way = stretch.inside if inside else stretch.outside
        if number and way.begins is not None:
            found.append((way.begins, lines + way.lines))
        inside, lines = way.stays_open, lines + stretch.lines
    ends: Iterable[int | None] = [*(start for start, _ in found[1:]), None]
    return [
        FilePart(number, start, end, before)
        for number, ((start, before), end) in enumerate(zip(found, ends, strict=True))
    ]


class PartStream:
    """The bytes of one part."""

    def __init__(self, stream: Any, part: FilePart) -> None:
        self._stream = stream
        self._left = None if part.end is None else part.end - part.start
        if part.start:
            stream.seek(part.start)

    def read(self, size: int = -1) -> bytes:
        wanted = size if self._left is None or 0 <= size < self._left else self._left
        block: bytes = self._stream.read(None if wanted < 0 else wanted)
        if self._left is not None:
            self._left -= len(block)
        return block
