"""Find the lines of refused records in their landing files, for a person to look at: text files on this machine alone."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from common.contracts.contract import Contract
from common.lake.files import is_local, local_path

# A larger file takes too long to read for a few line numbers.
LARGEST_BYTES = 64 << 20
Numbered = Iterator[tuple[int, str, dict[str, str | None]]]  # line number, text and fields of each record


def find_lines(landing: str, contract: Contract, ds: str, file: str, records: Collection[str]) -> dict[str, int]:
    """Return the line on which each of the records begins, where it is found."""
    found: dict[str, int] = {}
    if not is_local(landing):
        return found
    wanted = {record: _fields(record) for record in records}
    with suppress(OSError, EOFError, ValueError, csv.Error, zlib.error):
        for number, text, fields in _numbered(local_path(landing) / contract.name / f"ds={ds}" / file, contract):
            for record, sent in wanted.items():
                if record not in found and (text == record or (sent and _same(sent, fields))):
                    found[record] = number
            if len(found) == len(wanted):
                break
    return found


def _numbered(path: Path, contract: Contract) -> Numbered:
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith((".csv", ".jsonl", ".json")) or not path.is_file() or path.stat().st_size > LARGEST_BYTES:
        return
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rt", encoding=contract.source.encoding, errors="replace", newline="") as lines:
        yield from _csv(lines, contract.source.delimiter) if name.endswith(".csv") else _json(lines)


def _csv(lines: Any, delimiter: str) -> Numbered:
    taken: list[str] = []

    def take() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(take(), delimiter=delimiter)
    header = next(reader, [])
    taken.clear()
    before = reader.line_num
    for row in reader:
        yield (
            before + 1,
            "".join(taken).rstrip("\r\n"),
            {} if len(row) != len(header) else dict(zip(header, row, strict=True)),
        )
        taken.clear()
        before = reader.line_num


def _json(lines: Any) -> Numbered:
    for number, line in enumerate(lines, 1):
        yield number, line.rstrip("\r\n"), _fields(line)


def _fields(text: str) -> dict[str, str | None]:
    try:
        fields = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {name: value if isinstance(value, str | None) else json.dumps(value) for name, value in fields.items()}


def _same(sent: dict[str, str | None], fields: dict[str, str | None]) -> bool:
    return bool(fields) and all((fields.get(name) or None) == (value or None) for name, value in sent.items())
