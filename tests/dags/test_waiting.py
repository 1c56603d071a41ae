"""Waiting for a late source holds no worker; after the deadline the day fails or is skipped, as declared."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from common.contracts import datasets
from common.sources.databases.jdbc import Jdbc
from dags import waiting
from dags.schedule import Daily, schedule
from dags.waiting import LandingTrigger, Wait

DAY = "2026-01-05"


def wait(landing: Path, missing: str = "wait", quiet_seconds: float = 0) -> Wait:
    changes = {"missing": missing, "wait_minutes": 30.0, "quiet_seconds": quiet_seconds}
    how: Daily = schedule().datasets["churn"].model_copy(update=changes)
    return Wait(task_id="wait", dataset="churn", landing=str(landing), how=how, ds=DAY)


def land(landing: Path, name: str = "part.csv") -> None:
    (landing / "churn" / f"ds={DAY}").mkdir(parents=True, exist_ok=True)
    (landing / "churn" / f"ds={DAY}" / name).write_text("customer_id\n")


def test_a_landed_day_is_not_waited_for(tmp_path: Path) -> None:
    land(tmp_path)
    wait(tmp_path).execute({})


def test_a_file_still_being_written_has_not_landed(tmp_path: Path) -> None:
    land(tmp_path, "_part.csv.tmp")
    with pytest.raises(TaskDeferred) as deferred:
        wait(tmp_path).execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "dags.waiting.LandingTrigger"
    assert LandingTrigger(**arguments).serialize() == (path, arguments)


def test_a_closed_day_is_skipped_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    churn = datasets.load("churn")
    closed = replace(churn, contract=replace(churn.contract, closed=("mon",)))
    monkeypatch.setattr(datasets, "load", lambda name: closed)
    with pytest.raises(AirflowSkipException, match=f"churn is closed on {DAY}"):
        wait(tmp_path).execute({})
    land(tmp_path)
    wait(tmp_path).execute({})


def event_of(trigger: LandingTrigger, land_it: Any = None) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        watching = asyncio.ensure_future(anext(trigger.run()))
        if land_it:
            await asyncio.sleep(0)
            land_it()
        return (await asyncio.wait_for(watching, 20)).payload

    return asyncio.run(first())


def test_waiting_ends_when_the_day_lands_or_at_the_deadline(tmp_path: Path) -> None:
    later = LandingTrigger("churn", str(tmp_path), DAY, 0.01, 0, time.time() + 20)
    assert event_of(later, lambda: land(tmp_path)) == {"landed": True}
    over = LandingTrigger("churn", str(tmp_path), "2026-01-06", 0.01, 0, time.time() - 1)
    assert event_of(over) == {"landed": False}


@pytest.mark.parametrize(("quiet_seconds", "looks"), [(0, 2), (0.001, 5)])
def test_a_day_is_taken_once_two_looks_find_the_same(
    monkeypatch: pytest.MonkeyPatch, quiet_seconds: float, looks: int
) -> None:
    found: list[dict[str, int] | None] = [None, {"a.csv": 1}, {"a.csv": 2}, {"a.csv": 2, "b.csv": 1}]
    found += [found[-1], None]
    left = iter(found)
    monkeypatch.setattr(waiting, "landed_sizes", lambda *day: next(left))
    trigger = LandingTrigger("churn", "anywhere", DAY, 0.001, quiet_seconds, time.time() + 20)
    assert event_of(trigger) == {"landed": True}
    assert len(found) - len(list(left)) == looks


def test_a_day_that_changes_until_the_deadline_has_not_landed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "landed_sizes", lambda *day: {"a.csv": time.monotonic_ns()})
    assert event_of(LandingTrigger("churn", "anywhere", DAY, 0.001, 0.001, time.time() - 1)) == {"landed": False}


def test_a_landed_day_without_a_marker_is_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    land(tmp_path)
    with pytest.raises(TaskDeferred) as deferred:
        wait(tmp_path, quiet_seconds=60).execute({})
    assert deferred.value.trigger.serialize()[1]["quiet_seconds"] == 60
    declare_complete(monkeypatch, "_SUCCESS")
    with pytest.raises(TaskDeferred) as deferred:
        wait(tmp_path, quiet_seconds=60).execute({})
    assert deferred.value.trigger.serialize()[1]["quiet_seconds"] == 0
    assert not waiting.has_landed("churn", str(tmp_path), DAY)
    land(tmp_path, "_SUCCESS")
    assert waiting.has_landed("churn", str(tmp_path), DAY)
    wait(tmp_path, quiet_seconds=60).execute({})


def test_a_database_is_waited_for_until_its_day_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, Jdbc(database="shop", table="customers"))
    wait(tmp_path, quiet_seconds=60).execute({})
    declare(monkeypatch, Jdbc(database="shop", table="customers", settle_minutes=60 * 24 * 365 * 900))
    with pytest.raises(TaskDeferred):
        wait(tmp_path, quiet_seconds=60).execute({})
    with pytest.raises(AirflowFailException, match="expected a period that is over, with at least one record"):
        wait(tmp_path).resume({}, {"landed": False})


def declare_complete(monkeypatch: pytest.MonkeyPatch, marker: str) -> None:
    declare(monkeypatch, replace(datasets.load("churn").contract.source, complete=marker))


def declare(monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    churn = datasets.load("churn")
    declared = replace(churn, contract=replace(churn.contract, source=source))
    monkeypatch.setattr(datasets, "load", lambda name: declared)


def test_a_late_day_fails_or_skips_as_declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(waiting.telling, "late", lambda context, message: told.append(message))
    wait(tmp_path).resume({}, {"landed": True})
    with pytest.raises(AirflowFailException, match=r"churn of 2026-01-05 has not landed.*30 minutes.*clear the run"):
        wait(tmp_path).resume({}, {"landed": False})
    assert told == []
    with pytest.raises(AirflowSkipException):
        wait(tmp_path, "skip").resume({}, {"landed": False})
    assert len(told) == 1
