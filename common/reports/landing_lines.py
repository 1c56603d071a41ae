"""Find the lines of refused records in their landing files, for a person to look at: only text files on this machine."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

from common.contracts.contract import Contract, Files
from common.lake.storage.files import is_local, local_path
from common.sources.files.csv_records import csv_header, numbered_records, parse_record
from common.sources.files.landing_files import format_of
from common.sources.files.text_records import Lines, RefusedFileError, TextFile

# A larger file takes too long to read for a few line numbers.
LARGEST_BYTES = 64 << 20
Numbered = Iterator[tuple[int, str, dict[str, str | None]]]  # line number, text and fields of each record


def find_lines(landing: str, contract: Contract, ds: str, file: str, records: Collection[str]) -> dict[str, int]:
    """Return the line on which each of the records begins, where it is found."""
    found: dict[str, int] = {}
    if not is_local(landing) or not isinstance(contract.source, Files):
        return found
    wanted = {record: _fields(record, contract) for record in records}
    with suppress(OSError, EOFError, zlib.error, RefusedFileError):
        path = local_path(landing) / contract.name / f"ds={ds}" / file
        for number, text, fields in _numbered(path, contract, contract.source):
            for record, sent in wanted.items():
                if record not in found and (text == record or (sent and _same(sent, fields))):
                    found[record] = number
            if len(found) == len(wanted):
                break
    return found


def _numbered(path: Path, contract: Contract, source: Files) -> Numbered:
    format_ = format_of(path.name)
    if format_ not in ("csv", "json") or not path.is_file() or path.stat().st_size > LARGEST_BYTES:
        return
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rb") as stream:
        blocks = TextFile(stream, source.encoding, source.longest_record).blocks()  # type: ignore[arg-type]
        yield from _csv(blocks, contract, source.delimiter) if format_ == "csv" else _json(blocks, contract)


def _csv(blocks: Lines, contract: Contract, delimiter: str) -> Numbered:
    records = numbered_records(blocks, delimiter)
    header = [name for _, line in islice(records, 1) for name in contract.own_names(csv_header(line, delimiter))]
    for number, text in records:
        fields = parse_record(text, delimiter) or []
        yield number, text, dict(zip(header, fields, strict=True)) if len(fields) == len(header) else {}


def _json(blocks: Lines, contract: Contract) -> Numbered:
    for number, line in enumerate(chain.from_iterable(blocks), 1):
        yield number, line.removesuffix("\r"), _fields(line, contract)


def _fields(text: str, contract: Contract) -> dict[str, str | None]:
    try:
        fields = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {
        contract.own_name(name): value if isinstance(value, str | None) else json.dumps(value)
        for name, value in fields.items()
    }


def _same(sent: dict[str, str | None], fields: dict[str, str | None]) -> bool:
    return bool(fields) and all((fields.get(name) or None) == (value or None) for name, value in sent.items())
