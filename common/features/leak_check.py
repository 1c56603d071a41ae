"""Prove that features do not leak: compute a day with and without poisoned later data, and compare the rows."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from common.clean.as_of import without_deleted
from common.contracts import datasets, layout
from common.contracts.changes import CHANGED, POSITION, changes_of, event_dates
from common.contracts.contract import Column, Contract, Files
from common.contracts.layout import Table
from common.contracts.lookup import looked_up
from common.days import EPOCHS, shifted
from common.errors import ContractViolationError, InconclusiveCheckError, SourceMissingError
from common.lake import small_tables, spark_tables
from common.lake.merging.merge import DesiredSlice, converge
from common.lake.period_columns import literal
from common.lake.row_diff import diff_rows
from common.orchestration import admission, stages, staleness, verdicts
from common.orchestration.changes import Logs
from common.runtime.run import Run
from common.runtime.settings import Telemetry

LARGEST = {"int": 2**31 - 1, "long": 2**63 - 1}
# At most this many stored rows are turned into poison.
POISONED = 200
Compute = Callable[[Run], object]


def check_features(run: Run, future: Sequence[Compute], compute: Compute) -> dict[str, int]:
    """Compare the features of the cutoff day without and with a poisoned next day.

    `future` are the jobs that ingest and clean the poisoned day; `compute` builds the features.
    """
    table = layout.features(run.contract)
    with _scratch_lake(run, "clean") as clean, _scratch_lake(run, "poisoned") as poisoned:
        poison = _poison(poisoned)
        next_day = replace(poisoned, ds=shifted(run.ds, 1))
        _land(next_day, poison)
        for job in future:
            job(next_day)
        accepted = _accepted(next_day, len(poison))
        without, with_poison = (_features(lake_run, compute, table) for lake_run in (clean, poisoned))
    _require_same(run, without, with_poison, table.identity)
    return {"rows": without.num_rows, "poisoned": len(poison), "taken_in": accepted, "leaks": 0}


def _features(run: Run, compute: Compute, table: Table) -> pa.Table:
    compute(run)
    return small_tables.read_slice(run.path(table), {"ds": [run.ds]})


@contextmanager
def _scratch_lake(run: Run, name: str) -> Iterator[Run]:
    """Yield the run in a temporary lake that holds a copy of the rows its features are made from."""
    with tempfile.TemporaryDirectory(prefix=f"leakcheck-{name}-") as folder:
        places = {"lake": f"{folder}/lake", "landing": f"{folder}/landing"}
        # Its runs report no metrics and no lineage.
        settings = run.settings.model_copy(update={**places, "telemetry": Telemetry()})
        # Poison comes as files, wherever the dataset's rows come from.
        files = Files(changes=changes_of(run.contract))
        by_files = replace(run.dataset, contract=replace(run.contract, source=files))
        scratch = replace(run, settings=settings, dataset=by_files)
        back = run.contract.features.days_back + run.contract.lateness
        _copy_rows(run, scratch, back)
        for contract in looked_up(run.contract):
            other = replace(run, dataset=datasets.load(contract.name), at={}, ids={}, left_out=())
            _copy_rows(other, replace(other, settings=settings), back)
        yield scratch


def _copy_rows(run: Run, scratch: Run, back: int) -> None:
    """Copy the rows that features of the run's ds may read, and let them count as validated where they are."""
    contract = scratch.contract
    dates = event_dates(contract, run.ds, back)
    arrivals = sorted(Logs(run).arrived(EPOCHS[contract.every])) if changes_of(contract) else dates
    for table in layout.row_versions(contract):
        rows = spark_tables.read_partitions(run, table, {"event_date": dates}).where(
            F.col("arrived") <= literal(run.ds)
        )
        # As if `clean` had run on each of the days.
        books = {"counts": {}, "days": [str(day) for day in arrivals]}
        cleaner = replace(scratch, job="clean", renews=True)
        converge(cleaner, DesiredSlice(table=table, where={"event_date": dates}, desired=rows), books)
    left_out = admission.left_out(arrivals, Logs(run))
    copied = Logs(scratch).now(layout.processed(contract))
    verdicts.assume_passed(scratch, "processed", [day for day in arrivals if day not in left_out], copied)


def _accepted(run: Run, landed: int) -> int:
    """Return how many poison rows count as events; quarantined ones could not change any feature."""
    cleaned = staleness.state_of(stages.CLEAN, run)
    counts = cleaned.facts["counts"] if cleaned else Counter[str]()
    accepted = sum(counts[name] for name in ("accepted", "late", "superseded"))
    if not accepted:
        raise InconclusiveCheckError(
            f"none of the {landed} poison rows of {run.contract.name} {run.ds} was accepted ({counts}), so the check "
            "proves nothing. Poison rows are rows of earlier days with changed values: check whether the contract or "
            "`derive` rejects such values."
        )
    return int(accepted)


def _poison(run: Run) -> list[dict[str, str | None]]:
    """Return records for the next day with changed values: new events, late events and corrections of stored rows."""
    contract = run.contract
    dates = event_dates(contract, run.ds, contract.lateness)
    known = spark_tables.read_partitions(run, layout.processed(contract), {"event_date": dates})
    known = without_deleted(known, contract)
    rows = [row.asDict() for row in known.orderBy(*contract.key).limit(POISONED).collect()]
    if not rows:
        raise SourceMissingError(
            f"{contract.name} has no row of {dates[0]}..{run.ds} to make poison from; choose another day"
        )
    if contract.event_time is None:
        return [_record(contract.columns, _with_other_values(run, row)) for row in rows]
    maxima = known.agg(*(F.max(name).alias(name) for name in contract.key)).first()
    highest = maxima.asDict() if maxima else {}
    records = []
    for index, row in enumerate(rows):
        other = _with_other_values(run, row)
        if index % 3 == 0:
            other[contract.event_time] = _on_day(row[contract.event_time], shifted(run.ds, 1))
        if index % 3 < 2:
            other |= _new_key(contract, row, highest, index)
        records.append(_record(contract.columns, other))
    return records


def _new_key(contract: Contract, row: dict[str, Any], highest: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a key that makes the row a new event of its entity; empty if no key column can change: a correction."""
    for name in contract.key:
        column = contract.column(name)
        if name in (contract.features.entity, contract.event_time) or column.values:
            continue
        if column.type == "string":
            return {name: f"poison-{row[name]}"}
        if column.type in LARGEST:
            largest = LARGEST[column.type] if column.maximum is None else column.maximum
            new = highest[name] + 1 + index
            return {name: new} if new <= largest else {}
    return {}


def _with_other_values(run: Run, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with every value changed, except its key, entity and event time."""
    contract = run.contract
    fixed = {*contract.key, contract.features.entity, contract.event_time}
    return {
        column.name: row[column.name] if column.name in fixed else _other(column, row[column.name])
        for column in contract.columns
    }


def _other(column: Column, value: Any) -> Any:
    if column.values:
        return column.values[(column.values.index(value) + 1) % len(column.values)] if value in column.values else value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    larger = value * 3 + 7
    return column.maximum if column.maximum is not None and larger > column.maximum else larger


def _on_day(value: date | datetime, day: date) -> date | datetime:
    return datetime.combine(day, value.timetz()) if isinstance(value, datetime) else day


def _record(columns: Sequence[Column], row: dict[str, Any]) -> dict[str, str | None]:
    return {column.name: _text(row[column.name]) for column in columns}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def _land(run: Run, records: list[dict[str, str | None]]) -> None:
    folder = Path(run.settings.landing) / run.contract.name / f"ds={run.ds}"
    folder.mkdir(parents=True)
    lines = [json.dumps(_envelope(run.contract, record)) for record in records]
    (folder / "poison.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _envelope(contract: Contract, record: dict[str, str | None]) -> dict[str, Any]:
    """The record as the source sends it, which may be a change."""
    changes = changes_of(contract)
    if changes is None:
        return record
    row = {name: value for name, value in record.items() if name not in CHANGED}
    return {"op": "u", "after": row, "source": {changes.position: record[POSITION]}}


def _require_same(run: Run, before: pa.Table, after: pa.Table, key: list[str]) -> None:
    diff = diff_rows(before, after, key)
    if diff is None:
        return
    raise ContractViolationError(
        f"features of {run.contract.name} {run.ds} depend on data that arrived after that day: {diff.words}. "
        "A measure or an aggregate reads more than its input rows; make it use only those.",
        diff.facts,
    )
