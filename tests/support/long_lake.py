"""A lake of many days that are up to date, without its rows: only the logs of its tables, as the jobs write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema

from common.contracts import datasets, layout
from common.contracts.layout import STAGES, Table
from common.days import HOUR, end_of
from common.features import definition
from common.lake.log.delta_log import NO_TABLE
from common.orchestration import stages, verdicts
from common.runtime.code_version import day_fingerprint
from common.runtime.run import Run
from common.runtime.settings import load_settings
from common.sources.files.landing import Landing
from tests.support.landing import judged

COUNTS = {"rules": 12, "passed": 12}


@dataclass
class LongLake:
    root: Path
    dataset: str
    at: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    clock: datetime = datetime(2000, 1, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        declared = datasets.load(self.dataset)
        self.contract = declared.contract
        self.code = day_fingerprint(declared)
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
            self.create(table)
        for ds in days:
            self.land(ds)
            self._day(ds)
        for table in (*made, *beside):
            DeltaTable(f"{self.lake}/{table.path}").create_checkpoint()

    def create(self, table: Table) -> None:
        dates = {*table.partition} - {"job"}
        fields = [pa.field(name, pa.date32() if name in dates else pa.string()) for name in table.names]
        self.create_as(table, verdicts.SCHEMA if table == verdicts.table_of(self.contract) else pa.schema(fields))

    def create_as(self, table: Table, schema: pa.Schema) -> None:
        place, partition = f"{self.lake}/{table.path}", list(table.partition)
        if self.contract.every == HOUR:
            schema = pa.schema([each.with_type(pa.string()) if each.type == pa.date32() else each for each in schema])
        made = DeltaTable.create(place, Schema.from_arrow(schema), partition_by=partition)
        self.at[table.path], self.ids[table.path] = 0, str(made.metadata().id)

    def land(self, ds: date, text: str = "id\n") -> None:
        folder = Path(self.landing) / self.dataset / f"ds={ds}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part.csv").write_text(text)

    def run(self, ds: date) -> Run:
        settings = load_settings("local", lake=self.lake, landing=self.landing)
        return Run("plan", datasets.load(self.dataset), ds, settings, run_id="", code=self.code)

    def _day(self, ds: date) -> None:
        raw, processed, features = (table(self.contract) for _, table in STAGES.values())
        quarantine, superseded = layout.quarantine(self.contract), layout.superseded(self.contract)
        held = judged(Landing(self.contract, self.landing, ds))
        books = {"source": held.fingerprint, "sources": {"files": ["part.csv"], **held.facts}}
        self.commit(raw, "ingest", ds, [], {**books, **self.beside(quarantine)})
        self._verdict("raw", ds)
        self.commit(quarantine, "clean", ds, [])
        self.commit(processed, "clean", ds, [raw], {"resettled": [], **self.beside(quarantine, superseded)})
        self._verdict("processed", ds)
        self.commit(features, "features", ds, [processed, superseded], self.facts)
        self._verdict("features", ds)
        facts = {"features_version": self.at[features.path], "features_id": self.ids[features.path], "rows": 1}
        self.commit(layout.published(self.contract), "publish", ds, [], {"days": {str(ds): facts}, **self.facts})

    def beside(self, *tables: Table) -> dict[str, Any]:
        return {"beside": {table.path: [self.ids[table.path], self.at[table.path]] for table in tables}}

    def _verdict(self, name: str, ds: date, failed: tuple[str, ...] = ()) -> None:
        """The only table whose rows are asked for."""
        judged, table, job = STAGES[name][1](self.contract), verdicts.table_of(self.contract), f"validate-{name}"
        about = {"ds": ds, "table": name, "table_id": self.ids[judged.path], "version": self.at[judged.path]}
        row = {**about, "success": not failed, **COUNTS, "failed": failed, "warned": [], "run_id": f"{job} of {ds}"}
        pq.write_table(
            pa.Table.from_pylist([row], verdicts.SCHEMA).drop_columns(["ds"]),
            f"{self.lake}/{table.path}/{job}-{ds}.parquet",
        )
        self.commit(table, job, ds, [judged], {"counts": None if failed else {**COUNTS, "warnings": 0}})

    def commit(
        self, table: Table, job: str, ds: date, sources: list[Table], books: dict[str, Any] | None = None
    ) -> None:
        self.clock = max(self.clock, end_of(ds) + timedelta(hours=1))
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
        moment = int(self.clock.timestamp() * 1000)
        told = {name: value for name, value in metadata.items() if value is not None}
        info = {"timestamp": moment, "operation": "MERGE", "userMetadata": json.dumps(told)}
        file = {"path": f"{job}-{ds}.parquet", "size": 12_345, "modificationTime": moment, "dataChange": True}
        values = {name: str(ds) if name != "job" else job for name in table.partition}
        self.at[table.path] += 1
        lines = [{"commitInfo": info}, {"add": {**file, "partitionValues": values, "stats": '{"numRecords": 1}'}}]
        log = Path(self.lake) / table.path / "_delta_log" / f"{self.at[table.path]:020}.json"
        log.write_text("\n".join(map(json.dumps, lines)) + "\n")
