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
from dags import waiting
from dags.schedule import Daily, schedule
from dags.waiting import LandingTrigger, Wait

DAY = "2026-01-05"


def wait(landing: Path, missing: str = "wait") -> Wait:
    how: Daily = schedule().datasets["churn"].model_copy(update={"missing": missing, "wait_minutes": 30.0})
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
    later = LandingTrigger("churn", str(tmp_path), DAY, 0.01, time.time() + 20)
    assert event_of(later, lambda: land(tmp_path)) == {"landed": True}
    over = LandingTrigger("churn", str(tmp_path), "2026-01-06", 0.01, time.time() - 1)
    assert event_of(over) == {"landed": False}


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
