"""A lake of many days that are up to date, without its rows: only the logs of its tables, as the jobs write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, Schema

from common.contracts import datasets, layout
from common.contracts.layout import STAGES, Table
from common.features import definition
from common.lake.delta_log import NO_TABLE
from common.orchestration import stages, verdicts
from common.runtime.code_version import day_fingerprint
from common.sources.landing import Landing

NO_FILE = "part.csv"


@dataclass
class LongLake:
    root: Path
    dataset: str
    at: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        declared = datasets.load(self.dataset)
        self.contract, self.code = declared.contract, day_fingerprint(declared)
        self.facts = definition.define(declared).facts

    @property
    def lake(self) -> str:
        return str(self.root / "lake")

    @property
    def landing(self) -> str:
        return str(self.root / "landing")

    def write(self, days: list[date]) -> None:
        made = [stage.target(self.contract) for stage in (stages.INGEST, stages.CLEAN, stages.FEATURES, stages.PUBLISH)]
        beside = [layout.quarantine(self.contract), layout.superseded(self.contract), verdicts.table_of(self.contract)]
        for table in (*made, *beside):
            self._create(table)
        for ds in days:
            self._day(ds)
        for table in (*made, *beside):
            DeltaTable(f"{self.lake}/{table.path}").create_checkpoint()

    def _create(self, table: Table) -> None:
        dates = {*table.partition} - {"job"}
        fields = [pa.field(name, pa.date32() if name in dates else pa.string()) for name in table.names]
        made = DeltaTable.create(
            f"{self.lake}/{table.path}", Schema.from_arrow(pa.schema(fields)), partition_by=list(table.partition)
        )
        self.at[table.path], self.ids[table.path] = 0, str(made.metadata().id)

    def _day(self, ds: date) -> None:
        folder = Path(self.landing) / self.dataset / f"ds={ds}"
        folder.mkdir(parents=True)
        (folder / NO_FILE).write_text(f"id\n{ds}\n")
        raw, processed, features = (table(self.contract) for _, table in STAGES.values())
        quarantine, superseded = layout.quarantine(self.contract), layout.superseded(self.contract)
        source = Landing(self.contract, self.landing, ds).fingerprint()
        self._commit(raw, "ingest", ds, [], {"source": source, **self._beside(quarantine)})
        self._verdict("raw", ds)
        self._commit(quarantine, "clean", ds, [])
        self._commit(processed, "clean", ds, [raw], {"resettled": [], **self._beside(quarantine, superseded)})
        self._verdict("processed", ds)
        self._commit(features, "features", ds, [processed, superseded], self.facts)
        self._verdict("features", ds)
        facts = {"features_version": self.at[features.path], "features_id": self.ids[features.path], "rows": 1}
        self._commit(layout.published(self.contract), "publish", ds, [], {"days": {str(ds): facts}, **self.facts})

    def _beside(self, *tables: Table) -> dict[str, Any]:
        return {"beside": {table.path: [self.ids[table.path], self.at[table.path]] for table in tables}}

    def _verdict(self, name: str, ds: date) -> None:
        counts = {"counts": {"rules": 12, "passed": 12, "warnings": 0}}
        judged = [STAGES[name][1](self.contract)]
        self._commit(verdicts.table_of(self.contract), f"validate-{name}", ds, judged, counts)

    def _commit(
        self, table: Table, job: str, ds: date, sources: list[Table], books: dict[str, Any] | None = None
    ) -> None:
        written = datetime.combine(ds + timedelta(days=1), time(1), UTC)
        metadata = {
            "job": job,
            "dataset": self.dataset,
            "ds": str(ds),
            "run_id": f"{job} of {ds}",
            "code": self.code,
            "revision": "0" * 40,
            "lock": "0" * 16,
            "sources": {each.path: self.at.get(each.path, NO_TABLE) for each in sources},
            "source_ids": {each.path: self.ids.get(each.path, "") for each in sources},
            "counts": {"rows_in": 1000, "accepted": 990, "late": 10},
            "touched": [str(ds)],
            **(books or {}),
        }
        moment = int(written.timestamp() * 1000)
        info = {"timestamp": moment, "operation": "MERGE", "userMetadata": json.dumps(metadata)}
        file = {"path": f"{job}-{ds}.parquet", "size": 12_345, "modificationTime": moment, "dataChange": True}
        values = {name: str(ds) if name != "job" else job for name in table.partition}
        self.at[table.path] += 1
        lines = [{"commitInfo": info}, {"add": {**file, "partitionValues": values, "stats": '{"numRecords": 1}'}}]
        log = Path(self.lake) / table.path / "_delta_log" / f"{self.at[table.path]:020}.json"
        log.write_text("\n".join(map(json.dumps, lines)) + "\n")
