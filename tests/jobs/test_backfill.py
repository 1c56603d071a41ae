"""A range in one session equals its single days, resumes where it stopped and reruns stale days."""

import shutil
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import ContractViolationError
from common.orchestration.chain import run_chain
from common.orchestration.job import Line
from common.orchestration.json_line import summary
from common.orchestration.stages import STEPS as PLANNED
from common.reports.status import STEPS, day_statuses
from jobs.backfill import CHAIN
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAYS = ("2026-01-04", "2026-01-05")
AFTER = "2026-01-06"


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory, spark: object) -> Callable[[], PlayLake]:
    def land() -> PlayLake:
        lake = PlayLake(tmp_path_factory.mktemp("lake"))
        lake.land("2026-01-04", "transaction_id | purchase_amount\na | 1\nb | 2\nb | 2")
        lake.land(
            "2026-01-05",
            "transaction_id | purchase_amount | timestamp\na | 9 | 2026-01-04T10:00:00Z\nc | 3 | 2026-01-05\n"
            "e | 1 | 2026-01-04T03:00:00Z",
        )
        return lake

    return land


def backfill(lake: PlayLake, *ds: str, workers: Executor | None = None, **options: bool) -> list[Line]:
    runs = [replace(lake.plan("backfill", day, **options), run_id=f"backfill {day}") for day in ds]
    return run_chain(CHAIN, runs, workers)


@pytest.fixture(scope="module")
def whole(landed: Callable[[], PlayLake]) -> tuple[PlayLake, list[Line]]:
    """All days in one session, in which an idle worker begins the next day early."""
    lake = landed()
    with ThreadPoolExecutor(2) as workers:
        return lake, backfill(lake, *DAYS, workers=workers)


def test_a_range_equals_its_single_days_and_a_rerun_does_nothing(
    landed: Callable[[], PlayLake], whole: tuple[PlayLake, list[Line]]
) -> None:
    by_day, (ranged, lines) = landed(), whole
    for ds in DAYS:
        by_day.day(ds)
        for table in ("raw", "processed"):
            by_day.validate(ds, table)
        by_day.publish(ds)
    assert ranged.content() == by_day.content()
    line = summary("all", lines)
    assert line["days"] == dict.fromkeys(DAYS, "done")
    assert line["counts"]["clean_late"] == 2
    before = ranged.state()
    assert summary("all", backfill(ranged, *DAYS))["outcome"] == "nothing"
    assert summary("all", backfill(ranged, DAYS[1], full_refresh=True))["written"] == {}
    assert ranged.state() == before


def test_a_backfill_resumes_and_reruns_the_days_it_made_stale(
    landed: Callable[[], PlayLake], whole: tuple[PlayLake, list[Line]]
) -> None:
    stopped = landed()
    backfill(stopped, "2026-01-05")
    shutil.rmtree(stopped.folder("2026-01-05"))  # cleared away
    lines = backfill(stopped, "2026-01-04")
    assert [line["ds"] for line in lines] == list(DAYS)
    assert stopped.content() == whole[0].content()


def test_status_knows_every_step_of_the_chain() -> None:
    keys = [step.job.key(PlayLake(Path()).plan(step.job.name, DAYS[0], **step.options)) for step in CHAIN]
    assert list(STEPS) == keys
    assert [*PLANNED, "compact"] == keys


def test_the_plan_asks_for_each_step_what_its_job_asks() -> None:
    for step in CHAIN:
        run = PlayLake(Path()).plan(step.job.name, DAYS[0], **step.options)
        if stage := step.job.stage(run):
            planned = PLANNED[step.job.key(run)]
            assert (planned.job, planned.target, planned.beside) == (stage.job, stage.target, stage.beside)
            tables = [[watch.table for watch in each.sources(run.contract, run.ds)] for each in (planned, stage)]
            assert tables[0] == tables[1]


def test_a_bad_day_stops_before_downstream_and_status_shows_it(landed: Callable[[], PlayLake]) -> None:
    lake = landed()
    lake.land("2026-01-05", "transaction_id | category\nx | toys")
    lake.land(AFTER, "transaction_id\nd")
    with pytest.raises(ContractViolationError):
        backfill(lake, *DAYS, AFTER)
    assert_rows(lake.rows("features", path="features/transactions/v1"), "ds\n2026-01-04")
    found = {day.ds: day for day in day_statuses(str(lake.root / "lake"), "transactions")}
    assert list(found) == ["2026-01-04", "2026-01-05"]
    assert found["2026-01-04"].failure == ""
    assert found["2026-01-04"].count("duplicates") == 1
    assert found["2026-01-05"].failure.startswith("validate-processed: transactions processed of 2026-01-05: 1 of")
