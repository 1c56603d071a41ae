"""The tables that a contract implies: where each lies, its columns, its key and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    sum_type,
)
from common.contracts.contract import TABLES, Contract

Columns = tuple[tuple[str, str], ...]
# Why a file stands in quarantine as one record, which is what we say of it.
FILE_REFUSED = "file_refused"


@dataclass(frozen=True, kw_only=True)
class Table:
    path: str
    columns: Columns
    key: tuple[str, ...]
    partition: tuple[str, ...]
    retention_days: int
    # What files are skipped by, beside the partition.
    stats: tuple[str, ...] = ()
    # Columns that say where a row comes from; a row that differs in nothing else is the same.
    notes: tuple[str, ...] = ()
    # Whether a day whose rows stay the same but whose counts change gets a commit of its own.
    keeps_books: bool = False

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    @property
    def identity(self) -> list[str]:
        """What names a row: its partition and its key."""
        return [*self.partition, *(name for name in self.key if name not in self.partition)]

    @property
    def payload(self) -> list[str]:
        return [name for name in self.names if name not in (*self.identity, *self.notes)]


def raw(contract: Contract) -> Table:
    """What arrived on ds: each different record of each file once, with the number of its copies."""
    fields = tuple((column.name, "string") for column in contract.columns)
    return Table(
        path=f"raw/{contract.name}",
        columns=(("ds", "date"), ("file", "string"), ("record_hash", "string"), ("copies", "long"), *fields),
        key=("file", "record_hash"),
        partition=("ds",),
        retention_days=contract.retention_days,
        keeps_books=True,
    )


def quarantine(contract: Contract) -> Table:
    """Every refused record, whole, with every reason."""
    return Table(
        path=f"quarantine/{contract.name}",
        columns=(
            ("ds", "date"),
            ("job", "string"),
            ("file", "string"),
            ("record_hash", "string"),
            ("copies", "long"),
            ("reasons", "array<string>"),
            ("record", "string"),
            ("run_id", "string"),
        ),
        key=("file", "record_hash"),
        partition=("ds", "job"),
        retention_days=contract.retention_days,
        notes=("run_id",),
    )


def processed(contract: Contract) -> Table:
    """One current row per key, by event date, with the ds it arrived on."""
    return Table(
        path=f"processed/{contract.name}",
        columns=(("event_date", "date"), ("arrived", "date"), ("record_hash", "string"), *typed(contract)),
        key=contract.key,
        partition=("event_date",),
        retention_days=contract.retention_days,
        keeps_books=True,
        stats=("arrived",),
    )


def superseded(contract: Contract) -> Table:
    """The rows that better ones replaced: each was known from `arrived` until `superseded`."""
    current = processed(contract)
    return Table(
        path=f"superseded/{contract.name}",
        columns=(*current.columns, ("superseded", "date")),
        key=(*contract.key, "record_hash", "arrived"),
        partition=("event_date",),
        retention_days=contract.retention_days,
        stats=("arrived", "superseded"),
    )


def partials(contract: Contract) -> Table:
    """Per entity and event date the whole aggregate of that day, as known when `ds` had arrived."""
    entity = contract.features.entity
    return Table(
        path=f"partials/{contract.name}/v{contract.features.version}",
        columns=(
            ("ds", "date"),
            (entity, type_of(contract, entity)),
            ("event_date", "date"),
            ("events", "long"),
            *sorted(states(contract).items()),
        ),
        key=(entity, "event_date"),
        partition=("ds",),
        retention_days=contract.retention_days,
    )


def features(contract: Contract) -> Table:
    entity = contract.features.entity
    columns = tuple(
        (each.name, each.rule.type(lambda name: type_of(contract, name))) for each in contract.features.columns
    )
    return Table(
        path=f"features/{contract.name}/v{contract.features.version}",
        columns=(("ds", "date"), (entity, type_of(contract, entity)), *columns),
        key=(entity,),
        partition=("ds",),
        retention_days=contract.retention_days,
        keeps_books=True,
    )


def published(contract: Contract) -> Table:
    """The feature rows that readers see. Its log is kept for good: a pin may outlive the retention."""
    return replace(features(contract), path=f"published/{contract.name}/v{contract.features.version}")


# The tables that a day goes through, by name: the job that makes each, and its layout.
STAGES = dict(zip(TABLES, (("ingest", raw), ("clean", processed), ("features", features)), strict=True))


def typed(contract: Contract) -> Columns:
    return tuple((column.name, column.type) for column in (*contract.columns, *contract.derived))


def type_of(contract: Contract, name: str) -> str:
    return dict((*typed(contract), *((each.name, each.type) for each in contract.features.measures)))[name]


def states(contract: Contract) -> dict[str, str]:
    """The partial state that each declared aggregate needs, by column name: features that share a state share it."""
    needed: dict[str, str] = {}
    for rule in (each.rule for each in contract.features.columns):
        if not isinstance(rule, ColumnAggregate):
            continue
        column, type_ = rule.column, type_of(contract, rule.column)
        if isinstance(rule, Sum | Mean):
            needed[f"sum_{column}"] = sum_type(type_)
        if isinstance(rule, Mean):
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
