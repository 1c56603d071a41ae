"""Where a lake keeps what is about a dataset's entities: its tables, its training sets, and its small files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from common.delivery.predictions import FOLDER as PREDICTIONS
from common.lake.erasing.erasures import FOLDER as ERASED
from common.lake.log import delta_log
from common.lake.storage.files import list_files, list_folders, locate, read_json
from common.lake.training_manifests import FOLDER as TRAINING

VERSION = re.compile(r"v\d+")
ASIDE = re.compile(r"\.parquet\.[0-9a-f]{32}\.tmp$")
MANIFEST = "manifest.json"
# Folders of a lake with a folder for each dataset, besides its tables.
BY_DATASET = ("runs", "results", "lineage", "streams", ".pages", "profiles", "verdicts")
TABLES = ("raw", "quarantine", "processed", "superseded", "partials", "features", "published")


@dataclass(frozen=True)
class Places:
    """The places of one dataset in one lake. Paths are relative to the lake."""

    lake: str
    dataset: str

    def tables(self) -> list[str]:
        """Also those that only an older contract knew."""
        homes = [f"{top}/{self.dataset}" for top in list_folders(self.lake) if top not in (TRAINING, ERASED)]
        found = [path for home in homes for path in (home, *self._within(home)) if delta_log.exists(self._uri(path))]
        splits = [f"{home}/{split}" for home in self.training_sets() for split in list_folders(self._uri(home))]
        return [*found, *(path for path in (*splits, *self.predictions()) if delta_log.exists(self._uri(path)))]

    def predictions(self) -> list[str]:
        """Of models that learnt from our training sets, whose names they have."""
        names = {path.split("/")[1] for path in self.training_sets()}
        return [f"{PREDICTIONS}/{name}" for name in list_folders(f"{self.lake}/{PREDICTIONS}") if name in names]

    def training_sets(self) -> list[str]:
        """The versions that were built from this dataset, or whose build was interrupted."""
        names = list_folders(f"{self.lake}/{TRAINING}")
        homes = [path for name in names for path in self._within(f"{TRAINING}/{name}")]
        return [home for home in homes if self._is_ours(self.manifest(home))]

    def manifest(self, training_set: str) -> dict[str, Any]:
        return read_json(f"{self.lake}/{training_set}/{MANIFEST}") or {}

    def exports(self) -> list[str]:
        """Of training sets, one Parquet file for each split."""
        homes = [f"{home}/export" for home in self.training_sets()]
        files = [(home, file) for home in homes for file in list_files(self._uri(home))]
        return [f"{home}/{file.base_name}" for home, file in files if file.base_name.endswith(".parquet")]

    def files(self) -> Iterator[str]:
        """Every file of the lake, except those of other datasets alone and the records of erasures."""
        yield from (path for path in self._all() if not self._is_of_others(path))

    def of_others(self) -> Iterator[tuple[str, str]]:
        """The files of other datasets: which dataset's, and the path."""
        for path in self._all():
            if self._is_of_others(path) and not path.startswith(f"{TRAINING}/"):
                yield path.split("/")[1], path

    def asides(self) -> Iterator[str]:
        """Files that a killed erasure left before moving them into place."""
        yield from (path for path in self._all() if ASIDE.search(path))

    def texts(self) -> Iterator[str]:
        """The small files beside the tables."""
        for path in self.files():
            if not path.endswith((".parquet", ".lock")) and "/_delta_log/" not in path:
                yield path

    def _all(self) -> Iterator[str]:
        _, root = locate(self.lake)
        for file in list_files(self.lake, recursive=True):
            path = file.path.removeprefix(root.rstrip("/") + "/")
            if not path.startswith(f"{ERASED}/"):
                yield path

    def _is_of_others(self, path: str) -> bool:
        top, _, rest = path.partition("/")
        owner = rest.partition("/")[0]
        if top == TRAINING:
            home = "/".join(path.split("/")[:3])
            return not self._is_ours(self.manifest(home))
        return top in (*TABLES, *BY_DATASET) and owner != self.dataset

    def _is_ours(self, manifest: dict[str, Any]) -> bool:
        versions = manifest.get("inputs", {}).get("versions")
        return versions is None or any(table.partition("@")[0] == self.dataset for table in versions)

    def _within(self, home: str) -> list[str]:
        return [f"{home}/{name}" for name in list_folders(self._uri(home)) if VERSION.fullmatch(name)]

    def _uri(self, path: str) -> str:
        return f"{self.lake}/{path}"
