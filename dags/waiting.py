"""Waits for a day to land without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from dags import telling
from dags.day import DAY
from dags.schedule import Daily


class LandingTrigger(BaseTrigger):
    """Polls until the day has landed or the deadline has passed."""

    def __init__(self, dataset: str, landing: str, ds: str, poll_seconds: float, deadline: float) -> None:
        super().__init__()
        self.dataset, self.landing, self.ds = dataset, landing, ds
        self.poll_seconds, self.deadline = poll_seconds, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("dataset", "landing", "ds", "poll_seconds", "deadline")
        return "dags.waiting.LandingTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        landed = await asyncio.to_thread(has_landed, self.dataset, self.landing, self.ds)
        while not landed and time.time() < self.deadline:
            await asyncio.sleep(self.poll_seconds)
            landed = await asyncio.to_thread(has_landed, self.dataset, self.landing, self.ds)
        yield TriggerEvent({"landed": landed})


class Wait(BaseOperator):
    """Succeeds once the landing folder holds a file for the day. After the deadline it fails, or skips the day, as declared."""

    template_fields = ("ds",)

    def __init__(self, *, dataset: str, landing: str, how: Daily, ds: str = DAY, **rest: Any) -> None:
        super().__init__(**rest)
        self.dataset, self.landing, self.ds = dataset, landing, ds
        self.minutes, self.poll_seconds, self.missing = how.wait_minutes, how.poll_seconds, how.missing

    def execute(self, context: Context) -> None:
        if has_landed(self.dataset, self.landing, self.ds):
            return
        if is_closed(self.dataset, self.ds):
            raise AirflowSkipException(f"{self.dataset} is closed on {self.ds}: nothing is expected, and nothing came")
        self.log.info("%s of %s has not landed yet; waiting for up to %g minutes", self.dataset, self.ds, self.minutes)
        deadline = time.time() + 60 * self.minutes
        trigger = LandingTrigger(self.dataset, self.landing, self.ds, self.poll_seconds, deadline)
        self.defer(trigger=trigger, method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> None:
        if event["landed"]:
            return
        message = (
            f"{self.dataset} of {self.ds} has not landed: nothing came within {self.minutes:g} minutes; expected at least one "
            "file in its landing folder. When it has come, clear the run, and the day runs."
        )
        if self.missing == "skip":
            telling.late(context, message)
            raise AirflowSkipException(message)
        raise AirflowFailException(message)


def is_closed(dataset: str, ds: str) -> bool:
    from datetime import date

    from common.contracts import datasets

    return datasets.load(dataset).contract.is_closed(date.fromisoformat(ds))


def has_landed(dataset: str, landing: str, ds: str) -> bool:
    from datetime import date

    from common.contracts import datasets
    from common.sources.landing import Landing

    return Landing(datasets.load(dataset).contract, landing, date.fromisoformat(ds)).arrived
