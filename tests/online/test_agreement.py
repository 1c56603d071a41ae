"""The online rows beside the published ones."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from common.online.agreement import Difference, compare_with_offline
from common.online.connect import open_store
from common.online.store import Store
from tests.support.online_rows import DAY, rows, spends


@pytest.mark.parametrize(
    ("offline", "total", "agreeing", "examples"),
    [
        ("1:10 2:20", 2, 2, []),
        ("1:10 2:21", 2, 1, [Difference(2, "differs", ("spend",))]),
        ("1:10", 2, 1, [Difference(2, "not offline")]),
        ("1:10 2:20 3:30", 3, 2, [Difference(3, "missing online")]),
    ],
)
def test_each_kind_of_difference_is_counted_and_named(
    store: Store, offline: str, total: int, agreeing: int, examples: list[Difference]
) -> None:
    store.load("sales_v1", "user_id", [rows("1:10 2:20")], {})
    found = compare_with_offline(store, "sales_v1", [rows("1:1", DAY - timedelta(days=1)), rows(offline)])
    assert (found.total, found.agreeing, found.share) == (total, agreeing, agreeing / total)
    assert list(found.examples) == examples


def test_of_many_differences_five_are_named(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", spends(1, users=100), {})
    found = compare_with_offline(store, "sales_v1", spends(2, users=200))
    assert (found.total, found.agreeing, len(found.examples)) == (200, 0, 5)


def test_a_number_of_another_type_is_a_difference(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", [pa.RecordBatch.from_pylist([{"user_id": 1, "spend": 1}])], {})
    found = compare_with_offline(store, "sales_v1", [pa.RecordBatch.from_pylist([{"user_id": 1, "spend": 1.0}])])
    assert found.examples == (Difference(1, "differs", ("spend",)),)


def test_two_empty_sides_agree(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", [], {})
    assert compare_with_offline(store, "sales_v1", []).share == 1
