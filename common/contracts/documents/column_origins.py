"""Where each column of a table comes from, as the contract says: source column -> raw -> processed -> feature."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from common.contracts import layout
from common.contracts.aggregates import Aggregate, DatePart, FeatureRatio, Pick, Windowed
from common.contracts.column import Column
from common.contracts.contract import LINE, Contract
from common.contracts.datasets import Dataset
from common.contracts.documents.computed_columns import computation
from common.contracts.lookup import Lookup

Kind = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
EVENT_DATE, ARRIVED = "event_date", "arrived"


@dataclass(frozen=True)
class Origin:
    """The columns of one table that a column is made from, and how, in words. Without columns it comes from ds alone."""

    table: str
    columns: tuple[str, ...]
    kind: Kind
    words: str


Origins = dict[str, Origin]


def landing_path(contract: Contract) -> str:
    """The name of the landing folder among the tables' paths."""
    return f"landing/{contract.name}"


def of_raw(dataset: Dataset) -> Origins:
    source = landing_path(dataset.contract)
    return {
        column.name: Origin(source, (column.source or column.name,), "IDENTITY", "the field's text, as it arrived")
        for column in dataset.contract.columns
    }


def of_processed(dataset: Dataset) -> Origins:
    contract = dataset.contract
    raw = layout.raw(contract).path
    own = {column.name: Origin(raw, (column.name,), "TRANSFORMATION", column.meaning) for column in contract.columns}
    event = (contract.event_time,) if contract.event_time else ("ds",)
    dated = (
        f"the date of {contract.event_time} in {contract.zone}" if contract.event_time else "the day of the snapshot"
    )
    added = {
        EVENT_DATE: Origin(raw, event, "TRANSFORMATION", dated),
        ARRIVED: Origin(raw, ("ds",), "IDENTITY", "the day on which the row arrived"),
    }
    known = {**own, **added}
    for column in contract.derived:
        known[column.name] = _derived(dataset, column, known)
    return known


def _derived(dataset: Dataset, column: Column, known: Origins) -> Origin:
    raw = layout.raw(dataset.contract).path
    if dataset.contract.key == LINE and column.name in LINE:
        return Origin(raw, ("file", "record_hash", "copies"), "TRANSFORMATION", column.description)
    computed = computation(dataset.transforms_file, "derive", column.name, known)
    return Origin(raw, _columns(known, computed.reads), "TRANSFORMATION", computed.words)


def of_features(dataset: Dataset) -> Origins:
    contract = dataset.contract
    processed = layout.processed(contract)
    known: Origins = {name: Origin(processed.path, (name,), "IDENTITY", name) for name in processed.names}
    for measure in contract.features.measures:
        computed = computation(dataset.transforms_file, "measure", measure.name, known)
        known[measure.name] = Origin(
            processed.path, computed.reads, "TRANSFORMATION", f"{measure.name} = {computed.words}"
        )
    entity = contract.features.entity
    features = {entity: Origin(processed.path, (entity,), "IDENTITY", "the entity")}
    # Ratios last: they divide other features.
    for feature in sorted(contract.features.columns, key=lambda each: isinstance(each.rule, FeatureRatio)):
        parts = {**known, **features} if isinstance(feature.rule, FeatureRatio) else known
        features[feature.name] = _feature(feature.rule, processed.path, parts)
    return features


def _feature(rule: Aggregate, table: str, known: Origins) -> Origin:
    if isinstance(rule, Lookup):
        return Origin(layout.processed(rule.of).path, (rule.column,), "TRANSFORMATION", rule.words)
    reads = (rule.numerator, rule.divisor) if isinstance(rule, FeatureRatio) else rule.reads
    if isinstance(rule, Windowed) and not reads:
        reads = (EVENT_DATE,)
    measured = [known[name].words for name in reads if name in known and known[name].kind == "TRANSFORMATION"]
    kind: Kind = "AGGREGATION" if isinstance(rule, Windowed) else "TRANSFORMATION"
    if isinstance(rule, Pick):
        kind = "IDENTITY"
    columns = () if isinstance(rule, DatePart) else _columns(known, reads)
    return Origin(table, columns, kind, "; ".join([rule.words, *measured]))


def of_published(dataset: Dataset) -> Origins:
    table = layout.features(dataset.contract)
    return {name: Origin(table.path, (name,), "IDENTITY", "as the gate has passed it") for name in table.names}


def _columns(known: Origins, names: Iterable[str]) -> tuple[str, ...]:
    """The columns that those names were made from themselves."""
    return tuple(dict.fromkeys(column for name in names if name in known for column in known[name].columns))


# By the job that makes the table.
ORIGINS: dict[str, Callable[[Dataset], Origins]] = {
    "ingest": of_raw,
    "clean": of_processed,
    "features": of_features,
    "publish": of_published,
}
