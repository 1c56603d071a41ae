"""Explain a feature row: the run that wrote it, its source versions, and the events in its window. No Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from common.contracts import datasets, layout
from common.contracts.changes import DELETED, changes_of, event_dates
from common.contracts.contract import Contract
from common.days import as_stored, day_range, from_text
from common.errors import SourceMissingError
from common.features import definition
from common.lake import snapshot
from common.lake.log.delta_log import NO_TABLE
from common.published.resettled import SUPERSEDED, without_arrivals
from common.published.view import View


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
    days, lateness = event_dates(contract, ds, contract.features.days_back), contract.lateness
    left_out = [from_text(day) for day in facts.get("left_out", [])]

    def read(dates: list[date], where: Any) -> pa.Table:
        return _versions(lake, contract, facts["sources"], dates, where)

    versions = read(days, pc.field(contract.features.entity) == pc.scalar(entity))
    if not versions.num_rows:
        return versions
    if left_out:
        near = sorted({near for day in days for near in day_range(day, lateness, lateness)})
        versions = without_arrivals(versions, left_out, contract, partial(read, near))
    still = pc.field(SUPERSEDED).is_null() | (pc.field(SUPERSEDED) > as_stored(ds))
    if changes_of(contract):
        still &= ~pc.field(DELETED)
    known = versions.filter((pc.field("arrived") <= as_stored(ds)) & still)
    order = [contract.event_time or "event_date", *contract.key]
    return known.drop_columns([SUPERSEDED]).sort_by([(name, "ascending") for name in order])


def _versions(lake: str, contract: Contract, sources: dict[str, int], dates: list[date], where: Any) -> pa.Table:
    """The stored versions, with the day on which each was superseded; none for a current row."""
    current, replaced = (_read(lake, table, sources, dates, where) for table in layout.row_versions(contract))
    if replaced.num_rows:
        # A clean that was killed between two commits leaves a row in both tables: the one set aside counts.
        identity = ["event_date", *contract.key, "record_hash", "arrived"]
        current = current.join(replaced.select(identity), identity, join_type="left anti")
    if SUPERSEDED not in replaced.column_names:
        return current.append_column(SUPERSEDED, pa.nulls(current.num_rows, current.schema.field("arrived").type))
    return pa.concat_tables([current, replaced], promote_options="permissive")


def _read(lake: str, table: layout.Table, sources: dict[str, int], days: list[date], where: Any) -> pa.Table:
    version = sources.get(table.path, NO_TABLE)
    if version == NO_TABLE:
        return pa.table({})
    stored = snapshot.open_version(f"{lake}/{table.path}", version)
    return pa.concat_tables([stored.read(str(day), where=where) for day in days])
