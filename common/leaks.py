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
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from common import layout, ledger, runs, tables
from common.contract import Column
from common.converge import Wish, converge
from common.days import around
from common.errors import ContractBroken
from common.examples import SPLIT
from common.features import arrivals
from common.run import Run
from common.sameness import EXAMPLES, unlike

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
        found = []
        for each in (clean, poisoned):
            compute(each)
            found.append(ledger.read(each.path(table), {"ds": [run.ds]}))
    _insist_same(run, found[0], found[1], table.identity)
    return {"rows": found[0].num_rows, "poisoned": len(poison), "leaks": 0}


def check_training_set(rows: DataFrame, fit: Callable[[DataFrame], Any]) -> dict[str, int]:
    """What is fitted with val and test as they are, and with other ones: any difference looked at them."""
    numbers = [name for name, type_ in rows.dtypes if type_.partition("(")[0] in ("int", "bigint", "double", "decimal")]
    others = F.col(SPLIT) != "train"
    changed = {
        name: F.when(others, (F.col(name) * 3 + 7).cast(dict(rows.dtypes)[name])).otherwise(F.col(name))
        for name in numbers
    }
    words = [name for name, type_ in rows.dtypes if type_ == "string" and name != SPLIT]
    changed |= {name: F.when(others, F.concat(F.col(name), F.lit(" poison"))).otherwise(F.col(name)) for name in words}
    before, after = (json.loads(fit(each).to_json()) for each in (rows, rows.withColumns(changed)))
    leaks = _differing(before, after)
    if leaks:
        raise ContractBroken(
            f"the fitted steps look at rows outside the train split: {leaks[:EXAMPLES]} changed when only val and test did. "
            "Fit on the train split alone.",
            [{"leak": each} for each in leaks],
        )
    return {"changed_columns": len(changed), "leaks": 0}


@contextmanager
def _beside(run: Run, name: str) -> Iterator[Run]:
    """A lake of its own that holds what the features of the day are made from."""
    with tempfile.TemporaryDirectory(prefix=f"leakcheck-{name}-") as folder:
        settings = run.settings.model_copy(update={"lake": f"{folder}/lake", "landing": f"{folder}/landing"})
        other = replace(run, settings=settings)
        dates = arrivals(run)
        for table in (layout.processed(run.contract), layout.superseded(run.contract)):
            rows = tables.read(run, table, {"event_date": dates}).where(F.col("arrived") <= F.lit(run.ds))
            converge(other, Wish(table=table, where={"event_date": dates}, desired=rows), {"counts": {}})
        runs.copy(run, other, "clean", dates)
        yield other


def _poison(run: Run) -> list[dict[str, str | None]]:
    """Records of the day after the cutoff: later events, late ones, and corrections of what is known, with other values."""
    contract = run.contract
    known = tables.read(run, layout.processed(contract), {"event_date": around(run.ds, contract.lateness_days)})
    rows = [row.asDict() for row in known.orderBy(*contract.key).limit(POISONED).collect()]
    if contract.event_time is None:
        return [_record(contract.columns, _otherwise(run, row)) for row in rows]
    made = []
    for place, row in enumerate(rows):
        other = _otherwise(run, row)
        if place % 3 == 0:
            other[contract.event_time] = _moved(row[contract.event_time], run.ds + timedelta(days=1))
        if place % 3 < 2 and len(contract.key) == 1 and isinstance(row[contract.key[0]], str):
            other[contract.key[0]] = f"poison-{row[contract.key[0]]}"
        made.append(_record(contract.columns, other))
    return made


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
    found = unlike(before, after, key)
    if found is None:
        return
    raise ContractBroken(
        f"features of {run.contract.name} {run.ds} change with what came after that day: {found.words}. "
        "A measure or an aggregate reads more than it is given.",
        found.facts,
    )


def _differing(before: Any, after: Any, where: str = "") -> list[str]:
    """The paths at which two JSON values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        names = sorted(before.keys() | after.keys())
        return [path for name in names for path in _differing(before.get(name), after.get(name), f"{where}/{name}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = zip(before, after, strict=True)
        return [path for place, pair in enumerate(pairs) for path in _differing(*pair, f"{where}/{place}")]
    return [] if before == after else [where]
