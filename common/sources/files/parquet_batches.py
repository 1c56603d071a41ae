"""Rows of a Parquet file as text batches, under the rules of the text formats: declared types, marks and longest record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts.column import Column
from common.sources.arrow_batches import record_batch, refused_batch
from common.sources.files.parquet_files import is_text, text_sizes, value_type
from common.sources.files.text_records import decimal_marks
from common.sources.parsed_block import ParsedBlock

EXACT_BELOW = 2**53  # a float holds every smaller whole number


def can_be(type_: pa.DataType, column: Column) -> bool:
    """Whether a Parquet type converts to the contract's type without guessing."""
    type_ = value_type(type_)
    text = is_text(type_) or pa.types.is_null(type_)
    whole = pa.types.is_integer(type_)
    number = whole or pa.types.is_decimal(type_) or pa.types.is_floating(type_)
    fits = {
        "string": whole,
        "int": number if column.integral else whole,
        "long": number if column.integral else whole,
        "decimal": number,
        "double": number,
        "boolean": pa.types.is_boolean(type_),
        "date": pa.types.is_date(type_),
        "timestamp": pa.types.is_timestamp(type_) or pa.types.is_date(type_),
    }
    return bool(text or fits[column.base_type])


def parquet_batches(
    name: str, batch: pa.RecordBatch, columns: list[str], declared: Sequence[Column], longest: int
) -> Iterator[pa.RecordBatch]:
    """A row whose texts together are longer than the longest record is refused, as a line of text is.

    A number gets the decimal mark that its column declares, as its text is read with it later.
    """
    count, present, marks = batch.num_rows, set(batch.schema.names), decimal_marks(declared)
    integral = {column.name for column in declared if column.integral}
    fields = [
        _as_text(batch.column(column), marks.get(column, "."), column in integral)
        if column in present
        else pa.nulls(count, pa.string())
        for column in columns
    ]
    rows = pa.RecordBatch.from_arrays(fields, names=columns)
    long = pc.greater(text_sizes(fields, count), longest)
    refused = rows.filter(long)
    good = rows.filter(pc.invert(long)) if refused.num_rows else rows
    yield record_batch(name, [_written_out(field) for field in good.columns], columns, good.num_rows)
    if refused.num_rows:
        yield refused_batch(name, _too_long(refused, longest), columns)


def _written_out(field: pa.Array) -> pa.Array:
    return field.dictionary_decode() if pa.types.is_dictionary(field.type) else field


def _too_long(rows: pa.RecordBatch, longest: int) -> ParsedBlock:
    """A row has no text of its own: its fields are shown as JSON, cut at the longest record as a line is."""
    shown = pa.RecordBatch.from_arrays([_start(field, longest) for field in rows.columns], names=rows.schema.names)
    block = ParsedBlock(lines=rows.num_rows)
    for row in shown.to_pylist():
        block.refuse("too_long", json.dumps(row, ensure_ascii=False)[:longest])
    return block


def _start(field: pa.Array, longest: int) -> pa.Array:
    if not pa.types.is_dictionary(field.type):
        return pc.utf8_slice_codeunits(field, 0, longest)
    short = pc.utf8_slice_codeunits(field.dictionary, 0, longest)
    return short.take(field.indices)


def _as_text(column: pa.Array, mark: str, integral: bool) -> pa.Array:
    """The text that a CSV would have. Nanoseconds become microseconds if none is lost; otherwise casting refuses the value.

    Texts may stay a dictionary, in which a long one stands once.
    """
    if pa.types.is_dictionary(column.type):
        if is_text(column.type.value_type):
            return column.cast(pa.dictionary(column.type.index_type, pa.string()))
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        text = pc.replace_substring(pc.cast(column, pa.string()), ".", mark)
        return _whole_text(column, text) if integral and pa.types.is_floating(column.type) else text
    if not pa.types.is_timestamp(column.type):
        return pc.cast(column, pa.string())
    utc = column.cast(pa.int64()).cast(pa.timestamp(column.type.unit))
    text = pc.replace_substring_regex(utc.cast(pa.string()), r"(\.\d{6})000$", r"\1")
    return pc.binary_join_element_wise(text, "Z", "") if column.type.tz else text


def _whole_text(column: pa.Array, text: pa.Array) -> pa.Array:
    """A whole number without an exponent, unless the float may have rounded it."""
    numbers = column.cast(pa.float64())
    whole = pc.and_(pc.equal(pc.trunc(numbers), numbers), pc.less(pc.abs(numbers), EXACT_BELOW))
    digits = pc.if_else(whole, numbers, None).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(digits, text)
