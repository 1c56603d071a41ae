"""The state of every day of a dataset, from what `features plan` and `make status` say: there is no second opinion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from common.contracts import datasets
from common.contracts.contract import Contract
from common.contracts.datasets import Dataset
from common.days import days_between, from_text, latest_day
from common.orchestration import staleness
from common.orchestration.reasons import Kind
from common.planning.foresight import DayPlan, PlannedStep, When
from common.planning.plan import DatasetPlan, plan_dataset
from common.published.catalog import Lake
from common.reports.status import DayStatus, day_statuses
from common.runtime.settings import Settings


class DayState(StrEnum):
    """What a day looks like in the grid, each with its letter in the page's data."""

    PUBLISHED = "p"
    WARNED = "w"
    FAILED = "f"
    STALE = "s"
    WAITING = "a"
    NOT_RUN = "n"
    CLOSED = "c"


@dataclass(frozen=True)
class DatasetDays:
    dataset: Dataset
    plan: DatasetPlan
    statuses: Mapping[str, DayStatus]
    published: Mapping[str, dict[str, Any]]  # the facts of each published day
    stale: frozenset[str] = field(default=frozenset())
    longest: int = 400

    @property
    def contract(self) -> Contract:
        return self.dataset.contract

    @cached_property
    def plans(self) -> dict[str, DayPlan]:
        """None for a dataset that a backfill refuses: the plan is then of its next feature version."""
        return {} if self.plan.refused else {str(day.ds): day for day in self.plan.days}

    @cached_property
    def shown(self) -> list[str]:
        """Every day from the first to the last one that is known; a day in the future was mistyped."""
        known = {*self.statuses, *self.plans, *self.published}
        ends = sorted(day for day in known if day <= str(latest_day(every=self.contract.every)))
        if not ends:
            return []
        days = days_between(from_text(ends[0]), from_text(ends[-1]))
        return [str(day) for day in days[-self.longest :]]

    def due(self, ds: str) -> list[PlannedStep]:
        """The steps that a backfill of all days would run in any case."""
        return [step for step in self.plans[ds].steps if step.when == When.NOW] if ds in self.plans else []

    def state(self, ds: str) -> DayState:
        status, due = self.statuses.get(ds), self.due(ds)
        refused = any(reason.kind == Kind.GATE_FAILED for step in due for reason in step.reasons)
        if refused or (status and status.failure):
            return DayState.FAILED
        if ds in self.published:
            late = bool(due) or ds in self.stale
            return DayState.STALE if late else DayState.WARNED if self.warns(ds) else DayState.PUBLISHED
        if (status and status.closed) or self.contract.is_closed(from_text(ds)):
            return DayState.CLOSED
        return DayState.WAITING if due or (status and status.records) else DayState.NOT_RUN

    def warns(self, ds: str) -> bool:
        logged = self.statuses[ds].records.values() if ds in self.statuses else ()
        validation = self.published.get(ds, {}).get("validation") or {}
        return bool(validation.get("warnings")) or any(record.line.get("warnings") for record in logged)


def days_of(dataset: Dataset, settings: Settings, longest: int) -> DatasetDays:
    name = dataset.contract.name
    plan = plan_dataset(name, settings)
    stale = staleness.all_stale(name, settings) if plan.refused else []
    statuses = {day.ds: day for day in day_statuses(settings.lake, name)}
    published = _published(settings.lake, dataset.contract)
    return DatasetDays(dataset, plan, statuses, published, frozenset(map(str, stale)), longest)


def _published(lake: str, contract: Contract) -> dict[str, dict[str, Any]]:
    known, own = Lake(lake), f"{contract.name}@v{contract.features.version}"
    return known.features(own).at().published if own in known.tables() else {}


def soundly_loaded(name: str) -> Dataset:
    dataset = datasets.load(name)
    dataset.require_sound(with_spark=False)
    return dataset
