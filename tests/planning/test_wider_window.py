"""A window of 30 days that becomes one of 60: the plan names the partitions, and the backfill writes these and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.lake.log import data_files
from common.orchestration.stages import STEPS
from common.planning.costs import partitions
from common.planning.foresight import Foresight, When
from tests.model.world import CONTRACT, write_sales
from tests.support.datasets import datasets_in, spoil
from tests.support.planned import AFTER_CLEAN, asked, backfilled, contract_of, land, planned, sale, steps
from tests.support.play_lake import PlayLake

# The first day is 40 days before the last one: a window of 30 days leaves it out, one of 60 holds it.
DAYS = ("2026-01-05", "2026-02-14")
RANGE = f"{DAYS[0]}..{DAYS[-1]}"
MONTH, TWO_MONTHS = "Count(30)", "Count(60)"


@pytest.fixture(
    params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["the longest window", "a window within another"]
)
def lake(tmp_path: Path, request: pytest.FixtureRequest, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path, "sales")
    longer = ', Feature("sales_90d", Count(90))' if request.param else ""
    write_sales(tmp_path / "datasets", CONTRACT.replace("Count(3))", f"{MONTH}){longer}"))
    for number, ds in enumerate(DAYS):
        land(lake, ds, sale(f"k{number}", ds))
    backfilled(lake, RANGE)
    spoil(contract_of(lake), MONTH, TWO_MONTHS)
    spoil(contract_of(lake), "version=1", "version=2")
    return lake


def files(lake: PlayLake) -> dict[str, set[str]]:
    """The data files of each partition of each table."""
    found: dict[str, set[str]] = {}
    for path in lake.state():
        for file in data_files.files(f"{lake.lake_folder}/{path}"):
            part = "/".join([path, *(f"{name}={value}" for name, value in file.partition.items())])
            found.setdefault(part, set()).add(file.path)
    return found


def named(lake: PlayLake) -> set[str]:
    """The partitions of new tables that the plan names."""
    with datasets_in(lake.root / "datasets"):
        runs = asked(lake, RANGE)
        days = [*Foresight(runs[0]).days([run.ds for run in runs], alone=False)]
        found = {part for day in days for step in day.steps for part in partitions(step, runs[0].contract)}
    return {part for part in found if "/v2/" in part}


def test_the_plan_names_the_partitions_that_are_written(lake: PlayLake) -> None:
    whole = "Count(90)" not in contract_of(lake).read_text()
    plan, expected, before = planned(lake, RANGE), named(lake), files(lake)
    ran = {(ds, job) for ds, job in backfilled(lake, RANGE) if ds in DAYS}  # nothing has landed between them
    assert plan[When.NOW] == ran == steps(tuple(STEPS) if whole else AFTER_CLEAN, *DAYS)
    assert expected == {f"{table}/sales/v2/ds={ds}" for table in ("features", "published") for ds in DAYS}
    after = files(lake)
    written = {part for part in after if after[part] != before.get(part)}
    own = {part for part in written if not part.startswith(("partials/sales/v2/", "verdicts/", "profiles/"))}
    assert own == expected
    rows = lake.rows("features", f"ds = '{DAYS[-1]}'", "features/sales/v2")
    assert [row["sales_3d"] for row in rows] == [2]
