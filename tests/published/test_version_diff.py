"""The diff between two versions, compared with a pandas merge."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import ContractViolationError
from common.published.catalog import Lake
from common.published.version_diff import VersionDiff, compare_versions
from tests.support.published_tables import SCHEMA, commit, pack, publish, rows_of

FIRST = """
ds         | user_id | spend  | mean | favourite
2026-01-01 | 1       | 10.00  | 1.5  | food
2026-01-02 | 1       | 10.00  | 1.5  | food
2026-01-02 | 2       | 20.00  | ?    | -
2026-01-02 | 3       | 30.00  | 3.5  | food
2026-01-02 | 4       | 40.00  | -    | food
"""
SECOND = """
ds         | user_id | spend  | mean | favourite
2026-01-02 | 1       | 10.00  | 2.5  | food
2026-01-02 | 2       | 520.00 | ?    | travel
2026-01-02 | 4       | 40.00  | 4.5  | food
2026-01-02 | 5       | 50.00  | -    | -
2026-01-03 | 1       | 10.00  | 1.5  | food
"""


def diff(lake: Path, before: int, after: int, **chosen: Any) -> VersionDiff:
    table = Lake(str(lake)).features("purchases")
    return compare_versions(table.at(version=before), table.at(version=after), **chosen)


def test_rows_and_values_that_changed_are_counted(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    publish(tmp_path, SECOND)
    found = diff(tmp_path, 0, 1)
    assert found.days == [date(2026, 1, 2), date(2026, 1, 3)]
    assert (found.added, found.removed, found.changed) == (2, 1, 3)
    assert found.columns == {"spend": 1, "mean": 2, "favourite": 1}
    shown = [(str(each.ds), each.entity, each.column, str(each.before), str(each.after)) for each in found.largest]
    assert shown == [("2026-01-02", 2, "spend", "20.00", "520.00"), ("2026-01-02", 1, "mean", "1.5", "2.5")]


def test_a_backward_diff_swaps_added_and_removed(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    publish(tmp_path, SECOND)
    found = diff(tmp_path, 1, 0)
    assert (found.added, found.removed, found.changed) == (1, 2, 3)


def test_only_the_named_days_count(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    publish(tmp_path, SECOND)
    found = diff(tmp_path, 0, 1, days=[date(2026, 1, 3)])
    assert (found.days, found.added, found.removed, found.changed) == ([date(2026, 1, 3)], 1, 0, 0)


def test_days_whose_files_are_the_same_are_not_read(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    publish(tmp_path, "ds | user_id | spend\n2026-01-01 | 1 | 7.00")
    shutil.rmtree(tmp_path / "published" / "purchases" / "v1" / "ds=2026-01-02")
    assert diff(tmp_path, 0, 1).changed == 1


def test_packed_files_change_nothing(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    write_deltalake(f"{tmp_path}/published/purchases/v1", rows_of("ds | user_id\n2026-01-02 | 9"), mode="append")
    packed = pack(tmp_path)
    found = diff(tmp_path, 1, packed)
    assert found.days == [date(2026, 1, 2)]
    assert (found.added, found.removed, found.changed, found.columns) == (0, 0, 0, {})


def test_the_ten_largest_changes_of_all_days_are_kept(tmp_path: Path) -> None:
    rows = [(1 + n % 3, n, (n * 37) % 100) for n in range(60)]
    head = "ds | user_id | spend | mean\n"
    publish(tmp_path, head + "\n".join(f"2026-01-0{day} | {user} | 0.00 | 0" for day, user, _ in rows))
    publish(tmp_path, head + "\n".join(f"2026-01-0{day} | {user} | {size}.00 | -{size}" for day, user, size in rows))
    found = diff(tmp_path, 0, 1)
    sizes = sorted((size for *_, size in rows for _ in range(2)), reverse=True)
    assert [each.size for each in found.largest] == sizes[:10]
    assert len({(each.column, each.entity) for each in found.largest}) == 10


def test_columns_that_came_went_or_took_another_type_are_named(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    found = rows_of(SECOND).drop_columns(["mean"]).append_column("visits", pa.array([5, 6, 7, 8, 9]))
    found = found.set_column(2, "spend", found["spend"].cast(pa.float64()))
    write_deltalake(f"{tmp_path}/published/purchases/v1", found, mode="overwrite", schema_mode="overwrite")
    seen = diff(tmp_path, 0, 1)
    assert (seen.new_columns, seen.gone_columns, seen.retyped) == (["visits"], ["mean"], ["spend"])
    assert seen.columns == {"favourite": 1}


def test_a_duplicate_entity_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, FIRST)
    write_deltalake(f"{tmp_path}/published/purchases/v1", rows_of("ds | user_id\n2026-01-02 | 2"), mode="append")
    with pytest.raises(ContractViolationError, match="user_id more than once on 2026-01-02"):
        diff(tmp_path, 0, 1)


user = st.fixed_dictionaries(
    {
        "ds": st.sampled_from([date(2026, 1, 1), date(2026, 1, 2)]),
        "user_id": st.integers(1, 5),
        "spend": st.none() | st.decimals(-5, 5, places=2),
        "mean": st.none() | st.sampled_from([0.5, -1.5, float("nan"), float("inf")]),
        "favourite": st.none() | st.sampled_from(["", "food"]),
    }
)
users = st.lists(user, min_size=1, max_size=8, unique_by=lambda each: (each["ds"], each["user_id"]))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(users, users)
def test_the_diff_equals_a_pandas_merge(tmp_path: Path, one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    shutil.rmtree(tmp_path / "published", ignore_errors=True)
    publish(tmp_path, "ds | user_id\n2026-01-01 | 1")
    uri, days = f"{tmp_path}/published/purchases/v1", ["2026-01-01", "2026-01-02"]
    versions = [commit(uri, pa.Table.from_pylist(rows, schema=SCHEMA), days, None) for rows in (one, other)]
    found = diff(tmp_path, *versions)
    key = ["ds", "user_id"]
    merged = pd.DataFrame(one, dtype=object).merge(
        pd.DataFrame(other, dtype=object), on=key, how="outer", suffixes=(" before", " after"), indicator="side"
    )
    both = merged[merged.side == "both"]
    changed = {
        name: (both[f"{name} before"].map(repr) != both[f"{name} after"].map(repr))
        for name in ("spend", "mean", "favourite")
    }
    assert (found.added, found.removed) == ((merged.side == "right_only").sum(), (merged.side == "left_only").sum())
    assert found.columns == {name: count for name, each in changed.items() if (count := each.sum())}
    assert found.changed == (pd.DataFrame(changed).any(axis=1).sum() if len(both) else 0)
    assert Counter(each.column for each in found.largest) <= Counter(found.columns)
