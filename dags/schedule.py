"""Reads and checks conf/airflow/schedule.yml: when Airflow runs what, and with which resources."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from common.contracts import datasets
from common.days import HOUR
from common.errors import UsageError
from common.runtime.settings import CONF, Settings, environments, load_settings, problems
from dags.alerts import Receivers

# SCHEDULE: another file than the project's own.
FILE = Path(os.environ.get("SCHEDULE") or CONF / "airflow" / "schedule.yml")
ENV = os.environ.get("PIPELINE_ENV", "local")
PARTS = ("all", "daily", "datasets", "training_sets", "maintenance", "alerts")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Timed(_Strict):
    """Settings of every task and DAG."""

    schedule: str = Field(description="Cron, UTC")
    start: date
    owner: str = Field(min_length=1)
    retries: int = Field(
        ge=0, description="Retries of failures that may pass by themselves, never of bad data and bad arguments"
    )
    retry_seconds: float = Field(gt=0, description="Before the first retry; doubled for each further one")
    longest_retry_seconds: float = Field(gt=0)
    timeout_minutes: float = Field(gt=0, description="How long one job may take")
    late_after_minutes: float | None = Field(
        gt=0, description="Minutes after a scheduled run could start; null: never late"
    )
    paused: bool = Field(description="Whether the DAG waits to be switched on when it is first seen")
    spark: dict[str, str | int | bool] = Field(description="Spark settings of the submits, such as memory and cores")
    remote: str | None = Field(
        default=None,
        description="Address of a Spark Connect server for the jobs, such as sc://localhost:15002 of `make warm`; null: each "
        "starts a Spark of its own",
    )

    @field_validator("remote", check_fields=False)
    @classmethod
    def _is_a_server(cls, text: str | None) -> str | None:
        if text is not None and (not text.startswith("sc://") or "token=" in text):
            raise ValueError("it is not an address such as sc://localhost:15002, without a token")
        return text

    @field_validator("schedule", "hourly", "stream", check_fields=False)  # a dataset's has all
    @classmethod
    def _is_cron(cls, text: str) -> str:
        from croniter import croniter

        if not croniter.is_valid(text) or len(text.split()) != 5:
            raise ValueError(f"{text!r} is not a cron expression of five fields, such as '0 3 * * *'")
        return text

    @property
    def start_date(self) -> datetime:
        return datetime.combine(self.start, time(), UTC)

    @property
    def submit(self) -> dict[str, Any]:
        """Arguments of a JobOperator: with what its job runs."""
        return {"conf": self.spark, "remote": self.remote}

    @property
    def tasks(self) -> dict[str, Any]:
        """Default arguments of tasks; Airflow's own defaults are no retry and no time limit."""
        return {
            "owner": self.owner,
            "retries": self.retries,
            "retry_delay": timedelta(seconds=self.retry_seconds),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(seconds=self.longest_retry_seconds),
            "execution_timeout": timedelta(minutes=self.timeout_minutes),
        }


class Daily(Timed):
    """Settings of one dataset's DAG."""

    catchup: bool
    max_active_runs: int = Field(ge=1)
    pool_slots: int = Field(ge=1, description="How many tasks may work on one of its tables at once")
    missing: Literal["wait", "skip"] = Field(
        description="What to do when nothing has landed in time: fail, or skip the day"
    )
    deliver: tuple[str, ...] = Field(
        description="Targets under deliveries in conf/<env>.yml; each gets every published day"
    )
    stream: str = Field(description="Cron, UTC: how often a source that can be followed is polled for new records")
    wait_minutes: float = Field(ge=0, description="How long to wait for a day to land")
    poll_seconds: float = Field(gt=0)
    hourly: str = Field(description="Cron, UTC, in place of `schedule` where the contract has a period every hour")
    quiet_seconds: float = Field(
        ge=0, description="How long a landed day may not change before it is taken; a contract's `complete` replaces it"
    )

    def cron(self, every: str) -> str:
        return self.hourly if every == HOUR else self.schedule


class Training(Timed):
    """A training set, rebuilt when its dataset is published; `schedule` is ignored."""

    dataset: str
    days: int = Field(ge=1, description="How many days it learns from, ending with the newest")


class Schedule(_Strict):
    datasets: dict[str, Daily]
    training_sets: dict[str, Training]
    maintenance: Timed
    alerts: Receivers


@cache
def settings() -> Settings:
    """The settings of the jobs, in Airflow's environment."""
    return load_settings(ENV)


@cache
def schedule() -> Schedule:
    found = read(yaml.safe_load(FILE.read_text()), datasets.names(), ENV)
    for name, how in found.datasets.items():
        _require_known(f"deliver of {name}", how.deliver, settings().deliveries)
    return found


def read(content: Any, names: list[str], env: str) -> Schedule:
    """Merges the environment's parts into the file's parts, then each part over the defaults."""
    parts = _parts(content, "the file", (*PARTS, "environments"))
    others = {name: _parts(over, f"environments.{name}", PARTS) for name, over in _part(parts, "environments").items()}
    _require_known("environments", others, environments())
    parts = _merged(parts, others.get(env, {}))
    common, own, training = (_part(parts, name) for name in ("all", "datasets", "training_sets"))
    _require_known("datasets", own, names)
    _require_known("training_sets", {_part(training, name).get("dataset") for name in training}, names)
    try:
        return Schedule(
            datasets={name: Daily(**_merged(common, _part(parts, "daily"), _part(own, name))) for name in names},
            training_sets={name: Training(**_merged(common, _part(training, name))) for name in training},
            maintenance=Timed(**_merged(common, _part(parts, "maintenance"))),
            alerts=Receivers(**_part(parts, "alerts")),
        )
    except ValidationError as error:
        raise UsageError(f"{FILE.name} is wrong: {problems(error)}") from None


def _parts(content: Any, place: str, known: Iterable[str]) -> dict[str, Any]:
    """The file's parts; an empty part counts as missing."""
    parts = {name: part for name, part in _mapping(content, place).items() if part is not None}
    _require_known(place, parts, known)
    return parts


def _part(parts: dict[str, Any], name: str) -> dict[str, Any]:
    return _mapping(parts.get(name), name)


def _mapping(content: Any, place: str) -> dict[str, Any]:
    if not isinstance(content, dict | None):
        raise UsageError(f"{FILE.name}: {place} is a {type(content).__name__}, a mapping expected")
    return content or {}


def _require_known(place: str, names: Iterable[Any], known: Iterable[str]) -> None:
    if strange := sorted({str(name) for name in names} - {*known}):
        expected = ", ".join(sorted(known))
        raise UsageError(f"{FILE.name}: {place} names {strange}, which is not known; expected one of: {expected}")


def _merged(*parts: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            nested = isinstance(value, dict) and isinstance(merged.get(name), dict)
            merged[name] = _merged(merged[name], value) if nested else value
    return merged
