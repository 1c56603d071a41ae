"""What is asked of many days at once has the same answers as what each job asks about its own day."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import CommitProperties, DeltaTable

from common.contracts import layout
from common.orchestration import admission, staleness
from common.orchestration.changes import Logs
from common.orchestration.stages import STEPS
from common.orchestration.whole_logs import WholeLogs
from common.planning.plan import plan_dataset
from tests.support.long_lake import LongLake

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(12)]
FIFTH, LAST = DAYS[4], DAYS[-1]


@pytest.fixture
def lake(tmp_path: Path) -> LongLake:
    lake = LongLake(tmp_path, "transactions")
    lake.write(DAYS)
    return lake


def nothing(lake: LongLake) -> None:
    """All days are up to date."""


def late_rows(lake: LongLake) -> None:
    touched = {"touched": [str(DAYS[2]), str(DAYS[3])], "run_id": "late"}
    lake.commit(layout.processed(lake.contract), "clean", FIFTH, [layout.raw(lake.contract)], touched)


def resettled_far_away(lake: LongLake) -> None:
    """Beyond lateness: a record that moved too far to correct an earlier one."""
    lake.commit(layout.processed(lake.contract), "clean", FIRST, [], {"resettled": [str(LAST)], "run_id": "again"})


def clean_half_done(lake: LongLake) -> None:
    lake.commit(layout.processed(lake.contract), "clean", FIFTH, [], {"counts": {}, "run_id": "half", "touched": None})


def compaction(lake: LongLake) -> None:
    lake.commit(layout.features(lake.contract), "compact", FIFTH, [], {"touched": None})


def another_program(lake: LongLake) -> None:
    written = CommitProperties(custom_metadata={"userMetadata": json.dumps({"by": "somebody"})})
    table = DeltaTable(f"{lake.lake}/{layout.superseded(lake.contract).path}")
    table.create_write_transaction([], "append", table.schema(), commit_properties=written)


def log_cleared(lake: LongLake) -> None:
    for version in range(6):
        (Path(lake.lake) / layout.processed(lake.contract).path / "_delta_log" / f"{version:020}.json").unlink()


def made_anew(lake: LongLake) -> None:
    table = layout.superseded(lake.contract)
    shutil.rmtree(f"{lake.lake}/{table.path}")
    lake.create(table)


def verdict_removed(lake: LongLake) -> None:
    DeltaTable(f"{lake.lake}/verdicts/transactions").delete(f"ds = '{FIFTH}'")


def verdicts_gone(lake: LongLake) -> None:
    for version in range(10):
        (Path(lake.lake) / "verdicts/transactions/_delta_log" / f"{version:020}.json").unlink()


CHANGES = [
    nothing,
    late_rows,
    resettled_far_away,
    clean_half_done,
    compaction,
    another_program,
    log_cleared,
    made_anew,
    verdict_removed,
    verdicts_gone,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_day_has_the_reasons_that_its_job_would_see(lake: LongLake, change: Callable[[LongLake], None]) -> None:
    change(lake)
    whole = WholeLogs(lake.run(FIRST))
    for ds in DAYS:
        for name, stage in STEPS.items():
            run = lake.run(ds)
            single = Logs(run)
            asked = [logs.state(stage, ds) for logs in (single, whole)]
            assert asked[0] == asked[1], f"{name} of {ds}"
            answers = [[*staleness.reasons(stage, run, asked[0], logs)] for logs in (single, whole)]
            assert answers[0] == answers[1], f"{name} of {ds}"
            days = stage.arrivals(run.contract, ds)
            assert admission.left_out(days, single) == admission.left_out(days, whole)


def test_each_commit_is_read_once(lake: LongLake) -> None:
    opened: list[str] = []
    watching = True

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(".json"):
            opened.append(arguments[0])

    sys.addaudithook(watch)
    plan = plan_dataset("transactions", lake.run(FIRST).settings)
    watching = False
    assert plan.steps == []
    commits = [path for path in opened if path.startswith(lake.lake) and "_delta_log" in path]
    assert len(commits) == len(set(commits)) == sum(lake.at.values()) + len(lake.at)
