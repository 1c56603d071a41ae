"""Which steps of which days would run, and why: asks what the jobs ask, but of logs that also hold future commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cached_property
from itertools import chain, islice
from typing import NamedTuple

from common.contracts import layout, suite
from common.contracts.changes import periods_reached
from common.contracts.layout import STAGES
from common.days import day_range, latest_day
from common.lake.log import data_files
from common.lake.log.delta_log import Commit
from common.orchestration import admission, stages, staleness, verdicts
from common.orchestration.reasons import Kind, Reason
from common.orchestration.stages import STEPS, Stage
from common.orchestration.verdicts import Verdict
from common.orchestration.whole_logs import WholeLogs
from common.planning.landed import DayInLanding
from common.runtime.run import Run

GATES = {f"validate-{name}": name for name in STAGES}


class When(StrEnum):
    NOW = "now"
    IF_CHANGED = "if_changed"  # if a step before it changes rows that it reads, or passes the gate
    IF_REPEATED = "if_repeated"  # if a record of this day has the key of one that is cleaned again


LIKELIEST = list(When)
NOT_YET = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PlannedStep:
    ds: date
    name: str
    table: str
    when: When
    # Why it is not up to date now; empty for a step that only follows others.
    reasons: tuple[Reason, ...] = field(compare=False)
    # The steps that it waits for; none for a step that runs in any case.
    after: tuple[PlannedStep, ...] = field(compare=False)


class Condition(NamedTuple):
    when: When
    after: set[PlannedStep]


CHOSEN = Condition(When.NOW, set())


@dataclass(frozen=True)
class ForeseenCommit(Commit):
    """The commit of a step that has not run yet. Events of its own day reach furthest, so it touches that day."""

    step: PlannedStep


@dataclass
class DayPlan:
    ds: date
    steps: list[PlannedStep] = field(default_factory=list)
    missing: bool = False  # the source has nothing, and nothing was ingested
    landing_gone: bool = False  # the step goes on from the rows that were ingested earlier
    stops: PlannedStep | None = None  # the gate will fail again, and the backfill will stop here


class Foresight(WholeLogs):
    """Goes through the days in the order in which the backfill would run them."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._asked: list[date] = []
        self._at_once: set[str] = set()
        self._passing: dict[date, PlannedStep] = {}  # days that only a step to come will admit

    def known_days(self) -> list[date]:
        """Every day that has landed, or that a table has."""
        contract = self.run.contract
        tables = (layout.raw(contract), layout.features(contract), layout.published(contract))
        seen = {day for table in tables for day in self.index(table).days()}
        landed = {day for day in DayInLanding.days(self.run) if day <= latest_day(every=contract.every)}
        return sorted(seen | landed)

    def days(self, chosen: Iterable[date], alone: bool) -> Iterator[DayPlan]:
        """The plan of each day, and of the later ones that they make stale unless `alone`."""
        waiting = dict.fromkeys(chosen, CHOSEN)
        self._asked = sorted(waiting)
        self._verdicts_at_once(admission.ARRIVALS)
        while waiting:
            ds = min(waiting)
            plan = self._day(ds, waiting.pop(ds))
            if not (alone or plan.missing):
                later = {day: self._joining(day) for day in self._reach(ds) if waiting.get(day) != CHOSEN}
                waiting |= {day: joining for day, joining in later.items() if joining}
            yield plan

    def _reach(self, ds: date) -> list[date]:
        contract = self.run.contract
        return day_range(ds, 0, periods_reached(contract, ds))[1:]

    def _joining(self, ds: date) -> Condition | None:
        """When the backfill would add the day to the requested ones; None for never."""
        states = [(stage, self.state(stage, ds)) for stage in staleness.WATCHED]
        reasons = [each for stage, state in states if state for each in staleness.outdated(stage, ds, state, self)]
        return self._condition(reasons) if reasons else None

    def _day(self, ds: date, joining: Condition) -> DayPlan:
        plan, run_of_day = DayPlan(ds), replace(self.run, ds=ds)
        landing = DayInLanding(run_of_day, self.state(stages.INGEST, ds))
        closed = self.run.contract.is_closed(ds) and str(ds) not in self._in_raw
        admission.left_out([ds], self)  # what the gate has decided so far, before a step to come changes the rows
        for name, stage in STEPS.items():
            run = run_of_day
            if name == "ingest":
                run = replace(run, source=landing.fingerprint)
            elif closed:
                break
            elif left_out := self._left_out(stage, ds):
                run = replace(run, left_out=left_out)
            reasons = self._reasons(name, stage, run)
            if reasons and name == "ingest" and not landing.arrived:
                plan.landing_gone = str(ds) in self._in_raw
                plan.missing = not plan.landing_gone and not closed
                if plan.missing:
                    break
                continue
            if reasons:
                self._expect(plan, joining, name, stage, reasons)
                closed = False
        return plan

    def _left_out(self, stage: Stage, ds: date) -> tuple[date, ...]:
        return admission.left_out(stage.arrivals(self.run.contract, ds), self)

    def _reasons(self, name: str, stage: Stage, run: Run) -> list[Reason]:
        reasons = list(staleness.reasons(stage, run, self.state(stage, run.ds), self))
        failed = self._failed(name, run.ds) if reasons and name in GATES else None
        return [Reason(Kind.GATE_FAILED, rules=tuple(failed.failed))] if failed else reasons

    def _failed(self, name: str, ds: date) -> Verdict | None:
        """The verdict that stopped the day, if its rows are still the same."""
        self._verdicts_at_once(GATES[name])
        verdict = self.verdicts(GATES[name], [ds]).get(ds)
        failed = verdict is not None and not verdict.success and admission.stands(GATES[name], verdict, self)
        return verdict if failed else None

    def _verdicts_at_once(self, name: str) -> None:
        """Reads the verdicts of all days at once: one by one would take long."""
        if name not in self._at_once:
            self._at_once.add(name)
            self.verdicts(name, self._asked)

    @cached_property
    def _in_raw(self) -> set[str]:
        """The days of which raw holds rows."""
        return {*data_files.partition_values(self.run.path(layout.raw(self.run.contract)), "ds")}

    def _expect(self, plan: DayPlan, joining: Condition, name: str, stage: Stage, reasons: list[Reason]) -> None:
        contract = self.run.contract
        written = stage.target(contract) if name not in GATES else suite.table_of(contract, GATES[name])
        own = self._condition(reasons)
        present = tuple(reason for reason in reasons if self._when(reason) == When.NOW)
        when, after = _both(own, joining, Condition(When.IF_CHANGED, {plan.stops}) if plan.stops else CHOSEN)
        step = PlannedStep(plan.ds, name, written.path, when, present, tuple(sorted(after, key=_place)))
        plan.steps.append(step)
        self._foresee(step, stage)
        if reasons[0].kind == Kind.GATE_FAILED and not plan.stops and self._judged_by_this_code(step):
            plan.stops = step

    def _judged_by_this_code(self, step: PlannedStep) -> bool:
        """Whether the last validation of the day had the code of now."""
        index = self.index(verdicts.table_of(self.run.contract))
        last = (commit for commit in index.about(step.ds) if commit.books["job"] == step.name and _real(commit))
        return all(STEPS[step.name].made_by(self.run, commit.books) for commit in islice(last, 1))

    def _condition(self, reasons: Iterable[Reason]) -> Condition:
        """The most likely reason, and the steps that it waits for."""
        whens = [(self._when(reason), reason) for reason in reasons]
        likeliest = min((when for when, _ in whens), key=LIKELIEST.index)
        awaited = [self._awaited(reason) for when, reason in whens if when == likeliest != When.NOW]
        return Condition(likeliest, {*chain(*awaited)})

    def _when(self, reason: Reason) -> When:
        if isinstance(reason.commit, ForeseenCommit):
            least = When.IF_REPEATED if reason.kind == Kind.OUTPUT_CHANGED else When.IF_CHANGED
            return max(least, reason.commit.step.when, key=LIKELIEST.index)
        if reason.kind == Kind.ADMISSION_CHANGED and self._passing.keys() >= {*reason.days}:
            return When.IF_CHANGED
        return When.NOW

    def _awaited(self, reason: Reason) -> list[PlannedStep]:
        if isinstance(reason.commit, ForeseenCommit):
            return [reason.commit.step]
        return [self._passing[day] for day in reason.days if day in self._passing]

    def _foresee(self, step: PlannedStep, stage: Stage) -> None:
        """Add the commit that the step would make to the log of its table, and the verdict if it is the gate that passes."""
        contract, ds = self.run.contract, str(step.ds)
        table = stage.target(contract)
        books = {"job": stage.job, "ds": ds, "dataset": contract.name, "counts": {}, "touched": [ds]}
        index = self.index(table)
        table_id, _ = self.now(table)
        index.add(ForeseenCommit(index.newest + 1, books, NOT_YET, step))
        self._now[table.path] = table_id, index.newest
        if step.name == f"validate-{admission.ARRIVALS}":
            if not self.admitted.get(step.ds, False):
                self._passing[step.ds] = step
            self.admitted[step.ds] = True


def _both(*conditions: Condition) -> Condition:
    """Both conditions must hold."""
    when = max((each.when for each in conditions), key=LIKELIEST.index)
    return Condition(when, {*chain(*(each.after for each in conditions))})


def _real(commit: Commit) -> bool:
    return not isinstance(commit, ForeseenCommit)


def _place(step: PlannedStep) -> tuple[date, int]:
    return step.ds, list(STEPS).index(step.name)
