"""The content hash does not depend on how rows are stored and changes with any value."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from common.errors import ContractViolationError, PipelineError
from common.lake import content_hash

LARGE = pa.large_list(pa.large_string())
PAIR = pa.struct([("a", pa.int32()), ("b", pa.string())])
TYPES = {
    "long": pa.int64(),
    "small": pa.int8(),
    "double": pa.float64(),
    "float": pa.float32(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "flag": pa.bool_(),
    "day": pa.date32(),
    "time": pa.timestamp("us", "UTC"),
    "money": pa.decimal128(22, 2),
    "list": pa.list_(pa.string()),
    "lists": pa.list_(pa.list_(pa.int64())),
    "pair": PAIR,
    "pairs": pa.list_(PAIR),
}
long, text = st.integers(-(2**63), 2**63 - 1), st.text(max_size=4)
pair = st.none() | st.fixed_dictionaries({"a": st.none() | st.integers(-9, 9), "b": st.none() | text})
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "long": long,
    "small": st.integers(-128, 127),
    "double": st.floats(),
    "float": st.floats(width=32),
    "text": text,
    "bytes": st.binary(max_size=4),
    "flag": st.booleans(),
    "day": st.dates(),
    "time": st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),
    "money": st.decimals(-(10**19), 10**19, places=2),
    "list": st.lists(st.none() | text, max_size=3),
    "lists": st.lists(st.none() | st.lists(st.none() | long, max_size=2), max_size=3),
    "pair": pair,
    "pairs": st.lists(pair, max_size=2),
}
rows = st.lists(st.fixed_dictionaries({name: st.none() | each for name, each in VALUES.items()}), max_size=6)
SCHEMA = pa.schema(list(TYPES.items()))


def table(found: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(found, schema=SCHEMA)


@given(rows, st.randoms(use_true_random=False), st.integers(1, 4))
def test_row_order_and_chunks_do_not_change_the_hash(found: list[dict[str, Any]], chance: Any, length: int) -> None:
    wanted = content_hash.hash_rows(table(found))
    chance.shuffle(found)
    pieces = content_hash.ContentHash(SCHEMA)
    for start in range(0, len(found), length):
        # A slice starts in the middle of its buffer.
        pieces.add(table([*found[:1], *found[start : start + length]]).slice(1))
    assert pieces.hexdigest() == wanted
    assert content_hash.hash_rows(table(found).select(SCHEMA.names[::-1])) == wanted


@given(rows.filter(bool), st.data())
def test_changing_any_one_cell_changes_it(found: list[dict[str, Any]], data: st.DataObject) -> None:
    wanted = content_hash.hash_rows(table(found))
    name = data.draw(st.sampled_from(SCHEMA.names))
    row = data.draw(st.integers(0, len(found) - 1))
    value = data.draw(st.none() | VALUES[name])
    other = table([{**each, name: value} if number == row else each for number, each in enumerate(found)])
    assume(repr(other[name][row].as_py()) != repr(table(found)[name][row].as_py()))
    assert content_hash.hash_rows(other) != wanted


@given(rows.filter(bool))
def test_the_number_of_equal_rows_changes_the_hash(found: list[dict[str, Any]]) -> None:
    assert content_hash.hash_rows(table([*found, found[0]])) != content_hash.hash_rows(table(found))


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (pa.array(["a", None, "a"]), pa.array(["a", None, "a"]).dictionary_encode()),
        (pa.array(["a", None]), pa.array(["a", None], pa.large_string())),
        (pa.array(["a", None]), pa.array(["a", None], pa.string_view())),
        (pa.array([b"a"]), pa.array([b"a"], pa.binary(1))),
        (pa.array([["a"], None]), pa.array([["a"], None], pa.large_list(pa.large_string()))),
        (pa.array([["b"], ["c", "d"]]), pa.array([["a", "z"], ["b"], ["c", "d"]], LARGE).slice(1)),
        (pa.array([1000], pa.timestamp("us", "UTC")), pa.array([1], pa.timestamp("ms", "Europe/Vienna"))),
        (pa.array([1], pa.timestamp("us")), pa.array([1000], pa.timestamp("ns"))),
        (pa.array([date(2026, 1, 5)], pa.date32()), pa.array([date(2026, 1, 5)], pa.date64())),
        (pa.array([Decimal("1.50")], pa.decimal128(9, 2)), pa.array([Decimal("1.50")], pa.decimal256(9, 2))),
    ],
)
def test_types_of_equal_values_hash_alike(one: Any, same: Any) -> None:
    assert content_hash.hash_rows(pa.table({"x": one})) == content_hash.hash_rows(pa.table({"x": same}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": pa.array([1])}, {"x": pa.array([1], pa.int32())}),
        ({"x": pa.array([1])}, {"y": pa.array([1])}),
        ({"x": pa.array([0])}, {"x": pa.array([None], pa.int64())}),
        ({"x": pa.array([""])}, {"x": pa.array([None], pa.string())}),
        ({"x": pa.array([[]], pa.list_(pa.int64()))}, {"x": pa.array([None], pa.list_(pa.int64()))}),
        ({"x": pa.array([0.0])}, {"x": pa.array([-0.0])}),
        ({"x": pa.array([1], pa.timestamp("us"))}, {"x": pa.array([1], pa.timestamp("us", "UTC"))}),
        ({"x": pa.array(["ab", "c"]), "y": ["", ""]}, {"x": pa.array(["a", "c"]), "y": ["b", ""]}),
    ],
)
def test_type_name_or_null_alone_change_the_hash(one: Any, other: Any) -> None:
    assert content_hash.hash_rows(pa.table(one)) != content_hash.hash_rows(pa.table(other))


def test_the_bytes_under_a_null_do_not_count() -> None:
    null = pa.py_buffer(b"\x02")
    arrays = [
        pa.Array.from_buffers(pa.int64(), 2, [null, pa.py_buffer(np.array([under, 7]).tobytes())]) for under in (0, 99)
    ]
    one, other = (content_hash.hash_rows(pa.table({"x": each})) for each in arrays)
    assert one == other


def test_every_nan_hashes_alike() -> None:
    odd = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\xff")[0]
    assert math.isnan(odd)
    one, other = (content_hash.hash_rows(pa.table({"x": np.array([each])})) for each in (math.nan, odd))
    assert one == other


def test_hashes_stay_the_same_across_releases() -> None:
    """Pins store hashes: another algorithm would make every pin look damaged."""
    found = pa.table(
        {
            "ds": pa.array([date(2026, 1, 5), date(2026, 1, 5)]),
            "user_id": [1, 2],
            "spend": pa.array([Decimal("10.00"), None], pa.decimal128(22, 2)),
            "favourite": ["food", None],
        }
    )
    assert content_hash.hash_rows(found) == "161b13a734e1c0b3e3f4559924d162ad676a14832ae24f8e4f45d7c9fd996c7b"


def test_a_key_that_names_two_rows_is_refused() -> None:
    found = pa.table({"user_id": [1, 1, 2], "x": [1, 2, 3]})
    assert content_hash.hash_rows(found, ["user_id", "x"]) == content_hash.hash_rows(found)
    with pytest.raises(ContractViolationError, match="user_id"):
        content_hash.hash_rows(found, ["user_id"])


def test_a_type_without_a_hash_is_named() -> None:
    found = pa.table({"x": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))})
    with pytest.raises(PipelineError, match="column x is map"):
        content_hash.hash_rows(found)
