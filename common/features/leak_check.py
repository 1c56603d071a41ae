"""A proof, not a promise: the same day computed with and without a future that would show, and compared."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from common.contracts import layout
from common.contracts.contract import Column, Contract
from common.days import day_range
from common.errors import ContractViolationError, InconclusiveCheckError, SourceMissingError
from common.features.build import arrival_days
from common.lake import small_tables, spark_tables
from common.lake.merge import DesiredSlice, converge
from common.lake.row_diff import diff_rows
from common.orchestration import run_log
from common.runtime.run import Run

LARGEST = {"int": 2**31 - 1, "long": 2**63 - 1}
POISONED = 200  # stored rows that the poison is made from
Compute = Callable[[Run], object]


def check_features(run: Run, future: Sequence[Compute], compute: Compute) -> dict[str, int]:
    """The features of the cutoff day, without and with a poisoned day after it. `future` are the jobs that take a day in."""
    table = layout.features(run.contract)
    with _beside(run, "clean") as clean, _beside(run, "poisoned") as poisoned:
        poison = _poison(poisoned)
        after = replace(poisoned, ds=run.ds + timedelta(days=1))
        _land(after, poison)
        for job in future:
            job(after)
        taken = _taken_in(after, len(poison))
        found = []
        for each in (clean, poisoned):
            compute(each)
            found.append(small_tables.read_slice(each.path(table), {"ds": [run.ds]}))
    _insist_same(run, found[0], found[1], table.identity)
    return {"rows": found[0].num_rows, "poisoned": len(poison), "taken_in": taken, "leaks": 0}


@contextmanager
def _beside(run: Run, name: str) -> Iterator[Run]:
    """A lake of its own that holds what the features of the day are made from."""
    with tempfile.TemporaryDirectory(prefix=f"leakcheck-{name}-") as folder:
        settings = run.settings.model_copy(update={"lake": f"{folder}/lake", "landing": f"{folder}/landing"})
        other = replace(run, settings=settings)
        dates = arrival_days(run)
        for table in (layout.processed(run.contract), layout.superseded(run.contract)):
            rows = spark_tables.read_partitions(run, table, {"event_date": dates}).where(
                F.col("arrived") <= F.lit(run.ds)
            )
            converge(other, DesiredSlice(table=table, where={"event_date": dates}, desired=rows), {"counts": {}})
        run_log.copy(run, other, "clean", dates)
        yield other


def _taken_in(after: Run, landed: int) -> int:
    """How much of the poison counts as events. Refused, it could not have shown in any feature."""
    counts = run_log.load_other(after, "clean", after.ds).line["counts"]
    taken = sum(counts[name] for name in ("accepted", "late", "superseded"))
    if not taken:
        raise InconclusiveCheckError(
            f"none of the {landed} rows of poison of {after.contract.name} {after.ds} was taken in ({counts}), so nothing is "
            "proven. They are rows of the days before with other values: does the contract refuse those, or its derive?"
        )
    return int(taken)


def _poison(run: Run) -> list[dict[str, str | None]]:
    """Records of the day after the cutoff: later events, late ones, and corrections of what is known, with other values."""
    contract = run.contract
    dates = day_range(run.ds, contract.lateness_days)
    known = spark_tables.read_partitions(run, layout.processed(contract), {"event_date": dates})
    rows = [row.asDict() for row in known.orderBy(*contract.key).limit(POISONED).collect()]
    if not rows:
        raise SourceMissingError(
            f"{contract.name} has no row of {dates[0]}..{run.ds} that poison could be made from; choose another day"
        )
    if contract.event_time is None:
        return [_record(contract.columns, _otherwise(run, row)) for row in rows]
    found = known.agg(*(F.max(name).alias(name) for name in contract.key)).first()
    highest = found.asDict() if found else {}
    made = []
    for place, row in enumerate(rows):
        other = _otherwise(run, row)
        if place % 3 == 0:
            other[contract.event_time] = _moved(row[contract.event_time], run.ds + timedelta(days=1))
        if place % 3 < 2:
            other |= _new_key(contract, row, highest, place)
        made.append(_record(contract.columns, other))
    return made


def _new_key(contract: Contract, row: dict[str, Any], highest: dict[str, Any], place: int) -> dict[str, Any]:
    """Makes the row another event of its entity; nothing, where no column of the key can be another, which corrects it."""
    for name in contract.key:
        column = contract.column(name)
        if name in (contract.features.entity, contract.event_time) or column.values:
            continue
        if column.type == "string":
            return {name: f"poison-{row[name]}"}
        if column.type in LARGEST:
            largest = LARGEST[column.type] if column.maximum is None else column.maximum
            return {name: highest[name] + 1 + place} if highest[name] + 1 + place <= largest else {}
    return {}


def _otherwise(run: Run, row: dict[str, Any]) -> dict[str, Any]:
    """The same row with every value changed that may change: neither its key, nor its entity, nor its time."""
    contract = run.contract
    fixed = {*contract.key, contract.features.entity, contract.event_time}
    return {c.name: row[c.name] if c.name in fixed else _other(c, row[c.name]) for c in contract.columns}


def _other(column: Column, value: Any) -> Any:
    if column.values:
        return column.values[(column.values.index(value) + 1) % len(column.values)] if value in column.values else value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    larger = value * 3 + 7
    return column.maximum if column.maximum is not None and larger > column.maximum else larger


def _moved(value: date | datetime, day: date) -> date | datetime:
    return datetime.combine(day, value.timetz()) if isinstance(value, datetime) else day


def _record(columns: Sequence[Column], row: dict[str, Any]) -> dict[str, str | None]:
    return {c.name: _text(row[c.name]) for c in columns}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def _land(run: Run, records: list[dict[str, str | None]]) -> None:
    folder = Path(run.settings.landing) / run.contract.name / f"ds={run.ds}"
    folder.mkdir(parents=True)
    (folder / "poison.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")


def _insist_same(run: Run, before: pa.Table, after: pa.Table, key: list[str]) -> None:
    found = diff_rows(before, after, key)
    if found is None:
        return
    raise ContractViolationError(
        f"features of {run.contract.name} {run.ds} change with what came after that day: {found.words}. "
        "A measure or an aggregate reads more than it is given.",
        found.facts,
    )
