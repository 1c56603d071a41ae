"""The landing folder as a source: `<landing>/<dataset>/ds=YYYY-MM-DD/` with CSV, JSON lines and Parquet files."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from common.contracts.contract import Column, Contract
from common.contracts.sensitive import shown_names
from common.lake.files import list_files, locate
from common.sources.arrow_batches import parquet_batch, plain_batch, record_batch, refused_batch
from common.sources.json_records import json_batches
from common.sources.source import Source, SourceListing, SourceUnit
from common.sources.text_records import (
    ParsedBlock,
    RefusedFileError,
    check_header,
    count_lines,
    csv_batches,
    csv_header,
    read_lines,
    split_header,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from common.runtime.run import Run

FORMATS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".json": "json",
    ".parquet": "parquet",
}
ROWS_A_BATCH = 50_000


@dataclass(frozen=True)
class Landing:
    """One day of one dataset's landing folder."""

    contract: Contract
    root: str
    ds: date
    folder: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", f"{self.root}/{self.contract.name}/ds={self.ds}")

    def fingerprint(self) -> str:
        """A hash of the names and content of the day's files."""
        digest = hashlib.sha256()
        for name in self._names():
            digest.update(name.encode())
            with self._open_raw(name) as stream:
                while block := stream.read(4 << 20):
                    digest.update(block)
        return digest.hexdigest()

    def holds(self) -> SourceListing:
        return SourceListing(self.folder, tuple(self._inspect(name) for name in self._names()))

    @property
    def arrived(self) -> bool:
        return bool(self._names())

    def read(self, spark: SparkSession, units: list[SourceUnit]) -> DataFrame:
        """One task per file, so that a quoted field over several lines is never split."""
        names = [unit.name for unit in units]
        columns = [column.name for column in self.contract.columns]

        def read_unit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for place in batch.column(0).to_pylist():
                    yield from self._arrow(names[place], columns)

        fields = ", ".join(f"`{name}` string" for name in columns)
        schema = f"file string, problem string, record string, extra string, lines bigint, {fields}"
        return spark.range(0, len(names), 1, max(1, len(names))).mapInArrow(read_unit, schema)

    def _names(self) -> list[str]:
        """Skips names that begin with . or _: markers, and files that are still being written."""
        _, base = locate(self.folder)
        names = [file.path[len(base) + 1 :] for file in list_files(self.folder, recursive=True)]
        return [name for name in names if not any(part[0] in "._" for part in name.split("/"))]

    def _open_raw(self, name: str) -> Any:
        system, base = locate(self.folder)
        return system.open_input_stream(f"{base}/{name}", compression=None)

    def _format(self, name: str) -> str:
        formats = [format_ for suffix, format_ in FORMATS.items() if name.lower().endswith(suffix)]
        if not formats:
            raise RefusedFileError(
                f"its name ends in none of {', '.join(FORMATS)}; rename it, or take it out of landing"
            )
        return formats[0]

    def _inspect(self, name: str) -> SourceUnit:
        """Reads the whole file once before any of its rows is accepted."""
        try:
            if self._format(name) == "parquet":
                with self._parquet(name) as file:
                    return SourceUnit(name, file.metadata.num_rows, extra=self._check_parquet(file))
            with self._open_text(name) as stream:
                return self._inspect_text(name, read_lines(stream, self.contract.source.encoding))
        except RefusedFileError as error:
            return SourceUnit(name, 0, refused=str(error))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            return SourceUnit(name, 0, refused=f"its gzip stream is truncated or corrupt ({error}); have it sent again")
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            return SourceUnit(name, 0, refused=f"it can't be read ({str(error)[:300]}); have it sent again")

    def _inspect_text(self, name: str, blocks: Iterator[list[str]]) -> SourceUnit:
        if self._format(name) == "json":
            return SourceUnit(name, count_lines(blocks))
        line, rest = split_header(blocks)
        if line is None:
            return SourceUnit(name, 0)
        header = csv_header(line, self.contract.source.delimiter, self._shown)
        try:
            check_header(header, [c.name for c in self.contract.columns], self._required(), self._shown)
        except RefusedFileError:
            count_lines(rest)  # if the file is also truncated or not text, refuse it for that
            raise
        return SourceUnit(name, count_lines(rest), extra=self._unknown(header), absent=self._absent(header))

    def _open_text(self, name: str) -> BinaryIO:
        raw = self._open_raw(name)
        return gzip.GzipFile(fileobj=raw) if name.lower().endswith(".gz") else raw  # type: ignore[return-value]

    def _parquet(self, name: str) -> pq.ParquetFile:
        system, base = locate(self.folder)
        return pq.ParquetFile(system.open_input_file(f"{base}/{name}"))

    def _check_parquet(self, file: pq.ParquetFile) -> tuple[str, ...]:
        schema = file.schema_arrow
        check_header(list(schema.names), [c.name for c in self.contract.columns], self._required(), self._shown)
        changed = [
            f"{column.name}: found {schema.field(column.name).type}, the contract says {column.type}"
            for column in self.contract.columns
            if column.name in schema.names and not can_be(schema.field(column.name).type, column)
        ]
        if changed:
            raise RefusedFileError(
                f"its types have changed ({'; '.join(changed)}); change the source back, or the contract"
            )
        for _ in file.iter_batches(batch_size=ROWS_A_BATCH):
            pass
        return self._unknown(list(schema.names))

    def _shown(self, names: list[str]) -> list[str]:
        return shown_names(self.contract, names)

    def _required(self) -> list[str]:
        return [column.name for column in self.contract.columns if column.required]

    def _unknown(self, names: list[str]) -> tuple[str, ...]:
        return tuple(sorted(set(names) - {column.name for column in self.contract.columns}))

    def _absent(self, names: list[str]) -> tuple[str, ...]:
        return tuple(column.name for column in self.contract.columns if column.name not in names)

    def _batches(self, name: str, columns: list[str]) -> Iterator[ParsedBlock]:
        with self._open_text(name) as stream:
            blocks = read_lines(stream, self.contract.source.encoding)
            if self._format(name) == "json":
                yield from json_batches(blocks, columns)
                return
            line, rest = split_header(blocks)
            if line is not None:
                delimiter = self.contract.source.delimiter
                yield from csv_batches(rest, csv_header(line, delimiter), columns, delimiter)

    def _arrow(self, name: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        if self._format(name) == "parquet":
            with self._parquet(name) as file:
                for batch in file.iter_batches(batch_size=ROWS_A_BATCH):
                    yield parquet_batch(name, batch, columns)
            return
        for batch in self._batches(name, columns):
            for start in range(0, len(batch.rows), ROWS_A_BATCH):
                rows = batch.rows[start : start + ROWS_A_BATCH]
                yield record_batch(name, list(zip(*rows, strict=True)), columns, len(rows))
            if batch.plain:
                yield plain_batch(name, batch, columns)
            if batch.refused or batch.extra or batch.lines != batch.records:
                yield refused_batch(name, batch, columns)


def can_be(type_: pa.DataType, column: Column) -> bool:
    """Whether a Parquet type converts to the contract's type without guessing."""
    text = pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_null(type_)
    fits = {
        "string": pa.types.is_integer(type_),
        "int": pa.types.is_integer(type_),
        "long": pa.types.is_integer(type_),
        "decimal": pa.types.is_integer(type_) or pa.types.is_decimal(type_) or pa.types.is_floating(type_),
        "double": pa.types.is_integer(type_) or pa.types.is_decimal(type_) or pa.types.is_floating(type_),
        "boolean": pa.types.is_boolean(type_),
        "date": pa.types.is_date(type_),
        "timestamp": pa.types.is_timestamp(type_) or pa.types.is_date(type_),
    }
    return bool(text or fits[column.base_type])


def open_source(run: Run) -> Source:
    return Landing(run.contract, run.settings.landing, run.ds)
