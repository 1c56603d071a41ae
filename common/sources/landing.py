"""The landing folder as a source: `<landing>/<dataset>/ds=YYYY-MM-DD/` with CSV, JSON lines and Parquet files."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from common.contracts.contract import Contract
from common.contracts.declared_source import Files
from common.contracts.sensitive import shown_names
from common.errors import SourceMissingError
from common.lake.files import locate
from common.runtime import plan_size
from common.sources import completeness
from common.sources.arrow_batches import plain_batch, record_batch, refused_batch, schema
from common.sources.csv_records import check_header, count_csv_lines, csv_batches, csv_header
from common.sources.json_records import json_batches, require_json_lines
from common.sources.landing_files import LandedFile, landed_files, landed_states
from common.sources.parquet_batches import can_be, parquet_batches
from common.sources.parquet_files import ROWS_A_BATCH, open_parquet, read_batches, require_bounded
from common.sources.source import Source, SourceListing, SourceUnit
from common.sources.text_records import ParsedBlock, RefusedFileError, TextFile, count_lines, split_header
from common.sources.unknown_names import UnknownNames

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Landing(Source):
    """One day of one dataset's landing folder."""

    contract: Contract
    root: str
    ds: date
    folder: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.root}/{self.contract.name}/ds={self.ds}")

    def fingerprint(self) -> str:
        """A hash of the names and content of the day's files, each with its length."""
        digest = hashlib.sha256()
        for file in self.files():
            content = file.refused.encode() if file.refused else self._hash(file.name)
            for part in (file.name.encode(), content):
                digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def _hash(self, name: str) -> bytes:
        digest = hashlib.sha256()
        try:
            with self._open_raw(name) as stream:
                while block := stream.read(4 << 20):
                    digest.update(block)
        except OSError as error:
            return str(error).encode()
        return digest.digest()

    def files(self) -> list[LandedFile]:
        marker = self.declared.complete
        return [file for file in landed_files(self.folder) if file.name != marker]

    @property
    def declared(self) -> Files:
        source = self.contract.source
        assert isinstance(source, Files)
        return source

    @property
    def missing(self) -> list[str]:
        """What the day lacks to be complete, if the contract says how to know."""
        marker = self.declared.complete
        return completeness.missing(self.folder, marker) if marker else []

    def holds(self) -> SourceListing:
        files = self.files()
        if files and (lacking := self.missing):
            raise SourceMissingError(
                f"{self.folder} is not complete: {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''} "
                f"({len(lacking)} missing); expected what Files(complete={self.declared.complete!r}) promises. "
                "Nothing was read. Wait until the sender has finished, or have the day sent again."
            )
        return SourceListing(self.folder, tuple(self._inspect(file) for file in files))

    def so_far(self) -> dict[str, int] | None:
        """Also of the files that are still being written."""
        return completeness.sizes(self.folder) if self.files() and not self.missing else None

    def changed_after(self, moment: datetime) -> bool:
        """By the files' own times."""
        return any(changed > moment.timestamp() for _, changed in landed_states(self.folder).values())

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        """One task per file, so that a quoted field over several lines is never split."""
        files = [LandedFile(unit.name) for unit in listing.good]
        columns, sizes = [column.name for column in self.contract.columns], completeness.sizes(self.folder)

        def read_unit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for place in batch.column(0).to_pylist():
                    yield from self.batches(files[place], columns)

        records = spark.range(0, len(files), 1, max(1, len(files))).mapInArrow(read_unit, schema(columns))
        return plan_size.by_size(records, sum(sizes.get(file.name, 0) for file in files))

    def _open_raw(self, name: str) -> Any:
        system, base = locate(self.folder)
        return system.open_input_stream(f"{base}/{name}", compression=None)

    def _inspect(self, file: LandedFile) -> SourceUnit:
        """Reads the whole file once before any of its rows is accepted."""
        if file.refused:
            return SourceUnit(file.name, 0, refused=file.refused)
        try:
            if file.format == "parquet":
                with self._parquet(file.name) as parquet:
                    return SourceUnit(file.name, parquet.metadata.num_rows, extra=self._check_parquet(parquet))
            return self._inspect_json(file.name) if file.format == "json" else self._inspect_csv(file.name)
        except RefusedFileError as error:
            return SourceUnit(file.name, 0, refused=str(error))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            problem = f"its gzip stream is truncated or corrupt ({error}); have it sent again"
        except PermissionError:
            problem = "this user has no permission to read it; change its permissions"
        except (pa.ArrowException, ValueError, OSError) as error:
            problem = f"it can't be read ({str(error)[:300]}); have it sent again"
        return SourceUnit(file.name, 0, refused=problem)

    def _inspect_json(self, name: str) -> SourceUnit:
        with self._open_text(name) as stream:
            first, rest = split_header(self._text(stream).blocks())
            if first is None:
                return SourceUnit(name, 0)
            require_json_lines(first, self._shown)
            return SourceUnit(name, 1 + count_lines(rest))

    def _inspect_csv(self, name: str) -> SourceUnit:
        delimiter = self.declared.delimiter
        with self._open_text(name) as stream:
            file = self._text(stream)
            line, rest = split_header(file.blocks())
            if line is None:
                return SourceUnit(name, 0)
            header = self.contract.own_names(csv_header(line, delimiter, self._shown))
            try:
                self._check_header(header)
            except RefusedFileError:
                count_lines(rest)  # if the file is also truncated or not text, refuse it for that
                raise
            count = count_csv_lines(file, rest, len(header), delimiter)
        return SourceUnit(name, count, extra=self._unknown(header), absent=self._absent(header))

    def _text(self, stream: BinaryIO) -> TextFile:
        source = self.declared
        return TextFile(stream, source.encoding, source.longest_record)

    def _open_text(self, name: str) -> BinaryIO:
        raw = self._open_raw(name)
        return gzip.GzipFile(fileobj=raw) if name.lower().endswith(".gz") else raw  # type: ignore[return-value]

    def _parquet(self, name: str) -> pq.ParquetFile:
        system, base = locate(self.folder)
        return open_parquet(system, f"{base}/{name}")

    def _check_parquet(self, file: pq.ParquetFile) -> tuple[str, ...]:
        names = self.contract.own_names(list(file.schema_arrow.names))
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
        for _ in read_batches(file, self.declared.longest_record):
            pass
        return self._unknown(names)

    def _check_header(self, names: list[str]) -> None:
        required = [column.name for column in self.contract.columns if column.required]
        check_header(names, [column.name for column in self.contract.columns], required, self._shown)

    def _shown(self, names: list[str]) -> list[str]:
        return shown_names(self.contract, names)

    def _unknown(self, names: list[str]) -> tuple[str, ...]:
        return UnknownNames(sorted(set(names) - {column.name for column in self.contract.columns})).shown()

    def _absent(self, names: list[str]) -> tuple[str, ...]:
        return tuple(column.name for column in self.contract.columns if column.name not in names)

    def _blocks(self, file: LandedFile, columns: list[str]) -> Iterator[ParsedBlock]:
        source, declared = self.declared, self.contract.columns
        with self._open_text(file.name) as stream:
            blocks = self._text(stream).blocks()
            if file.format == "json":
                yield from json_batches(blocks, columns, self.contract.own_names, source.longest_record, declared)
                return
            line, rest = split_header(blocks)
            if line is not None:
                header = self.contract.own_names(csv_header(line, source.delimiter))
                yield from csv_batches(rest, header, columns, source.delimiter, source.longest_record)

    def batches(self, file: LandedFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
        if file.format == "parquet":
            with self._parquet(file.name) as parquet:
                names, contract = self.contract.own_names(list(parquet.schema_arrow.names)), self.contract
                longest = self.declared.longest_record
                for batch in read_batches(parquet, longest):
                    rows = batch.rename_columns(names)
                    yield from parquet_batches(file.name, rows, columns, contract.columns, longest)
            return
        for block in self._blocks(file, columns):
            for start in range(0, len(block.rows), ROWS_A_BATCH):
                rows = block.rows[start : start + ROWS_A_BATCH]
                yield record_batch(file.name, list(zip(*rows, strict=True)), columns, len(rows))
            if block.plain:
                yield plain_batch(file.name, block, columns)
            if block.refused or block.extra or block.lines != block.records:
                yield refused_batch(file.name, block, columns)
