"""The vocabulary in which a training set is declared. No Spark.

`common.training.as_of_join` and `common.training.build` build it."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from datetime import date, timedelta

from common.contracts.datasets import Dataset
from common.days import EARLIEST
from common.errors import UsageError, require
from common.names import LONGEST_NAME, NAME
from common.training.step_base import Step

SPLITS = ("train", "val", "test")
TIME = "example_time"
HIGHEST = 99_999  # version of a training set, for which its pins must still have room in their names


def pin_name(name: str, version: int, table: str) -> str:
    """The pin by which a version of a training set keeps a table that it was built from."""
    return f"{name}_v{version}_{table.replace('@', '_')}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Every row of a published feature table is an example: the label is one of its columns."""

    table: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A file of labels (Parquet, CSV or a Delta table): who, when, and what came of it."""

    entity: str
    time: str
    label: str


@dataclass(frozen=True, kw_only=True)
class From:
    """Columns of a published feature table, as they were known before each label's time.

    The row of ds is known from ds + 1 day, 00:00 UTC; it counts if that is at least `gap_hours` before the label's time,
    and not more than `max_age_days`.
    """

    table: str
    columns: tuple[str, ...] = ()  # none named: all of them
    gap_hours: int = 0
    max_age_days: int | None = None

    def __post_init__(self) -> None:
        require(
            self.gap_hours >= 0, f"features of {self.table}: gap_hours {self.gap_hours} would look ahead of the label"
        )
        require(
            self.max_age_days is None or self.max_age_days * 24 > self.gap_hours,
            f"features of {self.table}: max_age_days {self.max_age_days} leaves nothing beyond gap_hours {self.gap_hours}",
        )

    def reach(self, first: date, last: date) -> tuple[date, date]:
        """The first and the last ds whose rows a label of those days can meet."""
        oldest = EARLIEST if self.max_age_days is None else first - timedelta(days=self.max_age_days + 1)
        return oldest, last - timedelta(days=self.gap_hours // 24 + 1)


@dataclass(frozen=True, kw_only=True)
class Split:
    """By time (train to `train_until`, val to `val_until`, test after), by a seeded hash of the entity, or by both.

    Both ends are included. The day of a label is that of its time; the day of a snapshot's row is its ds, though nobody
    has the row before the next day.
    With both, an example counts where the two agree, so that no entity is in two splits; the rest is left out.
    """

    train_until: date | None = None
    val_until: date | None = None
    seed: str | None = None
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)

    def __post_init__(self) -> None:
        require(
            self.by_time or self.seed is not None, "split: neither days nor a seed is declared; declare one or both"
        )
        ends = (self.train_until, self.val_until)
        require(ends.count(None) != 1, f"split: train_until {ends[0]} and val_until {ends[1]} go together")
        if self.train_until and self.val_until:
            require(self.train_until <= self.val_until, f"split: train_until {ends[0]} is after val_until {ends[1]}")
        require(abs(sum(self.shares) - 1) < 1e-9, f"split: shares {self.shares} do not add up to 1")

    @property
    def by_time(self) -> bool:
        return self.train_until is not None

    @property
    def entities_apart(self) -> bool:
        return self.seed is not None


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Examples, what was known of them, and the steps that are fitted on the training split alone."""

    name: str
    description: str
    examples: Snapshot | Labels
    split: Split
    features: tuple[From, ...] = ()
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        said = f"training set {self.name!r}"
        require(bool(NAME.fullmatch(self.name)), f"{said}: a name is lower case, digits and _; this one is not")
        for table in self.tables:
            pin = pin_name(self.name, HIGHEST, table)
            room = len(self.name) + LONGEST_NAME - len(pin)
            require(
                room >= len(self.name),
                f"{said}: its pins would be named like {pin}, {len(pin)} characters, and a name has {LONGEST_NAME} at most; "
                f"give it a name of at most {max(room, 0)}",
            )
        labelled = isinstance(self.examples, Labels)
        require(
            bool(self.features) or not labelled, f"{said}: its examples are labels alone, and no features are declared"
        )
        require(
            labelled or not self.features,
            f"{said}: its examples are the rows of {getattr(self.examples, 'table', '')} and bring their own features; "
            "declare Labels to join others",
        )

    @property
    def tables(self) -> tuple[str, ...]:
        """The published tables that it is built from, each once."""
        if isinstance(self.examples, Snapshot):
            return (self.examples.table,)
        return tuple(dict.fromkeys(each.table for each in self.features))

    def reach(self, table: str, first: date, last: date) -> tuple[date, date]:
        """The first and the last ds of a table that examples of those days are made from."""
        if isinstance(self.examples, Snapshot):
            return first, last
        reaches = [each.reach(first, last) for each in self.features if each.table == table]
        return min(oldest for oldest, _ in reaches), max(newest for _, newest in reaches)


def declared_training_set(dataset: Dataset, name: str) -> TrainingSet:
    """A training set from the dataset's own training.py."""
    declared = {training_set.name: training_set for training_set in _declared(dataset.package)}
    if name not in declared:
        raise UsageError(
            f"{dataset.contract.name} declares no training set {name!r}; expected one of: {', '.join(declared) or 'none'}"
        )
    return declared[name]


def _declared(package: str) -> tuple[TrainingSet, ...]:
    if not importlib.util.find_spec(f"{package}.training"):
        return ()
    training_sets: tuple[TrainingSet, ...] = importlib.import_module(f"{package}.training").TRAINING_SETS
    return training_sets
