"""A lake whose days were multiplied has the logs of one whose days were all run."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tests.benchmarks.long_history import TEMPLATE, land, run_steps
from tests.support.many_days import GrownLake

pytestmark = pytest.mark.slow
FIRST, DAYS, ROWS = date(2026, 1, 1), 35, 1_000
LAST = FIRST + timedelta(days=DAYS - 1)


def test_multiplied_days_leave_the_logs_of_days_that_were_run(tmp_path: Path) -> None:
    run, template, grown = (tmp_path / name for name in ("run", "template", "grown"))
    land(tmp_path, FIRST, DAYS, ROWS)
    for number in range(DAYS):
        if number == TEMPLATE:
            shutil.copytree(run, template)
        run_steps(run, FIRST + timedelta(days=number))
    GrownLake(template, grown).days(DAYS, LAST)
    tables = sorted(str(log.parent.relative_to(run)) for log in run.rglob("_delta_log"))
    assert tables == sorted(str(log.parent.relative_to(grown)) for log in grown.rglob("_delta_log"))
    for table in tables:
        assert checkpoints(grown / table)[-1:] == checkpoints(run / table)[-1:], table
        ours, theirs = actions(grown / table), actions(run / table)
        assert ours.keys() == theirs.keys(), table
        # A partition is packed, or a late row comes, on one day more or less.
        for kind, count in theirs.items():
            assert ours[kind] == pytest.approx(count, rel=0.1, abs=2), (table, kind)
        assert len(live(grown / table)) == pytest.approx(len(live(run / table)), rel=0.1, abs=2), table
        assert all((grown / table / path).exists() for path in live(grown / table)), table
    assert beside(grown) == beside(run)


def actions(table: Path) -> Counter[tuple[str, str]]:
    """How many actions of each kind each job has committed."""
    found = Counter[tuple[str, str]]()
    for log in (table / "_delta_log").glob("*.json"):
        lines = [*map(json.loads, log.read_text().splitlines())]
        info = next(line["commitInfo"] for line in lines if "commitInfo" in line)
        found.update((json.loads(info["userMetadata"])["job"], kind) for line in lines for kind in line)
    return found


def live(table: Path) -> list[str]:
    return DeltaTable(str(table)).get_add_actions()["path"].to_pylist()


def checkpoints(table: Path) -> list[str]:
    return sorted(path.name for path in (table / "_delta_log").glob("*.checkpoint.parquet"))


def beside(lake: Path) -> Counter[str]:
    """How many files the days leave outside the tables."""
    places = [lake / name for name in ("runs", "results", "lineage", "gx/uncommitted/validations")]
    files = (path for place in places for path in place.rglob("[!.]*.json*") if path.is_file())
    return Counter("/".join(path.relative_to(lake).parts[:3]) for path in files)
