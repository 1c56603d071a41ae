"""Values come back from the online store exactly, or are refused."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import ContractViolationError, UsageError
from common.online.agreement import compare_with_offline
from common.online.connect import open_store
from common.online.row_codec import decode, encode
from common.online.store import Store
from tests.support.online_rows import rows


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([b"x"]), "binary, which can't be stored online exactly"),
        (pa.array([[1]]), "list<.*can't be stored online exactly"),
        (pa.array([datetime(2026, 1, 5)], pa.timestamp("ns")), "can't be stored online exactly"),
    ],
)
def test_values_that_would_not_round_trip_are_refused(column: pa.Array, said: str, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    batch = pa.RecordBatch.from_arrays([pa.array([1]), column], ["user_id", "found"])
    with pytest.raises(UsageError, match=said):
        store.load("sales_v1", "user_id", [batch], {})


def test_rows_need_the_entity(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    with pytest.raises(UsageError, match="no column 'shop'"):
        store.load("sales_v1", "shop", [rows("1:1")], {})
    with pytest.raises(ContractViolationError, match="some rows have no user_id"):
        store.load("sales_v1", "user_id", [pa.RecordBatch.from_pylist([{"user_id": 1}, {"user_id": None}])], {})
    with pytest.raises(UsageError, match="the store's own"):
        store.load("sales_v1", "user_id", [rows("1:1")], {"entity": "shop"})


VALUES = {
    "an_int": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "a_long": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "a_double": (pa.float64(), st.floats()),
    "a_decimal": (pa.decimal128(22, 2), st.decimals(-(10**19), 10**19, places=2)),
    "a_boolean": (pa.bool_(), st.booleans()),
    "a_text": (pa.string(), st.text()),
    "a_date": (pa.date32(), st.dates()),
    "a_time": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "a_local_time": (pa.timestamp("us"), st.datetimes()),
}
SCHEMA = pa.schema({"entity": pa.string(), **{name: type_ for name, (type_, _) in VALUES.items()}})
ROWS = st.lists(
    st.fixed_dictionaries({"entity": st.text(), **{name: st.none() | values for name, (_, values) in VALUES.items()}}),
    max_size=8,
    unique_by=lambda row: row["entity"],
)


def exactly(row: dict[str, Any]) -> dict[str, tuple[type, str]]:
    """A value's type and exact digits, in which NaN equals NaN."""
    return {name: (type(value), str(value) if isinstance(value, float) else value) for name, value in row.items()}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_every_value_comes_back_exactly_as_it_was(store: Store, found: list[dict[str, Any]]) -> None:
    batch = pa.RecordBatch.from_pylist(found, schema=SCHEMA)
    store.load("all_v1", "entity", [batch], {})
    for row in found:
        back = store.get("all_v1", row["entity"])
        assert back is not None
        assert exactly(back) == exactly(row)
        assert list(back) == SCHEMA.names
    assert compare_with_offline(store, "all_v1", [batch]).share == 1


@given(st.floats() | st.decimals(allow_nan=False) | st.dates() | st.datetimes() | st.text() | st.integers() | st.none())
def test_stored_values_are_standard_json(value: Any) -> None:
    text = encode({"a": value})
    assert exactly(decode(text)) == exactly({"a": value})
    assert text.isascii()
    assert not {"NaN", "Infinity"} & set(text.replace(":", ",").strip("{}").split(","))


def test_times_in_other_zones_come_back_as_the_same_utc_instant() -> None:
    berlin = pa.array([datetime(2026, 1, 5, 12, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin")).to_pylist()[0]
    assert decode(encode(berlin)) == berlin
    assert decode(encode(berlin)).tzinfo == UTC
