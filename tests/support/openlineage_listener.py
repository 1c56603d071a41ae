"""OpenLineage's own listener for Spark, fetched once for a machine by its pinned SHA-256; no job of ours uses it."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conf.jar_files import CACHE, ROOT, fetch_jars, spark_jars

PINS = Path(__file__).with_name("openlineage_jars.txt")
FOLDER = CACHE / "openlineage"


def listener_jar() -> Path:
    [coordinates] = [line.split()[0] for line in PINS.read_text().splitlines() if line[:1] != "#"]
    _, name, version = coordinates.split(":")
    jar = FOLDER / f"{name}-{version}.jar"
    if not jar.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            try:
                fetch_jars(PINS, Path(scratch), ivy=spark_jars(ROOT / ".venv"))
            except SystemExit as error:
                pytest.skip(f"the listener's jar can't be fetched: {error}")
            shutil.move(Path(scratch) / jar.name, jar)
    return jar


def listening_to(events: Path) -> list[str]:
    """Options of spark-submit with which the listener writes its events to that file."""
    said = {
        "extraListeners": "io.openlineage.spark.agent.OpenLineageSparkListener",
        "openlineage.transport.type": "file",
        "openlineage.transport.location": str(events),
        "openlineage.namespace": "listener",
    }
    options = [word for name, value in said.items() for word in ("--conf", f"spark.{name}={value}")]
    return ["--jars", str(listener_jar()), *options]


@dataclass
class Events:
    """Of one program, about one lake."""

    found: list[dict[str, Any]]
    lake: str

    @classmethod
    def of(cls, files: list[Path], lake: Path) -> Events:
        return cls([json.loads(line) for file in files for line in file.read_text().splitlines()], f"{lake}/")

    @property
    def jobs(self) -> set[str]:
        return {event["job"]["name"] for event in self.found}

    def datasets(self, side: str) -> list[dict[str, Any]]:
        return [each for event in self.found if event["eventType"] == "COMPLETE" for each in event[side]]

    def tables(self, side: str) -> set[str]:
        """The tables that they name, or whose files they name."""
        names = {each["name"] for each in self.datasets(side)}
        inside = {name.removeprefix(self.lake) for name in names if name.startswith(self.lake)}
        return {"/".join(name.split("/")[:2]) for name in inside}

    def files(self, side: str) -> set[str]:
        return {each["name"] for each in self.datasets(side) if each["name"].endswith(".parquet")}

    def rows(self) -> list[int]:
        statistics = [each.get("outputFacets", {}).get("outputStatistics", {}) for each in self.datasets("outputs")]
        return [each["rowCount"] for each in statistics if each.get("rowCount")]

    def facets(self, side: str) -> set[str]:
        return {name for each in self.datasets(side) for name in each["facets"]}
