"""The first rows of a file as text, for a contract to be guessed from. No Spark."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, TypeVar

from common.errors import UsageError
from common.sources.files.csv_records import MOST_NAMES
from common.sources.files.json_records import require_json_lines
from common.sources.files.landing_files import FORMATS, format_of
from common.sources.files.text_records import LONGEST_LINE, RefusedFileError

MOST_ROWS = 100_000
MOST_CHARACTERS = 64_000_000
Row = TypeVar("Row")
Texts = dict[str, list[str | None]]


@dataclass(frozen=True)
class Sample:
    """The rows of a file as text, by column, and how the file is written."""

    columns: Texts
    delimiter: str = ","
    encoding: str = "utf-8"
    longest: int = 0  # characters of a record


def read_sample(file: Path) -> Sample:
    """The first rows of a CSV, JSON lines or Parquet file; CSV and JSON lines may be gzipped."""
    if not file.is_file():
        raise UsageError(f"{file} is not a file; name a CSV, JSON lines or Parquet file")
    readers: dict[str, Callable[[Path], Sample]] = {"parquet": _parquet, "csv": _csv, "json": _json}
    format_ = format_of(file.name)
    if not format_:
        raise UsageError(f"{file} ends in none of {', '.join(FORMATS)}; name a file that ingest reads")
    try:
        sample = readers[format_](file)
    except (OSError, ValueError, csv.Error, RefusedFileError) as error:
        raise UsageError(f"{file} can't be read: {error}") from None
    if not sample.columns:
        raise UsageError(f"{file} has no columns; expected a header and some rows")
    return sample


def _open(file: Path, encoding: str) -> TextIO:
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _csv(file: Path) -> Sample:
    try:
        return _csv_as(file, "utf-8-sig")
    except UnicodeDecodeError:
        with _open(file, "latin-1") as text:
            if "\0" in text.read(LONGEST_LINE):
                raise RefusedFileError("it holds NUL bytes, as UTF-16 does; convert it to UTF-8 (iconv does)") from None
        return _csv_as(file, "latin-1")


def _csv_as(file: Path, encoding: str) -> Sample:
    with _open(file, encoding) as lines:
        head = lines.readline(LONGEST_LINE)
        lines.seek(0)
        delimiter = max(",;\t|", key=head.count)
        rows = csv.reader(lines, delimiter=delimiter)
        names = next(rows, [])
        _require_few(len(names))
        records = [row for row in _first(rows, _characters) if len(row) == len(names)]
    columns = {name: [row[place] for row in records] for place, name in enumerate(names)}
    longest = max(map(_characters, records), default=0)
    return Sample(_trimmed(columns), delimiter, "utf-8" if encoding == "utf-8-sig" else encoding, longest)


def _characters(row: list[str]) -> int:
    """Of a record with quotes around each field."""
    return sum(len(field) + field.count('"') + 3 for field in row)


def _first(rows: Iterable[Row], size: Callable[[Row], int]) -> Iterator[Row]:
    room = MOST_CHARACTERS
    for row in islice(rows, MOST_ROWS):
        yield row
        room -= size(row)
        if room < 0:
            return


def _require_few(columns: int) -> None:
    """Raises if landing would refuse a file of so many."""
    if columns > MOST_NAMES:
        raise RefusedFileError(f"it has {columns:,} columns; expected at most {MOST_NAMES:,}. Leave out some of them")


def _json(file: Path) -> Sample:
    names: dict[str, None] = {}
    records: list[dict[str, Any]] = []
    longest = 0
    with _open(file, "utf-8") as lines:
        for line in _first((line for line in lines if line.strip()), len):
            if not records:
                require_json_lines(line)
            record = json.loads(line, parse_float=str)
            if not isinstance(record, dict):
                raise UsageError(f"{file} holds lines that are no JSON objects; expected one object a line")
            names |= dict.fromkeys(record)
            _require_few(len(names))
            records.append(record)
            longest = max(longest, len(line))
    columns = {name: [_text(record.get(name)) for record in records] for name in names}
    return Sample(_trimmed(columns), longest=longest)


def _parquet(file: Path) -> Sample:
    from pyarrow import fs

    from common.sources.files.parquet_files import open_parquet, read_batches

    with open_parquet(fs.LocalFileSystem(), str(file)) as rows:
        names = rows.schema_arrow.names
        _require_few(len(names))
        first = next(read_batches(rows, MOST_CHARACTERS), None)
        columns = first.to_pydict() if first is not None else {name: [] for name in names}
    return Sample(_trimmed({name: [_text(value) for value in values] for name, values in columns.items()}))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str) else str(value)


def _trimmed(columns: dict[str, list[Any]]) -> Texts:
    return {name: [(text or "").strip() or None for text in texts] for name, texts in columns.items()}
