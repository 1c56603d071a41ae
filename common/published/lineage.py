"""Explain a feature row: the run that wrote it, its source versions, and the events in its window. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts import datasets, layout
from common.contracts.contract import Contract
from common.days import day_range
from common.errors import SourceMissingError
from common.features import definition
from common.lake import snapshot
from common.lake.delta_log import NO_TABLE
from common.published.view import View

SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Lineage:
    row: dict[str, Any]
    facts: dict[str, Any]  # about the publication: run, sources, counts, validation
    events: pa.Table  # the processed rows known on ds, oldest first


def explain(lake: str, view: View, entity: str, ds: date) -> Lineage:
    rows = view.arrow(ds=ds, entities=[entity])
    if not rows.num_rows:
        raise SourceMissingError(f"{view.table} version {view.version} has no row of {view.entity} {entity} on {ds}")
    (row,) = rows.to_pylist()
    facts = view.published[str(ds)]
    dataset = datasets.load(view.table.partition("@")[0])
    definition.require_declared(dataset, facts, f"{view.table} of {ds}")
    contract = dataset.contract
    return Lineage(row, facts, _events(lake, contract, facts, row[view.entity], ds))


def _events(lake: str, contract: Contract, facts: dict[str, Any], entity: Any, ds: date) -> pa.Table:
    """The entity's rows in the window at the versions that were read, by the same rule as `common.clean.as_of`."""
    days = day_range(ds, contract.features.days_back)
    of_entity = pc.field(contract.features.entity) == pc.scalar(entity)
    current, superseded = (
        _read(lake, table, facts["sources"], days, of_entity)
        for table in (layout.processed(contract), layout.superseded(contract))
    )
    left_out = pa.array(map(date.fromisoformat, facts.get("left_out", [])), pa.date32())
    if superseded.num_rows:
        # What only an arrival that was left out has superseded still counted.
        still = (pc.field(SUPERSEDED) > ds) | pc.field(SUPERSEDED).isin(left_out)
        replaced = superseded.filter((pc.field("arrived") <= ds) & still).drop_columns([SUPERSEDED])
        identity = ["event_date", *contract.key, "record_hash", "arrived"]
        current = current.join(replaced.select(identity), identity, join_type="left anti")
        current = pa.concat_tables([current.select(replaced.column_names), replaced])
    if not current.num_rows:
        return current
    known = current.filter((pc.field("arrived") <= ds) & ~pc.field("arrived").isin(left_out))
    if len(left_out):
        newest = known.group_by(list(contract.key)).aggregate([("arrived", "max")])
        newest = newest.rename_columns([*contract.key, "arrived"])
        known = known.join(newest, [*contract.key, "arrived"], join_type="left semi")
    order = [contract.event_time or "event_date", *contract.key]
    return known.sort_by([(name, "ascending") for name in order])


def _read(lake: str, table: layout.Table, sources: dict[str, int], days: list[date], where: Any) -> pa.Table:
    version = sources.get(table.path, NO_TABLE)
    if version == NO_TABLE:
        return pa.table({})
    stored = snapshot.open_version(f"{lake}/{table.path}", version)
    return pa.concat_tables([stored.read(str(day), where=where) for day in days])
