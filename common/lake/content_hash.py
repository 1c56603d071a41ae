"""A hash of the content of rows that ignores their order, files and packing.

Each row becomes bytes of one width: per column, by name, whether there is a value and the value itself (zeros where there
is none). The hash is the SHA-256 of the columns' names and types and of the sorted SHA-256 of every row. Numbers go by
their bits: all NaN are one, while -0.0 is not 0.0. One text type stands for all, one unit (microseconds) for all times.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types

from common.errors import ContractViolationError, PipelineError

Bytes = NDArray[np.uint8]
DIGEST = hashlib.sha256().digest_size
ROWS_AT_ONCE = 1 << 16
LONGEST_DECIMAL128 = 38


class ContentHash:
    """Hash rows added in any order and in batches of any size; keeps one digest per row, and its key where it must be unique."""

    def __init__(self, schema: pa.Schema, key: Sequence[str] = ()) -> None:
        self._types = {name: canonical(schema.field(name).type, name) for name in sorted(schema.names)}
        self._digests: list[bytes] = []
        self._key, self._keys = [*key], list[pa.RecordBatch]()
        self.rows = 0

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        batches = rows.to_batches(max_chunksize=ROWS_AT_ONCE) if isinstance(rows, pa.Table) else [rows]
        for batch in batches:
            self.take(self.digests(batch))
            self._keys.append(batch.select(self._key))

    def take(self, digests: bytes) -> None:
        """Add rows that were digested somewhere else."""
        self.rows += len(digests) // DIGEST
        self._digests.append(digests)

    def digests(self, batch: pa.RecordBatch) -> bytes:
        columns = [encoded(batch.column(name), type_) for name, type_ in self._types.items()]
        return _digest_each(np.hstack(columns)) if columns else b""

    def hexdigest(self) -> str:
        if self._key and self._keys:
            keys = pa.Table.from_batches(self._keys)
            require_unique(keys.group_by(self._key).aggregate([]).num_rows == self.rows, self._key)
        whole = hashlib.sha256(json.dumps({name: str(type_) for name, type_ in self._types.items()}).encode())
        whole.update(np.sort(np.frombuffer(b"".join(self._digests), dtype=f"S{DIGEST}")).tobytes())
        return whole.hexdigest()


def hash_rows(table: pa.Table, key: Sequence[str] = ()) -> str:
    """The hash of a table's rows; raises unless `key`, if given, is unique."""
    content = ContentHash(table.schema, key)
    content.add(table)
    return content.hexdigest()


def require_unique(unique: bool, key: Sequence[str]) -> None:
    if not unique:
        raise ContractViolationError(f"the rows share values of {', '.join(key)}; expected one row for each")


def hash_parts(parts: Mapping[str, str]) -> str:
    """The hash of named parts, from their hashes."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def canonical(type_: pa.DataType, name: str) -> pa.DataType:
    """The type that represents every type with the same values."""
    if types.is_dictionary(type_):
        return canonical(type_.value_type, name)
    if (
        types.is_list(type_)
        or types.is_large_list(type_)
        or types.is_list_view(type_)
        or types.is_large_list_view(type_)
    ):
        return pa.large_list(canonical(type_.value_type, name))
    if types.is_struct(type_):
        return pa.struct([(field.name, canonical(field.type, f"{name}.{field.name}")) for field in type_])
    for fits, canonical_type in _SCALARS:
        if fits(type_):
            return canonical_type(type_)
    raise PipelineError(
        f"column {name} is {type_}, which has no content hash; expected numbers, text, times, lists, structs"
    )


def _decimal(type_: pa.DataType) -> pa.DataType:
    decimal = pa.decimal128 if type_.precision <= LONGEST_DECIMAL128 else pa.decimal256
    return decimal(type_.precision, type_.scale)


_SCALARS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]]] = [
    (lambda t: types.is_string(t) or types.is_large_string(t) or types.is_string_view(t), lambda t: pa.large_string()),
    (
        lambda t: (
            types.is_binary(t) or types.is_large_binary(t) or types.is_binary_view(t) or types.is_fixed_size_binary(t)
        ),
        lambda t: pa.large_binary(),
    ),
    (types.is_timestamp, lambda t: pa.timestamp("us", "UTC" if t.tz else None)),
    (types.is_date, lambda t: pa.date32()),
    (types.is_decimal, _decimal),
    (lambda t: types.is_integer(t) or types.is_floating(t) or types.is_boolean(t) or types.is_null(t), lambda t: t),
]


def encoded(array: Any, type_: pa.DataType) -> Bytes:
    """One fixed-width row of bytes per value: a validity byte, then the value. Equal values have equal bytes."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.type != type_:
        array = array.cast(type_)
    valid = np.asarray(array.is_valid())
    values = _values(array)
    rows = np.empty((len(array), 1 + values.shape[1]), np.uint8)
    rows[:, 0] = valid
    rows[:, 1:] = values
    rows[~valid, 1:] = 0
    return rows


def _values(array: Any) -> Bytes:
    type_ = array.type
    if types.is_null(type_):
        return np.zeros((len(array), 0), np.uint8)
    if types.is_boolean(type_):
        return _fixed(array.cast(pa.uint8()))
    if types.is_large_string(type_) or types.is_large_binary(type_):
        return _texts(array)
    if types.is_struct(type_):
        fields = [encoded(field, field.type) for field in array.flatten()]
        return np.hstack(fields) if fields else np.zeros((len(array), 0), np.uint8)
    if types.is_large_list(type_):
        return _lists(array)
    return _one_nan(array) if types.is_floating(type_) else _fixed(array)


def _fixed(array: Any) -> Bytes:
    width, buffer = array.type.bit_width // 8, array.buffers()[1]
    if buffer is None:
        return np.zeros((len(array), width), np.uint8)
    flat = np.frombuffer(buffer, np.uint8)
    return flat[array.offset * width : (array.offset + len(array)) * width].reshape(len(array), width)


def _one_nan(array: Any) -> Bytes:
    width = array.type.bit_width // 8
    values = np.ascontiguousarray(_fixed(array)).view(f"<f{width}").copy()
    values[np.isnan(values)] = np.nan
    return values.view(np.uint8)


def _texts(array: Any) -> Bytes:
    """Return one digest per text; each distinct text is hashed once."""
    packed = array.dictionary_encode()
    digests = b"".join(hashlib.sha256(text).digest() for text in packed.dictionary.cast(pa.large_binary()).to_pylist())
    if not digests:
        return np.zeros((len(array), DIGEST), np.uint8)
    rows: Bytes = np.frombuffer(digests, np.uint8).reshape(-1, DIGEST)[np.asarray(pc.fill_null(packed.indices, 0))]
    return rows


def _lists(array: Any) -> Bytes:
    ends = np.asarray(array.offsets)
    low, high = (int(ends[0]), int(ends[-1])) if len(array) else (0, 0)
    items = array.values.slice(low, high - low)
    inner = encoded(items, items.type)
    digests = b"".join(
        hashlib.sha256(inner[start - low : end - low].tobytes()).digest() for start, end in pairwise(ends)
    )
    return np.frombuffer(digests, np.uint8).reshape(-1, DIGEST)


def _digest_each(rows: Bytes) -> bytes:
    width, packed = rows.shape[1], rows.tobytes()
    return b"".join([hashlib.sha256(packed[start : start + width]).digest() for start in range(0, len(packed), width)])
