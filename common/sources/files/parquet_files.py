"""Opens and reads Parquet files in bounded memory: neither a giant value nor one that stands in a million rows fills it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from common.sources.files.text_records import RefusedFileError

ROWS_A_BATCH = 50_000
BYTES_A_BATCH = 64 << 20
MOST_BYTES = 1 << 30  # that one column of one row group may take


def open_parquet(system: fs.FileSystem, path: str) -> pq.ParquetFile:
    """With texts as dictionaries: a file of 400 kB may hold one text of 2 MB in each of 50,000 rows."""
    first = pq.ParquetFile(system.open_input_file(path))
    texts = [field.name for field in first.schema_arrow if is_text(field.type)]
    return pq.ParquetFile(system.open_input_file(path), metadata=first.metadata, read_dictionary=texts)


def require_bounded(file: pq.ParquetFile) -> None:
    """Refuses by its footer a file with more in one column of a row group than a process should hold."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            if column.total_uncompressed_size > MOST_BYTES:
                raise RefusedFileError(
                    f"a column holds {column.total_uncompressed_size:,} bytes in its row group {number}; expected at most "
                    f"{MOST_BYTES:,}; write smaller row groups"
                )


def read_batches(file: pq.ParquetFile, longest: int) -> Iterator[pa.RecordBatch]:
    """Batches that stay small when their texts are written out, each cut at the longest record."""
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        average = group.total_byte_size // max(1, group.num_rows)
        size = max(1, min(ROWS_A_BATCH, BYTES_A_BATCH // max(1, average)))
        for batch in file.iter_batches(batch_size=size, row_groups=[number]):
            batch.validate(full=True)  # Arrow reads texts that are not UTF-8 without a word
            yield from _cut(batch, longest)


def _cut(batch: pa.RecordBatch, longest: int) -> Iterator[pa.RecordBatch]:
    kept = pc.cumulative_sum(pc.min_element_wise(text_sizes(batch.columns, batch.num_rows), longest))
    if not batch.num_rows or kept[-1].as_py() <= BYTES_A_BATCH:
        yield batch
        return
    start = 0
    while start < batch.num_rows:
        before = kept[start - 1].as_py() if start else 0
        fits = pc.less_equal(kept, before + BYTES_A_BATCH)
        end = max(start + 1, pc.sum(fits).as_py())
        yield batch.slice(start, end - start)
        start = end


def text_sizes(columns: list[pa.Array], rows: int) -> pa.Array:
    """The characters of each row in its columns of text."""
    sizes = [_lengths(column) for column in columns if is_text(value_type(column.type))]
    return reduce(pc.add, sizes, pa.array([0] * rows, pa.int64()))


def _lengths(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        lengths = pc.utf8_length(column.dictionary).take(column.indices)
    else:
        lengths = pc.utf8_length(column)
    return pc.fill_null(lengths, 0).cast(pa.int64())


def value_type(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def is_text(type_: pa.DataType) -> Any:
    return pa.types.is_string(type_) or pa.types.is_large_string(type_)
