"""The tables of a contract: path, columns, key and partitioning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps

from common.contracts.aggregates import (
    ColumnAggregate,
    Distinct,
    Last,
    Max,
    Mean,
    Min,
    MostFrequent,
    Share,
    Sum,
)
from common.contracts.contract import TABLES, Contract
from common.contracts.lookup import lookups_of
from common.contracts.number_types import sum_type

# What a record has in clean and in quarantine besides its declared columns.
OF_A_RECORD = (
    ("file", "string"),
    ("record_hash", "string"),
    ("copies", "long"),
    ("reasons", "array<string>"),
    ("record", "string"),
)

Columns = tuple[tuple[str, str], ...]
# The reason of a quarantine record that stands for a whole file; its text is our own message.
FILE_REFUSED = "file_refused"
# The problem of a record that is counted and not kept, because its entity was erased.
ERASED = "erased"


@dataclass(frozen=True, kw_only=True)
class Table:
    path: str
    columns: Columns
    key: tuple[str, ...]
    partition: tuple[str, ...]
    retention_days: int
    # Columns with file statistics for data skipping, besides the partition.
    stats: tuple[str, ...] = ()
    # Columns about the run; rows that differ only in these count as equal.
    notes: tuple[str, ...] = ()
    # Whether changed counts alone are worth a commit when the rows stay the same.
    keeps_books: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    @property
    def identity(self) -> list[str]:
        """The columns that identify a row: partition and key."""
        return [*self.partition, *(name for name in self.key if name not in self.partition)]

    @property
    def payload(self) -> list[str]:
        return [name for name in self.names if name not in (*self.identity, *self.notes)]


def made_once(layout: Callable[[Contract], Table]) -> Callable[[Contract], Table]:
    """Keep the table beside its contract: whoever asks about many days asks for it many times."""

    @wraps(layout)
    def kept(contract: Contract) -> Table:
        made: dict[str, Table] = vars(contract).setdefault("_tables", {})
        if layout.__qualname__ not in made:
            made[layout.__qualname__] = layout(contract)
        return made[layout.__qualname__]

    return kept


@made_once
def raw(contract: Contract) -> Table:
    """The records that arrived on ds: each distinct record of a file once, with its number of copies."""
    fields = tuple((column.name, "string") for column in contract.columns)
    return Table(
        path=f"raw/{contract.name}",
        columns=(
            ("ds", contract.period_type),
            ("file", "string"),
            ("record_hash", "string"),
            ("copies", "long"),
            *fields,
        ),
        key=("file", "record_hash"),
        partition=("ds",),
        retention_days=contract.retention_days,
        keeps_books=True,
    )


@made_once
def quarantine(contract: Contract) -> Table:
    """Every refused record in full, with all reasons."""
    return Table(
        path=f"quarantine/{contract.name}",
        columns=(
            ("ds", contract.period_type),
            ("job", "string"),
            *OF_A_RECORD,
            ("run_id", "string"),
        ),
        key=("file", "record_hash"),
        partition=("ds", "job"),
        retention_days=contract.retention_days,
        notes=("run_id",),
    )


@made_once
def processed(contract: Contract) -> Table:
    """The current row of every key by event date, with the ds of its arrival."""
    period = contract.period_type
    return Table(
        path=f"processed/{contract.name}",
        columns=(
            ("event_date", period),
            ("arrived", period),
            ("record_hash", "string"),
            *typed(contract),
        ),
        key=contract.key,
        partition=("event_date",),
        retention_days=contract.retention_days,
        keeps_books=True,
        stats=("arrived",),
    )


@made_once
def superseded(contract: Contract) -> Table:
    """Replaced rows; each was current from `arrived` until `superseded`."""
    current = processed(contract)
    return Table(
        path=f"superseded/{contract.name}",
        columns=(*current.columns, ("superseded", contract.period_type)),
        key=(*contract.key, "record_hash", "arrived"),
        partition=("event_date",),
        retention_days=contract.retention_days,
        stats=("arrived", "superseded"),
    )


def row_versions(contract: Contract) -> tuple[Table, Table]:
    """The two tables that together hold every accepted version of a key: the current rows, and those set aside."""
    return processed(contract), superseded(contract)


@made_once
def partials(contract: Contract) -> Table:
    """One aggregate per entity and event date, computed from the rows known on `ds`."""
    entity = contract.features.entity
    return Table(
        path=f"partials/{contract.name}/v{contract.features.version}",
        columns=(
            ("ds", contract.period_type),
            (entity, type_of(contract, entity)),
            ("event_date", contract.period_type),
            ("events", "long"),
            *sorted(states(contract).items()),
        ),
        key=(entity, "event_date"),
        partition=("ds",),
        retention_days=contract.retention_days,
        keeps_books=True,
    )


@made_once
def features(contract: Contract) -> Table:
    """One feature row per entity and ds."""
    entity = contract.features.entity
    columns = tuple(
        (feature.name, feature.rule.type(lambda name: type_of(contract, name))) for feature in contract.features.columns
    )
    return Table(
        path=features_path(contract.name, contract.features.version),
        columns=(("ds", contract.period_type), (entity, type_of(contract, entity)), *columns),
        key=(entity,),
        partition=("ds",),
        retention_days=contract.retention_days,
        keeps_books=True,
    )


def features_path(dataset: str, version: int) -> str:
    return f"features/{dataset}/v{version}"


@made_once
def published(contract: Contract) -> Table:
    """The feature rows for readers. Its Delta log is kept forever, because a pin may outlive the retention."""
    return replace(features(contract), path=f"published/{contract.name}/v{contract.features.version}")


# The stages of a day by table name: the job that writes the table, and its layout.
STAGES = dict(zip(TABLES, (("ingest", raw), ("clean", processed), ("features", features)), strict=True))


def typed(contract: Contract) -> Columns:
    return tuple((column.name, column.type) for column in (*contract.columns, *contract.derived))


def type_of(contract: Contract, name: str) -> str:
    return dict((*typed(contract), *((measure.name, measure.type) for measure in contract.features.measures)))[name]


def states(contract: Contract) -> dict[str, str]:
    """Return the columns of the partials that the aggregates need, with their types. Features share equal columns."""
    lookups = [rule for rules in lookups_of(contract).values() for rule in rules]
    needed = {rule.state: rule.type(str) for rule in lookups}
    for rule in (feature.rule for feature in contract.features.columns):
        if not isinstance(rule, ColumnAggregate):
            continue
        column, type_ = rule.column, type_of(contract, rule.column)
        if isinstance(rule, Sum | Mean):
            needed[f"sum_{column}"] = sum_type(type_)
        if isinstance(rule, Mean) or (isinstance(rule, Share) and rule.of == "known"):
            needed[f"count_{column}"] = "long"
        if isinstance(rule, Min):
            needed[f"min_{column}"] = type_
        if isinstance(rule, Max):
            needed[f"max_{column}"] = type_
        if isinstance(rule, Last):
            needed[f"last_{column}"] = f"struct<time:timestamp,value:{type_}>"
        if isinstance(rule, Distinct | MostFrequent):
            needed[f"values_{column}"] = f"array<struct<value:{type_},count:long>>"
        if isinstance(rule, Share):
            needed[f"true_{column}"] = "long"
    return needed
