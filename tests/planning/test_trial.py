"""A trial says what the changed code would publish otherwise, and leaves the lake as it was."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from common.days import parse_days
from common.errors import LockedError, UsageError
from common.lake import linked_copy
from common.lake.storage import locks
from common.orchestration import cli
from common.orchestration.chain import check_declarations, run_chain
from common.planning import trial
from common.planning.plan import plan_dataset
from common.planning.trial import Comparison
from common.published.version_diff import VersionDiff
from common.reader.cli import main
from common.runtime.settings import load_settings
from jobs.backfill import CHAIN
from tests.model.world import CONTRACT, Killed, write_sales
from tests.support.boundaries import boundaries, only
from tests.support.datasets import datasets_in, spoil
from tests.support.play_lake import PlayLake

FIRST, SECOND = DAYS = ("2026-01-05", "2026-01-06")
ALL = f"{FIRST}..{SECOND}"
SALES = pd.read_csv(
    StringIO("""
day,key,user,amount
2026-01-05,a,1,5
2026-01-05,b,2,9000
2026-01-06,c,1,7
2026-01-06,d,3,20
2026-01-06,e,3,1
2026-01-06,f,4,0
""")
)
MEASURE = "def measure(rows):\n    return rows"
DOUBLED = 'def measure(rows):\n    return rows.withColumn("amount", rows["amount"] * 2)'
HELPER = "\n\ndef helper(rows):\n    return rows\n"
Files = dict[str, tuple[str, int, int]]


@pytest.fixture(scope="module", autouse=True)
def changed_code_is_read_anew() -> Iterator[None]:
    """Python tells a changed file from its compiled one by its size and second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "dont_write_bytecode", True)
        yield


@dataclass
class TriedLake(PlayLake):
    def asked(self, lake: str, ds: str) -> Any:
        arguments = {"dataset": "sales", "ds": ds, "lake": lake, "landing": str(self.landing), "env": "local"}
        return cli.plan("backfill", {**arguments, "full_refresh": False, "long_range": False})

    def backfill(self, lake: str, ds: str) -> None:
        runs = self.asked(lake, ds)
        check_declarations(CHAIN, runs)
        run_chain(CHAIN, runs)

    def tried(self, ds: str = ALL, name: str = "idea") -> Comparison:
        """As the command does, but for the process of the backfill."""
        with datasets_in(self.root / "datasets"):
            settings = load_settings("local", lake=str(self.lake_folder), landing=str(self.landing))
            plan = plan_dataset("sales", settings, parse_days(ds))
            made = trial.begin(settings.lake, name, [plan])
            for first, last in plan.ranges():
                self.backfill(made.place, f"{first}..{last}")
            [compared] = made.compare()
        return compared

    @property
    def copy(self) -> Path:
        return self.lake_folder / ".trials/idea"

    def files(self) -> Files:
        """Every file of the lake but those of trials: its bytes, its time and its inode."""
        found = (path for path in self.lake_folder.rglob("*") if path.is_file())
        names = {str(path.relative_to(self.lake_folder)): path for path in found}
        return {
            name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns, path.stat().st_ino)
            for name, path in names.items()
            if not name.startswith((".trials/", "locks/"))
        }

    def change(self, file: str, old: str, new: str) -> None:
        spoil(self.root / "datasets/sales" / file, old, new)


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = TriedLake(tmp_path_factory.mktemp("sales"), "sales")
    write_sales(lake.root / "datasets", CONTRACT)
    for ds, rows in SALES.groupby("day"):
        lines = [f"{row.key},{row.user},{row.amount},{ds}T10:00:00Z" for row in rows.itertuples()]
        lake.land_bytes(str(ds), "\n".join(["key,user,amount,time", *lines, ""]).encode())
    with datasets_in(lake.root / "datasets"):
        lake.backfill(str(lake.lake_folder), ALL)
    return lake.root


@pytest.fixture
def lake(tmp_path: Path, ran_once: Path) -> TriedLake:
    shutil.copytree(ran_once, tmp_path, dirs_exist_ok=True)
    return TriedLake(tmp_path, "sales")


def expected(sales: pd.DataFrame = SALES, window: int = 3) -> pd.DataFrame:
    """The features of every day, by pandas: `sum_3d` over `window` days."""
    of_days = []
    for number, ds in enumerate(DAYS):
        known = sales[sales.day.isin(DAYS[: number + 1])]
        within = known[known.day.isin(DAYS[max(0, number + 1 - window) : number + 1])]
        rows = known.groupby("user").agg(sales_3d=("key", "size")).assign(sum_3d=within.groupby("user").amount.sum())
        of_days.append(rows.fillna(0).astype("int64").reset_index().assign(ds=ds))
    return pd.concat(of_days).set_index(["ds", "user"])


def test_a_changed_measure_shows_its_column_and_days_alone(lake: TriedLake) -> None:
    before = lake.files()
    lake.change("transforms.py", MEASURE, DOUBLED)
    found = lake.tried(SECOND)
    was, now = expected(), expected(SALES.assign(amount=SALES.amount * 2))
    differing = (was.loc[SECOND:] != now.loc[SECOND:]).sum()  # type: ignore[misc]
    assert found.diff.columns == {"sum_3d": differing.sum_3d}
    assert [str(day) for day in found.diff.days] == [SECOND]
    assert (found.diff.added, found.diff.removed, found.diff.changed) == (0, 0, differing.sum_3d)
    assert [*found.spread] == ["sum_3d"]
    for values, frame in zip(found.spread["sum_3d"], (was, now), strict=True):
        column = frame.loc[SECOND:].sum_3d  # type: ignore[misc]
        assert values is not None
        assert values.mean == pytest.approx(column.mean())
        assert values.quantiles == pytest.approx(column.quantile([0.05, 0.5, 0.95]).tolist())
        assert (values.rows, values.nulls, values.distinct) == (len(column), 0, column.nunique())
    assert lake.files() == before, "nothing of the lake is touched"


def test_a_narrower_window_changes_what_pandas_says(lake: TriedLake) -> None:
    lake.change("contract.py", "Sum(3,", "Sum(1,")
    found = lake.tried()
    assert found.diff.columns == {"sum_3d": (expected().sum_3d != expected(window=1).sum_3d).sum()}


def test_a_stricter_rule_removes_rows_and_touches_nothing(lake: TriedLake) -> None:
    before = lake.files()
    lake.change("contract.py", "maximum=9999", "maximum=8999")
    found = lake.tried()
    removed = len(expected()) - len(expected(SALES[SALES.amount <= 8999]))
    assert (found.diff.added, found.diff.removed, found.diff.changed) == (0, removed, 0)
    assert removed == 2
    assert lake.files() == before


def test_a_new_feature_is_shown_beside_equal_ones(lake: TriedLake) -> None:
    lake.change("contract.py", 'Feature("sales_3d"', 'Feature("sales_1d", Count(1)), Feature("sales_3d"')
    found = lake.tried(SECOND)
    assert (found.diff.columns, found.diff.new_columns) == ({}, ["sales_1d"])
    before, after = found.spread["sales_1d"]
    assert before is None
    assert after is not None
    assert after.mean == pytest.approx((1 + 0 + 2 + 1) / 4)
    lake.change("contract.py", "version=1", "version=2")
    assert lake.tried(SECOND, "as_declared") == Comparison(
        "sales", "sales@v2", "sales@v1", found.version, found.diff, found.spread, found.rows
    )


def test_a_comment_shows_no_differences(lake: TriedLake) -> None:
    lake.change("transforms.py", MEASURE, f"# A comment.\n{MEASURE}")
    assert lake.tried().diff == VersionDiff()
    lake.change("transforms.py", MEASURE, f"{MEASURE}{HELPER}")
    found = lake.tried(SECOND, "made_anew")
    assert (found.diff.changed, found.diff.added, found.diff.removed, found.spread) == (0, 0, 0, {})


def test_no_data_is_copied(lake: TriedLake) -> None:
    lake.tried()
    linked = [path for path in lake.copy.rglob("*") if path.suffix == ".parquet"]
    assert linked
    for path in linked:
        assert path.stat().st_ino == (lake.lake_folder / path.relative_to(lake.copy)).stat().st_ino, path


def test_a_trial_killed_anywhere_is_made_anew(lake: TriedLake) -> None:
    before = lake.files()
    lake.change("transforms.py", MEASURE, DOUBLED)

    def kill() -> None:
        raise Killed

    with boundaries(only(3, kill)), pytest.raises(Killed):
        lake.tried(SECOND)
    half_done = sorted(lake.copy.rglob("_delta_log/*.json"))
    assert lake.tried(SECOND).diff.columns == {"sum_3d": 3}
    assert half_done != sorted(lake.copy.rglob("_delta_log/*.json"))
    assert lake.files() == before


def test_no_reader_of_the_lake_sees_a_trial(lake: TriedLake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.change("contract.py", "version=1", "version=2")
    lake.tried(SECOND)
    assert main(["list", "--lake", str(lake.lake_folder), "--json"]) == 0
    assert "sales@v2" not in capsys.readouterr().out


def test_a_dropped_trial_leaves_the_lake(lake: TriedLake, capsys: pytest.CaptureFixture[str]) -> None:
    before = lake.files()
    lake.tried(SECOND)
    words = ["plan", "--lake", str(lake.lake_folder), "--trial", "idea", "--drop"]
    assert main(words) == 0
    assert not lake.copy.exists()
    assert lake.files() == before
    assert main(words) == UsageError.exit_code
    assert "there is no trial idea" in capsys.readouterr().err


def test_a_trial_at_work_is_not_replaced(lake: TriedLake) -> None:
    lake.tried(SECOND)
    with locks.hold(str(lake.copy), f"sales/clean/{SECOND}", 0):
        child = os.fork()
        if child == 0:
            try:
                linked_copy.drop(str(lake.lake_folder), "idea")
            except LockedError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_an_object_store_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="files can't be linked; expected a lake in a local folder"):
        linked_copy.place_of("s3://bucket/lake", "idea")
