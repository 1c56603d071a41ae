"""The plan of a dataset: which steps of which days a backfill would run now, why, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from common.contracts import datasets, layout
from common.contracts.datasets import Dataset
from common.days import day_range, days_between, latest_day
from common.errors import UsageError
from common.features import definition, earlier_partials
from common.features.definition import DefinitionChangedError
from common.orchestration import admission, stages, staleness
from common.planning.costs import PastCosts
from common.planning.foresight import DayPlan, Foresight, PlannedStep, When
from common.planning.words import Words
from common.runtime.code_version import day_fingerprint, rows_fingerprint
from common.runtime.run import Run
from common.runtime.settings import Settings

RUNS = (When.NOW, When.IF_CHANGED)


@dataclass(frozen=True)
class Estimate:
    days: int
    steps: int
    seconds: float
    bytes: int
    unknown: int  # of the steps, those that have no past run; they are not in the seconds


@dataclass(frozen=True)
class DatasetPlan:
    name: str
    dataset: Dataset | None
    refused: str = ""  # why a backfill would refuse the dataset as it is declared
    known: Sequence[date] = ()
    days: Sequence[DayPlan] = ()
    foresight: Foresight | None = field(default=None, repr=False)
    meaning: Sequence[
        str
    ] = ()  # how the features differ from those of the version before, if no day has this version yet
    taken_over: Sequence[date] = ()  # the days whose partials come from the version before

    @property
    def steps(self) -> list[PlannedStep]:
        return [step for day in self.days for step in day.steps]

    @property
    def version(self) -> int:
        """The feature version that the steps would write: the next one, if the declared one is refused."""
        return self.dataset.contract.features.version if self.dataset else 0

    @cached_property
    def words(self) -> dict[PlannedStep, str]:
        if self.dataset is None:
            return {}
        words = Words(self.dataset)
        return {step: words.of(step) for step in self.steps}

    @cached_property
    def costs(self) -> PastCosts:
        assert self.foresight is not None
        return PastCosts(self.foresight)

    def estimate(self, *whens: When) -> Estimate:
        steps = [step for step in self.steps if step.when in whens]
        seconds = [self.costs.seconds(step.name) for step in steps]
        sizes = [self.costs.bytes(step) for step in steps]
        return Estimate(
            len({step.ds for step in steps}),
            len(steps),
            round(sum(filter(None, seconds)), 1),
            sum(filter(None, sizes)),
            seconds.count(None),
        )

    def ranges(self) -> list[tuple[date, date]]:
        """The days to run, as ranges; the other days within a range are up to date."""
        chosen = {step.ds for step in self.steps if step.when == When.NOW}
        idle = {*self.known} - {day.ds for day in self.days if day.missing}
        return [*_ranges(sorted(chosen), idle)]


def _ranges(chosen: Sequence[date], idle: set[date]) -> Iterator[tuple[date, date]]:
    start = last = None
    for day in chosen:
        if last is not None and start is not None and not _all_between(last, day, idle):
            yield start, last
            start = None
        start, last = start or day, day
    if start is not None and last is not None:
        yield start, last


def _all_between(one: date, other: date, known: set[date]) -> bool:
    return known.issuperset(days_between(one, other)[1:-1])


def plan_dataset(name: str, settings: Settings, chosen: Sequence[date] = ()) -> DatasetPlan:
    """The plan of the chosen days and those that they make stale; of every known day, if none is chosen."""
    try:
        dataset = datasets.load(name)
        dataset.require_sound(with_spark=False)
    except UsageError as error:
        return DatasetPlan(name, None, refused=str(error))
    dataset, refused = _acceptable(dataset, settings)
    foresight = Foresight(_run(dataset, settings))
    known = foresight.known_days()
    days = [*foresight.days(chosen or known, alone=not chosen)]
    meaning, taken_over = _meaning(foresight), _taken_over(foresight, days)
    return DatasetPlan(name, dataset, refused, known, days, foresight, meaning, taken_over)


def newest_days(name: str, settings: Settings, count: int) -> list[date]:
    """The newest days that have landed or that a table has."""
    return sorted(Foresight(_run(datasets.load(name), settings)).known_days())[-count:]


def _meaning(foresight: Foresight) -> list[str]:
    run = foresight.run
    version = run.contract.features.version
    made = any(commit.books.get("job") == "features" for commit in foresight.of(layout.features(run.contract)))
    return [] if made else definition.changes_since(run, version - 1)


def _taken_over(foresight: Foresight, days: Sequence[DayPlan]) -> list[date]:
    """The days whose partials come from the version before, because the windows of the planned features hold them."""
    run = foresight.run
    if earlier_partials.lacking(run) != []:
        return []
    planned = [step.ds for day in days for step in day.steps if step.name == "features"]
    windows = {day for ds in planned for day in day_range(ds, run.contract.features.days_back)}
    arrived = foresight.arrived(min(windows)) if windows else set()
    return [day for day in sorted(windows & arrived) if _is_taken_over(foresight, day)]


def _is_taken_over(foresight: Foresight, ds: date) -> bool:
    left_out = admission.left_out(stages.PARTIALS.arrivals(foresight.run.contract, ds), foresight)
    run = replace(foresight.run, ds=ds, left_out=left_out)
    state = foresight.state(stages.PARTIALS, ds)
    to_make = any(staleness.reasons(stages.PARTIALS, run, state, foresight))
    return to_make and earlier_partials.is_current_before(run, foresight)


def _run(dataset: Dataset, settings: Settings) -> Run:
    newest, codes = latest_day(every=dataset.contract.every), (day_fingerprint(dataset), rows_fingerprint(dataset))
    return Run.asking(dataset, newest, settings, *codes)


def _acceptable(dataset: Dataset, settings: Settings) -> tuple[Dataset, str]:
    """The dataset, with the next feature version if the backfill would refuse the declared one; and why it would."""
    try:
        definition.require_unchanged(_run(dataset, settings))
    except DefinitionChangedError as error:
        features = dataset.contract.features
        declared = replace(dataset.contract, features=replace(features, version=features.version + 1))
        return replace(dataset, contract=declared), str(error)
    return dataset, ""
