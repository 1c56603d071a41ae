"""Declare a training set; `common.training.build` builds it. No Spark."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from common.contracts.checking import faults
from common.contracts.checking.field_types import require_types, short
from common.contracts.datasets import Dataset
from common.contracts.wording import require_tuples
from common.days import DAY, EPOCHS, RESOLUTION, Hour, end_of, ended_by, first_ending, shifted, start_of
from common.errors import ContractDeclarationError, UsageError, require
from common.names import LONGEST_NAME, NAME, did_you_mean
from common.training.step_base import Step

SPLITS = ("train", "val", "test")
TIME = "example_time"
HOURS_A_DAY = 24
HIGHEST = 99_999  # the highest version of a training set whose pin names must fit


def pin_name(name: str, version: int, table: str) -> str:
    """The name of the pin that keeps an input table of this version of the training set."""
    return f"{name}_v{version}_{table.replace('@', '_')}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every row of a published feature table is an example: the label is one of its columns."""

    table: str
    label: str

    def __post_init__(self) -> None:
        require_types(self, "snapshot")


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A file of labels (Parquet, CSV or a Delta table) with columns for the entity, the time and the label."""

    entity: str
    time: str
    label: str

    def __post_init__(self) -> None:
        require_types(self, "labels")


@dataclass(frozen=True, kw_only=True)
class From:
    """Columns of a published feature table, as they were known before each label's time.

    The row of ds is known once ds is over, in UTC. It is used if that is at least `gap_hours` and at most
    `max_age_days`, or `max_age_hours`, before the label's time.
    """

    table: str
    columns: tuple[str, ...] = ()  # empty: all columns
    gap_hours: int = 0
    max_age_days: int | None = None
    max_age_hours: int | None = None

    def __post_init__(self) -> None:
        require_types(self, f"features of {self.table}")
        require_tuples(self, f"features of {self.table}")
        require(
            self.gap_hours >= 0, f"features of {self.table}: gap_hours {self.gap_hours} would look ahead of the label"
        )
        require(
            self.max_age_days is None or self.max_age_hours is None,
            f"features of {self.table}: both max_age_days {self.max_age_days} and max_age_hours {self.max_age_hours} are "
            "declared; keep one",
        )
        name, age = self._max_age
        require(
            self.oldest_hours is None or self.oldest_hours > self.gap_hours,
            f"features of {self.table}: {name} {age} leaves nothing beyond gap_hours {self.gap_hours}",
        )

    @property
    def oldest_hours(self) -> int | None:
        """How many hours before a label a row may have been known; None for any number."""
        return self.max_age_hours if self.max_age_days is None else self.max_age_days * HOURS_A_DAY

    @property
    def _max_age(self) -> tuple[str, int | None]:
        if self.max_age_days is None:
            return "max_age_hours", self.max_age_hours
        return "max_age_days", self.max_age_days

    def reach(self, first: date, last: date, every: str = DAY) -> tuple[date, date]:
        """The first and the last ds of the table whose rows labels of these days, or hours, can use."""
        latest = end_of(last) - timedelta(hours=self.gap_hours) - RESOLUTION
        return self._oldest(first, every), ended_by(latest, every)

    def _oldest(self, first: date, every: str) -> date:
        if self.oldest_hours is None:
            return EPOCHS[every]
        return first_ending(start_of(first) - timedelta(hours=self.oldest_hours), every)


@dataclass(frozen=True, kw_only=True)
class Split:
    """By time (train to `train_until`, val to `val_until`, test after), by a seeded hash of the entity, or by both.

    Both ends are inclusive, each a `date` or an `Hour`. A label belongs to the period of its time, a row of a snapshot to its
    ds, although the row is known only once that is over. With both, an example is used only where the two agree, so that
    no entity is in two splits; the rest is left out.
    """

    train_until: date | None = None
    val_until: date | None = None
    seed: str | None = None
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        require_types(self, "split")
        moments = [end for end in self.ends if isinstance(end, datetime) and not isinstance(end, Hour)]
        require(
            not moments,
            f"split: {moments} are moments; expected days, or hours such as Hour(2026, 1, 31, 13) of common.days",
        )
        require(
            self.by_time or self.seed is not None, "split: neither days nor a seed is declared; declare one or both"
        )
        ends = (self.train_until, self.val_until)
        require(
            ends.count(None) != 1,
            f"split: train_until {ends[0]} and val_until {ends[1]} go together; declare both or neither",
        )
        if self.train_until and self.val_until:
            require(
                end_of(self.train_until) <= end_of(self.val_until),
                f"split: train_until {ends[0]} is after val_until {ends[1]}; swap them",
            )
        adds_up = abs(sum(self.shares) - 1) < 1e-9 and min(self.shares) >= 0
        require(adds_up, f"split: shares {self.shares} do not add up to 1, each at least 0; correct them")

    @property
    def by_time(self) -> bool:
        return self.train_until is not None

    @property
    def ends(self) -> tuple[date, ...]:
        """The last period of train and that of val; none where only a seed divides."""
        return tuple(end for end in (self.train_until, self.val_until) if end is not None)


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Examples, the features joined to them, and the steps fitted on the train split alone."""

    name: str
    description: str
    examples: Snapshot | Labels
    split: Split
    features: tuple[From, ...] = ()
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        subject = f"training set {self.name!r}"
        require_types(self, subject)
        require_tuples(self, subject)
        require(
            bool(NAME.fullmatch(self.name)),
            f"{subject}: expected a name of lower-case letters, digits and _; rename it",
        )
        for table in self.tables:
            pin = pin_name(self.name, HIGHEST, table)
            room = len(self.name) + LONGEST_NAME - len(pin)
            require(
                room >= len(self.name),
                f"{subject}: its pins would have names like {pin}, {len(pin)} characters, and a name has {LONGEST_NAME} at most; "
                f"give it a name of at most {max(room, 0)}",
            )
        labelled = isinstance(self.examples, Labels)
        require(
            bool(self.features) or not labelled,
            f"{subject}: its examples are labels and it declares no features; declare at least one From",
        )
        require(
            labelled or not self.features,
            f"{subject}: its examples are the rows of {getattr(self.examples, 'table', '')} and bring their own features; "
            "declare Labels to join others",
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """The published tables that the training set is built from, without duplicates."""
        if isinstance(self.examples, Snapshot):
            return (self.examples.table,)
        return tuple(dict.fromkeys(source.table for source in self.features))

    @property
    def identity(self) -> str:
        """The declaration as text. A field that came later is left out at its default: what was built before stays valid."""
        return repr(self).replace(", max_age_hours=None", "")

    def reach(self, table: str, first: date, last: date, every: str = DAY) -> tuple[date, date]:
        """The first and the last ds of a table that examples of these days, or hours, use."""
        if isinstance(self.examples, Snapshot):
            return shifted(first_ending(start_of(first), every), 1), ended_by(end_of(last), every)
        reaches = [source.reach(first, last, every) for source in self.features if source.table == table]
        return min(oldest for oldest, _ in reaches), max(newest for _, newest in reaches)


def declared_training_set(dataset: Dataset, name: str) -> TrainingSet:
    """Return a training set declared in the dataset's training.py."""
    declared = {training_set.name: training_set for training_set in training_sets(dataset.package)}
    if name not in declared:
        hint, known = did_you_mean(name, declared), ", ".join(declared) or "none"
        raise UsageError(f"{dataset.contract.name} declares no training set {name!r}{hint}; expected one of: {known}")
    return declared[name]


def training_sets(package: str) -> tuple[TrainingSet, ...]:
    """All that the training.py of a dataset's package declares."""
    if not importlib.util.find_spec(f"{package}.training"):
        return ()
    module = faults.imported(f"{package}.training")
    declared = faults.attribute(module, "TRAINING_SETS")
    if fault := _fault_of(declared):
        raise ContractDeclarationError(f"{faults.shown(Path(str(module.__file__)))}: TRAINING_SETS {fault}")
    found: tuple[TrainingSet, ...] = tuple(declared)
    return found


def _fault_of(declared: object) -> str:
    if not isinstance(declared, tuple | list):
        return f"is {short(declared)}; expected a tuple of TrainingSet(...)"
    if others := [each for each in declared if not isinstance(each, TrainingSet)]:
        return f"holds {short(others[0])}; expected TrainingSet(...)"
    names = [each.name for each in declared]
    if twice := [name for name in names if names.count(name) > 1]:
        return f"holds two of the name {twice[0]!r}; rename one"
    return ""
