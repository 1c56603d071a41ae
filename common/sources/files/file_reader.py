"""Reads one landed file once: its records, and behind them what the file was: its hash, its records, or why it is refused."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from common.contracts.contract import Contract
from common.contracts.declared_source import Files
from common.contracts.sensitive import shown_names
from common.lake.storage.files import locate
from common.sources.arrow_batches import plain_batch, record_batch, refused_batch, unit_batch
from common.sources.envelopes import Envelopes
from common.sources.files.csv_records import WholeRecords, check_header, csv_batches, csv_header
from common.sources.files.file_parts import WHOLE, FilePart, PartStream, Stretch, can_be_cut, look, parts_of, stretches
from common.sources.files.json_records import json_batches, require_json_lines
from common.sources.files.landing_files import LandedFile
from common.sources.files.parquet_batches import can_be, parquet_batches
from common.sources.files.parquet_files import ROWS_A_BATCH, open_parquet, read_batches, require_bounded
from common.sources.files.text_records import CountedLines, RefusedFileError, TextFile, split_header
from common.sources.parsed_block import ParsedBlock, count_lines
from common.sources.source import SourceUnit, joined_digest
from common.sources.unknown_names import UnknownNames

BLOCK = 4 << 20


@dataclass(frozen=True)
class FileReader:
    contract: Contract
    folder: str

    def batches(self, file: LandedFile, part: FilePart = WHOLE) -> Iterator[pa.RecordBatch]:
        """Records, then one row with the unit. Rows of a file that turns out to be refused are nobody's."""
        reading = _Reading(SourceUnit(file.name, 0, part=part.number), part)
        problem = ""
        try:
            yield from self._read(file, reading)
        except RefusedFileError as error:
            problem = str(error)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            problem = f"its gzip stream is truncated or corrupt ({error}); have it sent again"
        except PermissionError:
            problem = "this user has no permission to read it; change its permissions"
        except (pa.ArrowException, ValueError, OSError) as error:
            problem = f"it can't be read ({str(error)[:300]}); have it sent again"
        unit = replace(reading.unit, records=0, refused=problem) if problem else reading.unit
        yield unit_batch(replace(unit, digest=self._digest(file.name, reading)), self._columns)

    def digest(self, name: str) -> str:
        """The SHA-256 of the file's bytes, or of the hashes of its parts; of one that can't be read, the reason."""
        try:
            parts = self.parts(name)
            return joined_digest([self._digest(name, _Reading(SourceUnit(name, 0), part)) for part in parts])
        except OSError as error:
            return str(error)

    def _digest(self, name: str, reading: _Reading) -> str:
        try:
            if not reading.hashed:
                with self._open(name, reading.part) as stream:
                    reading.hashed = HashedStream(stream)
                    reading.hashed.drain()
            return reading.hashed.hexdigest()
        except OSError as error:
            return str(error)

    def parts(self, name: str) -> list[FilePart]:
        """How tasks may share the file, looked up by this process."""
        size = self._size(name)
        if not can_be_cut(name, size, self.declared):
            return [WHOLE]
        return parts_of([self.look(name, *stretch) for stretch in stretches(size)])

    def look(self, name: str, start: int, end: int) -> Stretch | None:
        system, base = locate(self.folder)
        delimiter = self.declared.delimiter if LandedFile(name).format == "csv" else None
        with system.open_input_file(f"{base}/{name}") as file:
            return look(file, start, end, delimiter)

    def _read(self, file: LandedFile, reading: _Reading) -> Iterator[pa.RecordBatch]:
        if self.declared.changes and file.format != "json":
            raise RefusedFileError(
                "it holds rows, and the contract expects changes; send JSON lines, or remove changes"
            )
        if file.format == "parquet":
            yield from self._read_parquet(file.name, reading)
            return
        with self._open(file.name, reading.part) as raw:
            hashed = reading.hashed = HashedStream(raw)
            zipped = file.name.lower().endswith(".gz")
            stream: Any = gzip.GzipFile(mode="rb", fileobj=cast(Any, hashed)) if zipped else hashed
            read = self._read_json if file.format == "json" else self._read_csv
            try:
                yield from self._as_arrow(file.name, read(self._text(stream, reading.part), reading))
            except Exception:
                hashed.drain()
                raise
            hashed.drain()

    def _read_csv(self, file: TextFile, reading: _Reading) -> Iterator[ParsedBlock]:
        source, part = self.declared, reading.part
        line, rest = (self._first_line(reading.unit.name), file.blocks()) if part.start else split_header(file.blocks())
        if line is None:
            return
        header = self.contract.own_names(csv_header(line, source.delimiter, self._shown))
        try:
            self._check_header(header)
        except RefusedFileError:
            count_lines(rest)  # if the file is also truncated or not text, refuse it for that
            raise
        records = WholeRecords(len(header), source.delimiter, max(0, part.lines - 1))
        yield from csv_batches(records.seen(rest), header, self._columns, source.delimiter, source.longest_record)
        records.require_end(file.last_line_ends)
        reading.found(records.count, self._unknown(header), self._absent(header))

    def _read_json(self, file: TextFile, reading: _Reading) -> Iterator[ParsedBlock]:
        blocks = file.blocks()
        if not reading.part.start:
            first, rest = split_header(blocks)
            if first is None:
                return
            require_json_lines(first, self._shown)
            blocks = chain([[first]], rest)
        lines, longest = CountedLines(), self.declared.longest_record
        seen, contract = lines.seen(blocks), self.contract
        envelopes = Envelopes.of(contract)
        yield from json_batches(seen, self._columns, contract.own_names, longest, contract.columns, envelopes)
        reading.found(lines.count)

    def _read_parquet(self, name: str, reading: _Reading) -> Iterator[pa.RecordBatch]:
        system, base = locate(self.folder)
        longest, columns = self.declared.longest_record, self.contract.columns
        with open_parquet(system, f"{base}/{name}") as parquet:
            names = self.contract.own_names(list(parquet.schema_arrow.names))
            self._check_parquet(parquet, names)
            for batch in read_batches(parquet, longest):
                yield from parquet_batches(name, batch.rename_columns(names), self._columns, columns, longest)
            reading.found(parquet.metadata.num_rows, self._unknown(names))

    def _check_parquet(self, file: pq.ParquetFile, names: list[str]) -> None:
        self._check_header(names)
        require_bounded(file)
        types = dict(zip(names, file.schema_arrow.types, strict=True))
        changed = [
            f"{column.name}: found {types[column.name]}, the contract says {column.type}"
            for column in self.contract.columns
            if column.name in types and not can_be(types[column.name], column)
        ]
        if changed:
            raise RefusedFileError(
                f"its types have changed ({'; '.join(changed)}); change the source back, or the contract"
            )

    def _as_arrow(self, name: str, blocks: Iterable[ParsedBlock]) -> Iterator[pa.RecordBatch]:
        columns = self._columns
        for block in blocks:
            for start in range(0, len(block.rows), ROWS_A_BATCH):
                rows = block.rows[start : start + ROWS_A_BATCH]
                yield record_batch(name, list(zip(*rows, strict=True)), columns, len(rows))
            if block.plain:
                yield plain_batch(name, block, columns)
            if block.refused or block.extra or block.lines != block.records:
                yield refused_batch(name, block, columns)

    @property
    def declared(self) -> Files:
        source = self.contract.source
        assert isinstance(source, Files)
        return source

    @property
    def _columns(self) -> list[str]:
        return [column.name for column in self.contract.columns]

    @contextmanager
    def _open(self, name: str, part: FilePart = WHOLE) -> Iterator[Any]:
        system, base = locate(self.folder)
        if part == WHOLE:
            with system.open_input_stream(f"{base}/{name}", compression=None) as stream:
                yield stream
        else:
            with system.open_input_file(f"{base}/{name}") as file:
                yield PartStream(file, part)

    def _text(self, stream: BinaryIO, part: FilePart = WHOLE) -> TextFile:
        return TextFile(stream, self.declared.encoding, self.declared.longest_record, part.start, part.lines)

    def _first_line(self, name: str) -> str | None:
        with self._open(name) as stream:
            return split_header(self._text(stream).blocks())[0]

    def _size(self, name: str) -> int:
        system, base = locate(self.folder)
        return int(system.get_file_info(f"{base}/{name}").size or 0)

    def _check_header(self, names: list[str]) -> None:
        required = [column.name for column in self.contract.columns if column.required]
        check_header(names, self._columns, required, self._shown)

    def _shown(self, names: list[str]) -> list[str]:
        return shown_names(self.contract, names)

    def _unknown(self, names: list[str]) -> tuple[str, ...]:
        return UnknownNames(sorted({*names} - {*self._columns})).shown()

    def _absent(self, names: list[str]) -> tuple[str, ...]:
        return tuple(name for name in self._columns if name not in names)


class HashedStream:
    """Hashes a file's bytes as they are read."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size if size >= 0 else None)
        self._digest.update(block)
        return block

    def drain(self) -> None:
        while self.read(BLOCK):
            pass

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@dataclass
class _Reading:
    """What is known of a file so far."""

    unit: SourceUnit
    part: FilePart = WHOLE
    hashed: HashedStream | None = None

    def found(self, records: int, extra: tuple[str, ...] = (), absent: tuple[str, ...] = ()) -> None:
        self.unit = replace(self.unit, records=records, extra=extra, absent=absent)
