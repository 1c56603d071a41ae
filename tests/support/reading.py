"""Reads the tables of a test's lake without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
from deltalake import DeltaTable

from common.lake.log import delta_log
from common.published import catalog
from tests.support.folders import Folders


@dataclass
class LakeReader(Folders):
    @property
    def published(self) -> catalog.FeatureTable:
        return catalog.Lake(str(self.lake_folder)).features(self.dataset)

    def table(self, path: str) -> DeltaTable:
        return DeltaTable(str(self.lake_folder / path))

    def rows(self, kind: str, where: str = "true", path: str | None = None) -> list[dict[str, Any]]:
        """Rows of a table, read by plain `deltalake` and filtered by DuckDB."""
        table = self.table(path or f"{kind}/{self.dataset}").to_pyarrow_table()
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("stored", table)
            names = [column[0] for column in connection.execute("DESCRIBE stored").fetchall()]
            cursor = connection.execute(f"SELECT * FROM stored WHERE {where}")
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def feature_rows(self, ds: str) -> list[dict[str, Any]]:
        return self.rows("features", f"ds = '{ds}'", f"features/{self.dataset}/v1")

    def ingested(self, ds: str) -> dict[str, Any]:
        """What the day's last ingest wrote into its commit about the source."""
        commit = delta_log.newest_commit(str(self.lake_folder / f"raw/{self.dataset}"), "ingest", ds)
        assert commit is not None
        return dict(commit.books["sources"])

    def state(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Each table's version and files: two equal states mean that nothing was written in between."""
        state = {}
        for log in sorted(self.lake_folder.rglob("_delta_log")):
            table = DeltaTable(str(log.parent))
            state[str(log.parent.relative_to(self.lake_folder))] = (table.version(), tuple(sorted(table.file_uris())))
        return state

    def content(self) -> dict[str, list[str]]:
        """Every row of every table, sorted and without what differs between equal runs: run, table id and version."""
        content = {}
        differing = ("run_id", "table_id", "version")
        for path in self.state():
            rows = self.table(path).to_pyarrow_table().to_pylist()
            content[path] = sorted(
                str(sorted((name, value) for name, value in row.items() if name not in differing)) for row in rows
            )
        return content
