"""Copies outside of the lake that this project made: the online store, and the folders that days are delivered to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.days import from_text
from common.delivery.deliver import open_warehouse
from common.delivery.folder import MANIFEST, SliceFolder
from common.delivery.predictions import FOLDER as PREDICTIONS
from common.delivery.predictions import VERSION, predictions
from common.delivery.slices import DeliveredSlice, feature_day
from common.erasure.person import Person
from common.erasure.places import Places
from common.lake.erasing.row_erasure import read_parquet
from common.online.connect import open_store
from common.online.sql import SqliteStore
from common.online.store import Store
from common.published.catalog import FeatureTable, Lake
from common.runtime.run import Run


@dataclass(frozen=True)
class Outside:
    run: Run
    person: Person

    def feature_tables(self) -> list[FeatureTable]:
        lake = Lake(self.run.settings.lake)
        return [lake.features(name) for name in lake.tables() if name.partition("@")[0] == self.run.contract.name]

    def online(self) -> list[str]:
        """The views that serve the entity."""
        with self._store() as store:
            return [view for view in self._views(store) if store and store.holds(view, self.person.value)]

    def erase_online(self) -> int:
        with self._store() as store:
            return sum(store.erase(view, self.person.value) for view in self._views(store) if store)

    def _views(self, store: Store | None) -> list[str]:
        return [table.plain_name for table in self.feature_tables()] if store else []

    @contextmanager
    def _store(self) -> Iterator[Store | None]:
        """None if there is no file yet: opening the store would create it."""
        store = open_store(self.run.settings.online)
        if isinstance(store, SqliteStore) and not store.path.exists():
            yield None
            return
        with closing(store):
            yield store

    def delivered(self) -> list[Path]:
        """The folders of delivered days and predictions with the entity's row."""
        return [folder for folder in self._folders() if self._holds(folder)]

    def deliver_again(self, folder: Path) -> None:
        """The same version, whose rows are now without it."""
        told = json.loads((folder / MANIFEST).read_text())
        SliceFolder(folder).replace(self._slice(told), Path(told["file"]).suffix)

    def _slice(self, told: dict[str, Any]) -> DeliveredSlice:
        name = told["source"].removeprefix(f"{PREDICTIONS}/")
        if name != told["source"]:
            return predictions(replace(self.run, options={PREDICTIONS: name, VERSION: told[VERSION]}))
        table = Lake(self.run.settings.lake).features(name)
        newest = table.at()
        same = told.get("table_id") == newest.stored.table_id
        view = table.at(version=told["version"]) if same else newest
        return feature_day(replace(self.run, ds=from_text(told["ds"])), table, view)

    def in_warehouses(self, remove: bool = False) -> int:
        """How many rows the databases hold that days are delivered to; with `remove`, how many were removed."""
        rows = 0
        for name, target in self.run.settings.deliveries.items():
            if target.kind == "postgresql":
                with closing(open_warehouse(name, target)) as warehouse:
                    key, value = self.person.column.name, self.person.value
                    rows += sum(warehouse.of_entity(name, key, value, remove) for name in self._delivered_tables())
        return rows

    def left(self) -> list[dict[str, str]]:
        """Where its rows still are, for the proof."""
        folders = [str(folder) for folder in self.delivered()]
        places = [*(f"online {view}" for view in self.online()), *folders]
        places += ["a warehouse"] if self.in_warehouses() else []
        return [{"file": place, "holds": "rows"} for place in places]

    def _delivered_tables(self) -> list[str]:
        """The names that feature tables and predictions have at the targets."""
        places = Places(self.run.settings.lake, self.run.contract.name)
        return [
            *(table.plain_name for table in self.feature_tables()),
            *(path.replace("/", "_") for path in places.predictions()),
        ]

    def _folders(self) -> Iterator[Path]:
        targets = [target for target in self.run.settings.deliveries.values() if target.path]
        for table in self._delivered_tables():
            for target in targets:
                yield from sorted((Path(target.path) / table).glob("*=*"))

    def _holds(self, folder: Path) -> bool:
        return any(self._file_holds(file) for file in folder.glob("rows.*"))

    def _file_holds(self, file: Path) -> bool:
        if file.suffix == ".parquet":
            rows: Any = read_parquet(str(file), self.person)
            return rows is not None and True in self.person.mask(rows).to_pylist()
        with file.open(newline="") as stream:
            return any(self.person.is_value(row.get(self.person.column.name)) for row in csv.DictReader(stream))
