"""Writing equal rows to a small table writes nothing."""

from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

from common.lake import small_tables
from common.quality import profiles
from common.quality.profiles import Profile
from tests.support.other_machine import OtherMachine
from tests.support.play_lake import PlayLake

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
FACT = Profile(DAY, "processed", "age", "", "double", 2, 0, 2, "1.0", "2.0", 1.5, 0.5, [1.0, 2.0], None)


@pytest.mark.parametrize("number", [0.5, float("inf"), float("nan")])
def test_writing_equal_numbers_again_writes_nothing(tmp_path: Path, number: float) -> None:
    lake = PlayLake(tmp_path)
    run = lake.plan("validate", str(DAY))
    found = [replace(FACT, deviation=number, quantiles=[1.0, number]), replace(FACT, column="amount")]
    profiles.keep(run, "processed", found)
    before = lake.state()
    profiles.keep(run, "processed", found[::-1])
    assert lake.state() == before
    profiles.keep(run, "processed", [found[0], replace(found[1], rows=3)])
    assert lake.state() != before


def test_a_table_without_a_newer_column_gains_it(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path)
    table, run = profiles.table_of(lake.contract), lake.plan("validate", str(DAY))
    old = replace(table, columns=tuple(pair for pair in table.columns if pair[0] != "distinct_error"))
    older = pa.schema([field for field in profiles.SCHEMA if field.name != "distinct_error"])
    facts = [
        {name: value for name, value in vars(replace(FACT, ds=day)).items() if name in older.names}
        for day in (DAY, NEXT)
    ]
    small_tables.write_slice(run, old, older, facts, {"ds": [DAY, NEXT], "table": ["processed"]})
    assert [each.distinct_error for each in profiles.known(run, "processed", [DAY])] == [None]
    profiles.keep(run, "processed", [replace(FACT, distinct_error=0.02)])
    found = {each.ds: each.distinct_error for each in profiles.known(run, "processed", [DAY, NEXT])}
    assert found == {DAY: 0.02, NEXT: None}


def stored(lake: PlayLake) -> dict[str, int]:
    """The rows that each day's profile counts."""
    profile_rows = lake.table("profiles/transactions").to_pyarrow_table().to_pylist()
    assert len(profile_rows) == len({(row["ds"], row["table"], row["column"]) for row in profile_rows})
    return {f"{row['ds'].day} {row['table']}": row["rows"] for row in profile_rows}


def keep(lake: PlayLake, day: int, rows: int, code: object = "test", table: str = "processed") -> None:
    run = replace(lake.plan("validate", f"2026-01-{day:02}"), code=code)
    fact = replace(FACT, ds=date(2026, 1, day), table=table, rows=rows)
    profiles.keep(run, table, [fact])


@pytest.mark.parametrize(
    ("before", "others", "expected"),
    [
        ([], [(5, 1)], {"5 processed": 9}),
        ([], [(6, 1)], {"5 processed": 9, "6 processed": 1}),
        ([(5, 2)], [(5, 1)], {"5 processed": 9}),
        ([(6, 2)], [(5, 1)], {"5 processed": 9, "6 processed": 2}),
        ([(5, 2)], [(6, 1)], {"5 processed": 9, "6 processed": 1}),
        ([(5, 2)], [(5, 1), (5, 3), (6, 4)], {"5 processed": 9, "6 processed": 4}),
    ],
)
def test_two_writers_lose_nothing_and_repeat_nothing(
    tmp_path: Path, before: list[tuple[int, int]], others: list[tuple[int, int]], expected: dict[str, int]
) -> None:
    lake = PlayLake(tmp_path)
    for day, rows in before:
        keep(lake, day, rows)
    keep(lake, 5, 9, OtherMachine(*(partial(keep, lake, *other) for other in others)))
    assert stored(lake) == expected


@pytest.mark.parametrize("before", [[], ["features"], ["processed"], ["features", "processed"]])
def test_writers_about_two_tables_of_a_day_keep_both(tmp_path: Path, before: list[str]) -> None:
    lake = PlayLake(tmp_path)
    for table in before:
        keep(lake, 5, 1, table=table)
    keep(lake, 5, 9, OtherMachine(partial(keep, lake, 5, 3, table="features")))
    assert stored(lake) == {"5 features": 3, "5 processed": 9}


def test_a_slice_that_was_just_written_is_not_written_again(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path)
    keep(lake, 5, 2)
    keep(lake, 5, 9, OtherMachine(partial(keep, lake, 5, 9)))
    assert (stored(lake), lake.table("profiles/transactions").version()) == ({"5 processed": 9}, 1)


def test_a_day_is_one_file_without_statistics(tmp_path: Path) -> None:
    """Each commit reads what the log says of all files again, which are those of years."""
    lake = PlayLake(tmp_path)
    for day, table in ((5, "processed"), (5, "features"), (6, "processed"), (5, "processed")):
        keep(lake, day, 10 + day, table=table)
    keep(lake, 5, 9)
    assert stored(lake) == {"5 features": 15, "5 processed": 9, "6 processed": 16}
    files = pa.table(lake.table("profiles/transactions").get_add_actions(flatten=True))
    assert sorted(map(str, files["partition.ds"].to_pylist())) == ["2026-01-05", "2026-01-06"]
    assert [name for name in files.column_names if name.startswith("min.")] == []


def test_a_table_under_constant_writes_fails_without_a_change(tmp_path: Path) -> None:
    lake = PlayLake(tmp_path)
    keep(lake, 5, 0)
    with pytest.raises(CommitFailedError):
        keep(lake, 5, 9, OtherMachine(*(partial(keep, lake, 5, rows) for rows in range(1, 20))))
    assert stored(lake) != {"5 processed": 9}
