"""Records as Arrow batches, in the columns that `common.sources.source` promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts.column import Column
from common.sources.text_records import ParsedBlock, count_lines, decimal_marks


def record_batch(name: str, values: list[Any], columns: list[str], count: int) -> pa.RecordBatch:
    fields = [pa.array(column, pa.string()) for column in values] or [pa.nulls(count, pa.string()) for _ in columns]
    return _batch(name, fields, columns, count)


def plain_batch(name: str, batch: ParsedBlock, columns: list[str]) -> pa.RecordBatch:
    """Splits all lines without quotes in one call."""
    fields = pc.split_pattern(pa.array(batch.plain, pa.string()), batch.delimiter)
    count = len(batch.plain)
    cut = [pa.nulls(count, pa.string()) if at is None else pc.list_element(fields, at) for at in batch.places]
    return _batch(name, cut, columns, count)


def refused_batch(name: str, batch: ParsedBlock, columns: list[str]) -> pa.RecordBatch:
    """The refused records, and behind them rows with problem "": unknown column names, and extra lines of long records."""
    lines = [max(1, count_lines([text.split("\n")])) for _, text in batch.refused]
    further = batch.lines - batch.records - sum(lines)
    extra = [None, *sorted(batch.extra)]
    problems = [*(problem for problem, _ in batch.refused), *([""] * len(extra))]
    texts = [*(text for _, text in batch.refused), *([None] * len(extra))]
    count = len(problems)
    return _batch(
        name,
        [pa.nulls(count, pa.string()) for _ in columns],
        columns,
        count,
        problems,
        texts,
        [*([None] * len(batch.refused)), *extra],
        [*lines, further, *([0] * len(batch.extra))],
    )


def parquet_batch(name: str, batch: pa.RecordBatch, columns: list[str], declared: Sequence[Column]) -> pa.RecordBatch:
    """A number gets the decimal mark that its column declares, as its text is read with it later."""
    count, present, marks = batch.num_rows, set(batch.schema.names), decimal_marks(declared)
    fields = [
        _as_text(batch.column(column), marks.get(column, ".")) if column in present else pa.nulls(count, pa.string())
        for column in columns
    ]
    return _batch(name, fields, columns, count)


def _as_text(column: pa.Array, mark: str) -> pa.Array:
    """The text that a CSV would have. Nanoseconds become microseconds if none is lost; otherwise casting refuses the value."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return pc.replace_substring(pc.cast(column, pa.string()), ".", mark)
    if not pa.types.is_timestamp(column.type):
        return pc.cast(column, pa.string())
    utc = column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))
    text = pc.replace_substring_regex(utc.cast(pa.string()), r"(\.\d{6})000$", r"\1")
    return pc.binary_join_element_wise(text, "Z", "") if column.type.tz else text


def _batch(
    name: str,
    fields: list[pa.Array],
    columns: list[str],
    count: int,
    problems: Sequence[str | None] | None = None,
    texts: Sequence[str | None] | None = None,
    extra: Sequence[str | None] | None = None,
    lines: Sequence[int] | None = None,
) -> pa.RecordBatch:
    none = [None] * count
    arrays = [
        pa.array([name] * count, pa.string()),
        pa.array(problems or none, pa.string()),
        pa.array(texts or none, pa.string()),
        pa.array(extra or none, pa.string()),
        pa.array(lines or [1] * count, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(
        [*arrays, *fields], names=["file", "problem", "record", "extra", "lines", *columns]
    )
