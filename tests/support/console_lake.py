"""A lake of many days with all that the console shows, without the rows of its tables: some days failed, some are stale."""

from __future__ import annotations

import json
import math
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from common.contracts import layout, suite
from common.contracts.layout import STAGES, Table
from common.days import HOUR, as_stored, start_of
from common.lake.storage.files import write_json
from common.orchestration import run_log, stages
from common.quality.profiles import QUANTILES, SCHEMA
from tests.support.long_lake import LongLake

EVIL = "</script><img src=x onerror=alert(1)>"
PROFILED_DAYS = 35
CATEGORIES = ("electronics", "clothing", "home", "food", "sports")
RECORDS = pa.schema(
    [
        ("file", pa.string()),
        ("record_hash", pa.string()),
        ("copies", pa.int64()),
        ("reasons", pa.list_(pa.string())),
        ("record", pa.string()),
    ]
)


class ConsoleLake(LongLake):
    """`failed` days were stopped by the gate, `warned` ones drifted, and `stale` ones lack late rows."""

    failed: tuple[date, ...] = ()
    warned: tuple[date, ...] = ()

    def fill(self, days: list[date], failed: tuple[date, ...] = (), warned: tuple[date, ...] = ()) -> None:
        self.failed, self.warned = failed, warned
        self.random = random.Random(self.dataset)
        self.write(days)
        for number, ds in enumerate(days):
            self._log_runs(ds, 2000 + int(600 * math.sin(number / 9)) + self.random.randrange(200))
        for ds in days[-PROFILED_DAYS:]:
            self._results(ds)
        self._profiles(days[-PROFILED_DAYS:])

    def late_rows(self, arrived: date, event: date) -> None:
        """Rows of a day that was cleaned again: later days that hold the event are stale."""
        touched = {"touched": [str(event)], "run_id": "late"}
        self.commit(layout.processed(self.contract), "clean", arrived, [layout.raw(self.contract)], touched)

    def create(self, table: Table) -> None:
        if table != layout.quarantine(self.contract):
            super().create(table)
            return
        schema = pa.schema([("ds", pa.date32()), ("job", pa.string()), *RECORDS])
        self.create_as(table, schema)

    def commit(
        self, table: Table, job: str, ds: date, sources: list[Table], books: dict[str, Any] | None = None
    ) -> None:
        if ds in self.failed and job in ("features", "publish", "validate-features"):
            return
        if table == layout.quarantine(self.contract):
            self._refuse(Path(self.lake) / table.path / f"{job}-{ds}.parquet", ds)
        super().commit(table, job, ds, sources, books)

    def _verdict(self, name: str, ds: date, failed: tuple[str, ...] = ()) -> None:
        stopped = ds in self.failed and name == "processed"
        super()._verdict(name, ds, (self._broken()["expectation"],) if stopped else failed)

    def _refuse(self, file: Path, ds: date) -> None:
        required = next(column.name for column in self.contract.columns if column.required)
        record = json.dumps({column.name: f"{EVIL} {ds}" for column in self.contract.columns})
        rows = [
            {"file": "part.csv", "record_hash": f"{ds}-{number}", "copies": 1, "record": record, "reasons": [reason]}
            for number, reason in enumerate((f"{required}:missing", "too_few_fields")[: 1 + ds.day % 2])
        ]
        pq.write_table(pa.Table.from_pylist(rows, RECORDS), file)

    def _log_runs(self, ds: date, landed: int) -> None:
        refused, doubled = 2 + ds.day % 7, ds.day % 5
        counts = {
            "ingest": {"landed": landed, "accepted": landed - refused, "quarantined": refused, "refused_files": 0},
            "clean": {"accepted": landed - refused - doubled - 9, "late": 9, "duplicates": doubled, "quarantined": 0},
            "features": {"features": landed // 2},
            "publish": {"rows": landed // 2},
        }
        for step in (*stages.STEPS, "compact"):
            at = (start_of(ds) + timedelta(hours=2, minutes=10)).isoformat(timespec="milliseconds")
            record = {"line": self._line(step, ds, counts.get(step, {})), "at": at}
            if ds in self.failed and step == "validate-processed":
                record = {"failure": {**self._failure(ds), "at": at}}
            self._write(step, ds, record)
            if "failure" in record:
                break

    def _line(self, step: str, ds: date, counts: dict[str, int]) -> dict[str, Any]:
        tables = {"ingest": "raw", "clean": "processed", "features": "features", "publish": "published"}
        path = stages.STEPS[step].target(self.contract).path if step in tables else ""
        line = {
            "job": step,
            "ds": str(ds),
            "outcome": "done",
            "counts": counts,
            "seconds": 4.2,
            "run_id": f"{hash(ds):x}",
        }
        line |= {"written": {path: self.at[path]}} if path else {}
        return {**line, "warnings": [self._drifted(ds)]} if ds in self.warned and step == "validate-features" else line

    def _failure(self, ds: date) -> dict[str, Any]:
        message = f"{self.dataset} processed of {ds}: 1 of 12 rules failed, so downstream jobs will not read this day."
        return {"error": "ContractViolationError", "message": message, "failures": [self._broken()]}

    def _broken(self) -> dict[str, Any]:
        required = next(column.name for column in self.contract.columns if column.required)
        counted = {"severity": "error", "success": False, "checked": 1500, "failed": 64, "examples": ["200", EVIL]}
        return {"expectation": "ExpectColumnValuesToNotBeNull()", "column": required, "kind": "rows", **counted}

    def _drifted(self, ds: date) -> dict[str, Any]:
        feature, off = self.contract.features.columns[0].name, ds in self.warned
        measured = {"success": not off, "observed": 0.41 if off else 0.02 + ds.day / 400, "limit": 0.27}
        return {
            "expectation": "PsiToBeAtMost(0.25)",
            "column": feature,
            "kind": "drift",
            "severity": "warn",
            **measured,
        }

    def _results(self, ds: date) -> None:
        landed, age = {"kind": "volume", "observed": 2100, "limit": [1500, 2700]}, {"kind": "freshness", "limit": 24}
        for name in STAGES:
            found = [
                {"expectation": rule.words, "column": rule.column, "success": True, "severity": str(rule.severity)}
                for rule in suite.rules_of(self.contract, name)
            ]
            if name == "raw":
                found.append({"expectation": "RowsToBeAsUsual(weeks=4)", "severity": "warn", "success": True, **landed})
            if name == "processed":
                fresh = {"severity": "error", "success": True, "observed": 2 + ds.day % 9, **age}
                found.append({"expectation": "AgeInHoursToBeAtMost(24)", **fresh})
                found += [self._broken()] if ds in self.failed else []
            if name == "features":
                found.append(self._drifted(ds))
            if name == "features" and ds in self.failed:
                continue
            write_json(run_log.results_place(self.lake, self.dataset, name, ds), {"table_id": "", "results": found})

    def _profiles(self, days: list[date]) -> None:
        rows = [
            self._profile(ds, name, column, type_, number)
            for ds in days
            for name in ("processed", "features")
            for number, (column, type_) in enumerate(suite.table_of(self.contract, name).columns)
        ]
        place = f"{self.lake}/profiles/{self.dataset}"
        kind = SCHEMA.field("ds").with_type(pa.string() if self.contract.every == HOUR else pa.date32())
        table = pa.Table.from_pylist([{**row, "ds": as_stored(row["ds"])} for row in rows], SCHEMA.set(0, kind))
        write_deltalake(place, table, partition_by=["ds"])

    def _profile(self, ds: date, table: str, column: str, type_: str, number: int) -> dict[str, Any]:
        about = {"ds": ds, "table": table, "column": column, "label": "", "type": type_, "rows": 1000}
        counted = {"nulls": ds.day % 4 * 10, "distinct": 400}
        if type_ == "string":
            counts = [500 - 10 * (ds.day % 5), 200, 120, 100 + 10 * (ds.day % 5), 50]
            top = [{"value": value, "count": count} for value, count in zip(CATEGORIES, counts, strict=True)]
            return {**about, **counted, "distinct": 5, "top": top}
        if type_.partition("(")[0] in ("date", "timestamp", "boolean"):
            return {**about, **counted, "smallest": f"{ds}", "largest": f"{ds}"}
        scale = (number + 1) * (1 + 0.1 * math.sin(ds.toordinal() / 5))
        values = [round(scale * (3 + 40 * share**3 + 9 * share), 3) for share in QUANTILES]
        numbers = {"mean": sum(values) / len(values), "deviation": scale * 12, "quantiles": values}
        return {**about, **counted, "smallest": str(values[0]), "largest": str(values[-1]), **numbers}

    def _write(self, step: str, ds: date, record: dict[str, Any]) -> None:
        write_json(f"{self.lake}/{run_log.FOLDER}/{self.dataset}/{step}/{ds}.json", record)


def last_days(count: int, until: date = date(2026, 1, 31)) -> list[date]:
    return [until - timedelta(days=back) for back in range(count - 1, -1, -1)]


def write_console_lake(root: Path, names: tuple[str, ...], count: int) -> list[ConsoleLake]:
    """Each dataset with a failed day, warnings and stale days, the last one with fewer days."""
    lakes = [ConsoleLake(root, name) for name in names]
    for number, lake in enumerate(lakes):
        days = last_days(count)
        failed = tuple(day for place, day in enumerate(days) if place % 97 == 60 + number)
        warned = tuple(day for place, day in enumerate(days) if place % 23 == 7 + number)
        lake.fill(days, (*failed, *([days[-1]] if number == 0 else [])), warned)
        if number == 1 and count > 20:
            lake.late_rows(days[-9], days[-12])
    return lakes
