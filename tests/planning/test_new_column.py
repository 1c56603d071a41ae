"""A new feature column: what came before is not made again, and the tables are those of a run of everything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from common.lake.log import delta_log
from common.orchestration.stages import STEPS
from common.planning.foresight import When
from common.planning.plan import plan_dataset
from tests.support.datasets import datasets_in, spoil
from tests.support.planned import (
    AFTER_CLEAN,
    DAYS,
    FIRST,
    SECOND,
    THIRD,
    asked,
    backfilled,
    contract_of,
    land,
    planned,
    sale,
    steps,
)
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

OLD = 'Feature("sales_3d"'
SHORTER = f'Feature("sales_2d", Count(2)), {OLD}'
RENAMED = 'Feature("sales_of_3_days"'
LARGEST = f'Feature("largest", Max(3, "amount")), {OLD}'
NEW_TABLES = ("partials/sales/v2", "features/sales/v2", "published/sales/v2")


def declare(lake: PlayLake, *edits: tuple[str, str]) -> PlayLake:
    for old, new in [("version=1", "version=2"), ("import Count, Sum", "import Count, Max, Sum"), *edits]:
        spoil(contract_of(lake), old, new)
    return lake


def said(lake: PlayLake) -> list[str]:
    """The days of which the plan says that their partials are taken over."""
    with datasets_in(lake.root / "datasets"):
        return [str(day) for day in plan_dataset("sales", asked(lake, FIRST)[0].settings).taken_over]


def taken(lake: PlayLake) -> list[str]:
    """The days whose partials were."""
    commits = delta_log.commits(str(lake.lake_folder / "partials/sales/v2"))
    return sorted(commit.books["ds"] for commit in commits if commit.books.get("taken_from") == "partials/sales/v1")


def of_everything(lake: PlayLake, root: Path) -> dict[str, list[str]]:
    """The new version's tables, made on a copy of which no version has partials, features or publications."""
    whole = lake.copied(root)
    for made in ("partials", "features", "published"):
        shutil.rmtree(whole.lake_folder / made)
    assert backfilled(whole) == steps(AFTER_CLEAN, *DAYS)
    assert taken(whole) == []
    return rows_of(whole)


def rows_of(lake: PlayLake) -> dict[str, list[str]]:
    content = lake.content()
    return {path: content[path] for path in NEW_TABLES}


@pytest.mark.parametrize(
    ("new", "rows"),
    [
        (SHORTER, f"ds | sales_2d | sales_3d\n{FIRST} | 2 | 2\n{SECOND} | 3 | 3\n{THIRD} | 2 | 4"),
        pytest.param(RENAMED, f"ds | sales_of_3_days\n{FIRST} | 2\n{SECOND} | 3\n{THIRD} | 4", marks=pytest.mark.slow),
    ],
    ids=["a new feature", "a renamed feature"],
)
def test_a_new_feature_takes_over_all_that_is_the_same(lake: PlayLake, new: str, rows: str) -> None:
    declare(lake, (OLD, new))
    plan = planned(lake)
    assert said(lake) == [*DAYS]
    assert plan[When.NOW] == backfilled(lake) == steps(AFTER_CLEAN, *DAYS)
    assert taken(lake) == [*DAYS]
    assert_rows(lake.rows("published", path="published/sales/v2"), rows)
    assert (planned(lake), said(lake)) == ({when: set() for when in When}, [])


def test_a_new_aggregate_is_computed_from_the_stored_rows(lake: PlayLake) -> None:
    declare(lake, (OLD, LARGEST))
    plan = planned(lake)
    assert said(lake) == []
    assert plan[When.NOW] == backfilled(lake) == steps(AFTER_CLEAN, *DAYS)
    assert taken(lake) == []
    rows = f"ds | largest | sum_3d\n{FIRST} | 9000 | 9005\n{SECOND} | 9000 | 9010\n{THIRD} | 9000 | 9015"
    assert_rows(lake.rows("published", path="published/sales/v2"), rows)


def test_a_changed_day_has_its_partials_made_anew(lake: PlayLake, tmp_path: Path) -> None:
    declare(lake, (OLD, SHORTER))
    land(lake, SECOND, sale("c", SECOND, 8), sale("e", FIRST))
    plan = planned(lake)
    assert said(lake) == [FIRST], "rows of the second day count on the third too"
    assert backfilled(lake) == plan[When.NOW] | plan[When.IF_CHANGED]
    assert taken(lake) == [FIRST]
    assert rows_of(lake) == of_everything(lake, tmp_path / "whole")


EDITS = {
    "lateness": ("lateness_days=2", "lateness_days=1"),
    "a window that reaches further": ("Count(3)", "Count(5)"),
    "a rule": ("maximum=9999", "maximum=9998"),
    "a statement beside it": ("CONTRACT = ", "LIMIT = 9\nCONTRACT = "),
}


@pytest.mark.parametrize("name", EDITS)
def test_the_plan_runs_every_step_for_what_decides_rows(lake: PlayLake, name: str) -> None:
    declare(lake, (OLD, SHORTER), EDITS[name])
    assert said(lake) == []
    assert planned(lake, THIRD)[When.NOW] == steps(tuple(STEPS), THIRD)


@pytest.mark.parametrize("name", ["lateness", *(pytest.param(name, marks=pytest.mark.slow) for name in [*EDITS][1:])])
def test_what_decides_rows_makes_every_step_run(lake: PlayLake, name: str) -> None:
    declare(lake, (OLD, SHORTER), EDITS[name])
    assert backfilled(lake, THIRD) == steps(tuple(STEPS), THIRD)
    assert taken(lake) == []
