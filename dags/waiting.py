"""Waits for a day to land without holding a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from dags import telling
from dags.run_day import DAY
from dags.schedule import Daily


class LandingTrigger(BaseTrigger):
    """Polls until the day has landed, and has not changed for `quiet_seconds`, or the deadline has passed."""

    def __init__(
        self, dataset: str, landing: str, ds: str, poll_seconds: float, quiet_seconds: float, deadline: float
    ) -> None:
        super().__init__()
        self.dataset, self.landing, self.ds = dataset, landing, ds
        self.poll_seconds, self.quiet_seconds, self.deadline = poll_seconds, quiet_seconds, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        names = ("dataset", "landing", "ds", "poll_seconds", "quiet_seconds", "deadline")
        return "dags.waiting.LandingTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        before = None
        while True:
            now = await asyncio.to_thread(landed_sizes, self.dataset, self.landing, self.ds)
            landed = now is not None and (now == before or not self.quiet_seconds)
            if landed or time.time() >= self.deadline:
                break
            before = now
            await asyncio.sleep(self.poll_seconds if now is None else self.quiet_seconds)
        yield TriggerEvent({"landed": landed})


class Wait(BaseOperator):
    """Succeeds once the day has landed as a whole. After the deadline it fails, or skips the day, as declared."""

    template_fields = ("ds",)

    def __init__(self, *, dataset: str, landing: str, how: Daily, ds: str = DAY, **rest: Any) -> None:
        super().__init__(**rest)
        self.dataset, self.landing, self.ds = dataset, landing, ds
        self.minutes, self.poll_seconds, self.missing = how.wait_minutes, how.poll_seconds, how.missing
        self.quiet_seconds = how.quiet_seconds

    def execute(self, context: Context) -> None:
        landed = has_landed(self.dataset, self.landing, self.ds)
        quiet_seconds = 0 if says_when_complete(self.dataset) else self.quiet_seconds
        if landed and not quiet_seconds:
            return
        if not landed and is_closed(self.dataset, self.ds):
            raise AirflowSkipException(f"{self.dataset} is closed on {self.ds}: nothing is expected, and nothing came")
        state = "may still be landing" if landed else "has not landed yet"
        self.log.info("%s of %s %s; waiting for up to %g minutes", self.dataset, self.ds, state, self.minutes)
        deadline = time.time() + 60 * self.minutes + quiet_seconds
        trigger = LandingTrigger(self.dataset, self.landing, self.ds, self.poll_seconds, quiet_seconds, deadline)
        self.defer(trigger=trigger, method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> None:
        if event["landed"]:
            return
        message = (
            f"{self.dataset} of {self.ds} has not landed: nothing came within {self.minutes:g} minutes, or not all; expected "
            f"{awaited(self.dataset)}. Once it is there, clear the run."
        )
        if self.missing == "skip":
            telling.late(context, message)
            raise AirflowSkipException(message)
        raise AirflowFailException(message)


def is_closed(dataset: str, ds: str) -> bool:
    from common.contracts import datasets
    from common.days import from_text

    return datasets.load(dataset).contract.is_closed(from_text(ds))


def says_when_complete(dataset: str) -> bool:
    from common.contracts import datasets

    return datasets.load(dataset).contract.source.says_when_complete


def awaited(dataset: str) -> str:
    from common.contracts import datasets

    return datasets.load(dataset).contract.source.awaited


def has_landed(dataset: str, landing: str, ds: str) -> bool:
    return landed_sizes(dataset, landing, ds) is not None


def landed_sizes(dataset: str, landing: str, ds: str) -> Mapping[str, int] | None:
    """What the source has for the day so far, with sizes; None if the day can't be read yet."""
    from common.contracts import datasets
    from common.days import from_text
    from common.sources.opening import open_period
    from common.sources.source import Period

    return open_period(Period(datasets.load(dataset).contract, from_text(ds), landing)).so_far()
