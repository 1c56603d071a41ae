"""The plan is right: after each kind of change, the backfill runs the steps that it names, nothing more and nothing less."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from common.errors import ContractViolationError
from common.features.definition import DefinitionChangedError
from common.orchestration import cli, run_log
from common.orchestration.chain import check_declarations, run_chain
from common.orchestration.run_log import RunRecord
from common.orchestration.stages import STEPS
from common.planning.foresight import Foresight, When
from common.runtime import code_version
from common.runtime.run import Run
from jobs.backfill import CHAIN
from jobs.clean import CLEAN
from jobs.ingest import INGEST
from tests.model.world import CONTRACT, day_of, write_sales
from tests.support.datasets import datasets_in, spoil
from tests.support.play_lake import PlayLake

FIRST, SECOND, THIRD = DAYS = tuple(day_of(number) for number in range(3))
ALL = f"{FIRST}..{THIRD}"
# What a changed contract or engine runs again in any case, and what follows a changed day.
BY_CODE = tuple(STEPS)[:-1]
AFTER_CLEAN = ("features", "validate-features", "publish")
RULE = 'type="long", minimum=0, maximum=9999'
HELPER = "\n\ndef helper(rows):\n    return rows\n"
Steps = set[tuple[str, str]]


def land(lake: PlayLake, ds: str, *rows: str) -> None:
    lake.land_bytes(ds, "\n".join(["key,user,amount,time", *rows, ""]).encode())


def sale(key: str, ds: str, amount: int = 5) -> str:
    return f"{key},1,{amount},{ds}T10:00:00Z"


def asked(lake: PlayLake, ds: str) -> list[Run]:
    arguments = {"dataset": "sales", "ds": ds, "lake": str(lake.lake_folder), "landing": str(lake.landing)}
    return cli.plan("backfill", {**arguments, "env": "local", "full_refresh": False, "long_range": False})


def planned(lake: PlayLake, ds: str = ALL) -> dict[When, Steps]:
    steps: dict[When, Steps] = {when: set() for when in When}
    with datasets_in(lake.root / "datasets"):
        runs = asked(lake, ds)
        for day in Foresight(runs[0]).days([run.ds for run in runs], alone=False):
            for step in day.steps:
                steps[step.when].add((str(day.ds), step.name))
    return steps


def backfilled(lake: PlayLake, ds: str = ALL) -> Steps:
    """The steps that a backfill really ran, by the lines of its jobs; the last one may have failed."""
    before = run_log.records_of(str(lake.lake_folder), "sales")
    with datasets_in(lake.root / "datasets"):
        runs = asked(lake, ds)
        check_declarations(CHAIN, runs)
        with suppress(ContractViolationError):
            run_chain(CHAIN, runs)

    def ran(key: tuple[str, str], record: RunRecord) -> bool:
        failed_now = record.failure is not None and record.failure != before.get(key, RunRecord()).failure
        return failed_now or (record.run_id == runs[0].run_id and record.line["outcome"] != "nothing")

    found = {key for key, record in run_log.records_of(str(lake.lake_folder), "sales").items() if ran(key, record)}
    return {(day, job) for day, job in found if job in STEPS}


def steps(names: tuple[str, ...], *days: str) -> Steps:
    return {(day, name) for day in days for name in names}


@pytest.fixture(scope="module", autouse=True)
def changed_code_is_read_anew() -> Iterator[None]:
    """Python tells a changed file from its compiled one by its size and second."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(scope="module")
def ran_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Path:
    lake = PlayLake(tmp_path_factory.mktemp("sales"), "sales")
    write_sales(lake.root / "datasets", CONTRACT)
    with (lake.root / "datasets/sales/transforms.py").open("a") as file:
        file.write(HELPER)
    land(lake, FIRST, sale("a", FIRST), sale("b", FIRST, 9000))
    land(lake, SECOND, sale("c", SECOND))
    land(lake, THIRD, sale("d", THIRD))
    assert planned(lake)[When.NOW] == backfilled(lake) == steps(tuple(STEPS), *DAYS)
    assert planned(lake) == {when: set() for when in When}
    return lake.root


@pytest.fixture
def lake(tmp_path: Path, ran_once: Path) -> PlayLake:
    shutil.copytree(ran_once, tmp_path, dirs_exist_ok=True)
    return PlayLake(tmp_path, "sales")


def contract_of(lake: PlayLake) -> Path:
    return lake.root / "datasets/sales/contract.py"


def test_a_comment_runs_nothing(lake: PlayLake) -> None:
    for file in (lake.root / "datasets/sales").glob("*.py"):
        file.write_text(f"# A comment.\n{file.read_text()}\n# Another.\n")
    assert planned(lake) == {when: set() for when in When}
    assert backfilled(lake) == set()


def test_a_changed_day_runs_it_and_the_windows_that_hold_it(lake: PlayLake) -> None:
    land(lake, FIRST, sale("a", FIRST, 7), sale("b", FIRST, 9000))
    plan = planned(lake, FIRST)
    assert plan[When.NOW] == {(FIRST, "ingest")}
    assert plan[When.IF_CHANGED] == steps(tuple(STEPS)[1:], FIRST) | steps(AFTER_CLEAN, SECOND, THIRD)
    assert plan[When.IF_REPEATED] == steps(("clean", "validate-processed"), SECOND, THIRD)
    assert backfilled(lake, FIRST) == plan[When.NOW] | plan[When.IF_CHANGED]


def test_a_record_that_comes_again_later_runs_its_later_day(lake: PlayLake) -> None:
    land(lake, FIRST, sale("a", FIRST, 7), sale("b", FIRST, 9000), f"c,1,1,{FIRST}T10:00:00Z")
    plan = planned(lake, FIRST)
    repeated = {(SECOND, "clean")}
    assert backfilled(lake, FIRST) == plan[When.NOW] | plan[When.IF_CHANGED] | repeated
    assert repeated < plan[When.IF_REPEATED]


def test_late_rows_run_the_days_whose_windows_they_reach(lake: PlayLake) -> None:
    """They were cleaned after the features of later days were made."""
    land(lake, SECOND, sale("c", SECOND), sale("e", FIRST))
    with datasets_in(lake.root / "datasets"):
        for job in (INGEST, CLEAN):
            lake.run(job, SECOND, code=asked(lake, SECOND)[0].code)
    plan = planned(lake)
    assert plan[When.NOW] == steps(("validate-raw", "validate-processed"), SECOND) | steps(("features",), SECOND, THIRD)
    assert plan[When.IF_CHANGED] == steps(("validate-features", "publish"), SECOND, THIRD)
    assert backfilled(lake) == plan[When.NOW] | plan[When.IF_CHANGED]


def test_a_raised_engine_version_runs_every_step(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_version, "ENGINE_VERSION", code_version.ENGINE_VERSION + 1)
    assert planned(lake)[When.NOW] == steps(BY_CODE, *DAYS)
    plan = planned(lake, THIRD)
    assert plan[When.IF_CHANGED] == {(THIRD, "publish")}
    assert backfilled(lake, THIRD) == plan[When.NOW], "the rows are the same, so there is nothing to publish"


def test_a_new_column_runs_every_step(lake: PlayLake) -> None:
    column = 'Column(name="shop", type="string", description="Where it was sold"),\n    ),\n    key='
    spoil(contract_of(lake), "),\n    key=", f"    {column}")
    plan = planned(lake, THIRD)
    assert plan[When.NOW] == backfilled(lake, THIRD) == steps(BY_CODE, THIRD)
    assert plan[When.IF_CHANGED] == {(THIRD, "publish")}


def test_a_changed_rule_that_refuses_a_row_publishes_its_windows(lake: PlayLake) -> None:
    spoil(contract_of(lake), RULE, RULE.replace("9999", "8999"))
    plan = planned(lake)
    assert plan[When.NOW] == steps(BY_CODE, *DAYS)
    assert backfilled(lake) == plan[When.NOW] | plan[When.IF_CHANGED]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("contract.py", "Count(3)", "Count(5)"),
        ("contract.py", 'Feature("sales_3d"', 'Feature("sales_2d", Count(2)), Feature("sales_3d"'),
        ("transforms.py", "def helper", "def renamed"),
    ],
    ids=["a wider window", "a new feature", "a renamed function"],
)
def test_a_changed_definition_runs_only_as_a_new_version(lake: PlayLake, file: str, old: str, new: str) -> None:
    spoil(lake.root / "datasets/sales" / file, old, new)
    with pytest.raises(DefinitionChangedError):
        backfilled(lake, THIRD)
    spoil(contract_of(lake), "version=1", "version=2")
    plan = planned(lake, THIRD)
    assert plan[When.NOW] == backfilled(lake, THIRD) == steps(tuple(STEPS), THIRD)


def test_a_failed_gate_is_judged_again_and_nothing_after_it(lake: PlayLake) -> None:
    land(lake, THIRD, sale("d", THIRD, 4), sale("bad", THIRD, -1), sale("worse", THIRD, -1))
    assert backfilled(lake) == steps(BY_CODE[:4], THIRD)
    plan = planned(lake)
    assert plan[When.NOW] == backfilled(lake) == {(THIRD, "validate-processed")}
    assert plan[When.IF_CHANGED] == steps(AFTER_CLEAN, THIRD)
    land(lake, THIRD, sale("d", THIRD, 6))
    plan = planned(lake)
    assert backfilled(lake) == plan[When.NOW] | plan[When.IF_CHANGED] == steps(tuple(STEPS), THIRD)
