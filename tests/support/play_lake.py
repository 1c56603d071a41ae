"""A small pipeline to play with: lands text, runs jobs in the shared session, reads tables without Spark."""

from __future__ import annotations

import csv
import uuid
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable

from common.contracts import datasets
from common.contracts.contract import Column, Contract
from common.orchestration.job import Job, Line, run_day
from common.published import catalog
from common.runtime.run import Run
from common.runtime.settings import load_settings
from jobs.clean import CLEAN
from jobs.compact import COMPACT
from jobs.datasets.churn import sample
from jobs.features import FEATURES
from jobs.ingest import INGEST
from jobs.publish import PUBLISH
from jobs.validate import VALIDATE
from tests.support.tables_as_text import parse

DAY = date.fromisoformat
PURCHASE = {
    "transaction_id": "t1",
    "user_id": "1",
    "age": "30",
    "purchase_amount": "10.00",
    "timestamp": "2026-01-05T10:00:00Z",
    "category": "food",
    "payment_method": "card",
}


@dataclass
class PlayLake:
    root: Path
    dataset: str = "transactions"
    changed: dict[str, Any] = field(default_factory=dict)

    def saying(self, **changed: Any) -> PlayLake:
        """The same lake, as if its contract said otherwise in something."""
        return replace(self, changed=changed)

    @property
    def contract(self) -> Contract:
        return replace(datasets.load(self.dataset).contract, **self.changed)

    def columns(self, name: str, **changed: Any) -> tuple[Column, ...]:
        """The contract's columns, one of which is declared otherwise."""
        return tuple(replace(each, **changed) if each.name == name else each for each in self.contract.columns)

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def online(self) -> str:
        return f"sqlite:///{self.root}/online.db"

    def folder(self, ds: str) -> Path:
        path = self.landing / self.dataset / f"ds={ds}"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def land(self, ds: str, text: str, name: str = "part.csv") -> Path:
        """Purchases as a text table; a column that isn't named is that of PURCHASE."""
        path = self.folder(ds) / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(PURCHASE))
            writer.writeheader()
            for row in parse(text):
                writer.writerow({**PURCHASE, "timestamp": f"{ds}T10:00:00Z", **row})
        return path

    def land_bytes(self, ds: str, content: bytes, name: str = "part.csv") -> Path:
        path = self.folder(ds) / name
        path.write_bytes(content)
        return path

    def publish_customers(self, ds: str, seed: int = 7) -> None:
        """A day of a small customer base, from landing to published."""
        rows, _ = sample.generate(DAY(ds), 120, seed, dirt=False)
        lines = [",".join(value or "" for value in row) for row in rows]
        self.land_bytes(ds, "\n".join([",".join(sample.COLUMNS), *lines]).encode())
        self.day(ds)
        self.publish(ds)

    def plan(self, job: str, ds: str, **options: Any) -> Run:
        settings = load_settings("local", lake=str(self.root / "lake"), landing=str(self.landing))
        settings = settings.model_copy(update={"lock_wait_seconds": 0.2, "online": self.online})
        full_refresh = options.pop("full_refresh", False)
        code = options.pop("code", f"test {self.changed or ''}".strip())
        dataset = replace(datasets.load(self.dataset), contract=self.contract)
        return Run(job, dataset, DAY(ds), settings, f"run of {job} {ds}", code, full_refresh, options)

    def run(self, job: Job, ds: str, **options: Any) -> Line:
        run = self.plan(job.name, ds, **options)
        return run_day(job, replace(run, run_id=f"{run.run_id} {uuid.uuid4().hex[:8]}"))

    def ingest(self, ds: str, **options: Any) -> Line:
        return self.run(INGEST, ds, **options)

    def clean(self, ds: str, **options: Any) -> Line:
        return self.run(CLEAN, ds, **options)

    def features(self, ds: str, **options: Any) -> Line:
        return self.run(FEATURES, ds, **options)

    def compact(self, ds: str, **options: Any) -> Line:
        return self.run(COMPACT, ds, **options)

    def validate(self, ds: str, table: str = "processed") -> Line:
        return self.run(VALIDATE, ds, table=table)

    def publish(self, ds: str) -> Line:
        """Validates the day's features and publishes them."""
        self.validate(ds, "features")
        return self.run(PUBLISH, ds)

    @property
    def published(self) -> catalog.FeatureTable:
        return catalog.Lake(str(self.root / "lake")).features(self.dataset)

    def day(self, ds: str) -> dict[str, Line]:
        """A day from landing to features."""
        return {job.name: self.run(job, ds) for job in (INGEST, CLEAN, FEATURES)}

    def table(self, path: str) -> DeltaTable:
        return DeltaTable(str(self.root / "lake" / path))

    def rows(self, kind: str, where: str = "true", path: str | None = None) -> list[dict[str, Any]]:
        """Rows of a table, read by DuckDB from what plain `deltalake` gives."""
        found = self.table(path or f"{kind}/{self.dataset}").to_pyarrow_table()
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("found", found)
            names = [column[0] for column in connection.execute("DESCRIBE found").fetchall()]
            cursor = connection.execute(f"SELECT * FROM found WHERE {where}")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def feature_rows(self, ds: str) -> list[dict[str, Any]]:
        return self.rows("features", f"ds = '{ds}'", f"features/{self.dataset}/v1")

    def state(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Each table's version and files: equal means that nothing at all was written."""
        lake = self.root / "lake"
        found = {}
        for log in sorted(lake.rglob("_delta_log")):
            table = DeltaTable(str(log.parent))
            found[str(log.parent.relative_to(lake))] = (table.version(), tuple(sorted(table.file_uris())))
        return found

    def content(self) -> dict[str, list[str]]:
        """Every row of every table, in an order of its own; which run refused a row is no part of what it says."""
        found = {}
        for path in self.state():
            rows = self.table(path).to_pyarrow_table().to_pylist()
            found[path] = sorted(str(sorted(each for each in row.items() if each[0] != "run_id")) for row in rows)
        return found
