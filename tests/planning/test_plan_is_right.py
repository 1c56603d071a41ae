"""The plan is right: after each kind of change, the backfill runs the steps that it names, nothing more and nothing less."""

from __future__ import annotations

import pytest

from common.features.definition import DefinitionChangedError
from common.orchestration.stages import STEPS
from common.planning.foresight import When
from common.runtime import code_version
from jobs.clean import CLEAN
from jobs.ingest import INGEST
from tests.support.datasets import datasets_in, spoil
from tests.support.planned import (
    AFTER_CLEAN,
    BY_CODE,
    DAYS,
    FIRST,
    RULE,
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
        ("transforms.py", "def helper", "def renamed"),
    ],
    ids=["a wider window", "a renamed function"],
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
