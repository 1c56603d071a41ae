"""A lake and landing files on an object store: the same jobs, the same rows, and the same commands as on a laptop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from common.lake import delta_log, pins
from common.lake.commit_metadata import unsigned_commit
from common.maintenance import vacuum
from jobs.datasets.churn import sample as churn
from jobs.datasets.transactions import sample as transactions
from tests.support.play_lake import PlayLake
from tests.support.s3_server import S3Server, s3_server

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
DATASETS = ("churn", "transactions")
DAYS = ("2026-01-05", "2026-01-06")
RANGE = f"{DAYS[0]}..{DAYS[1]}"


@dataclass
class Place:
    """Where a lake is, and what a person types there."""

    files: Path  # its folders lake/ and landing/, as plain files
    lake: str
    landing: str
    environment: dict[str, str]

    def job(self, name: str, *arguments: str, dataset: str = "churn", ds: str = RANGE) -> dict[str, Any]:
        code, line, errors = self.ends(name, *arguments, dataset=dataset, ds=ds)
        assert code == 0, errors[-3000:]
        return line

    def ends(
        self, name: str, *arguments: str, dataset: str = "churn", ds: str = RANGE
    ) -> tuple[int, dict[str, Any], str]:
        words = [str(BIN / "spark-submit"), f"jobs/{name}.py", "--dataset", *dataset.split(), "--ds", ds, *arguments]
        done = self._run(words)
        return done.returncode, json.loads(done.stdout.strip().splitlines()[-1]), done.stderr

    def features(self, *words: str) -> str:
        done = self._run([str(BIN / "features"), *words])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, *words: str) -> str:
        done = self._run([str(BIN / "python"), *words])
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        places = {"LAKE": self.lake, "LANDING": self.landing, "ONLINE": f"sqlite:///{self.files}/online.db"}
        env = {**os.environ, "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1", **places, **self.environment}
        return subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)

    def tables(self, dataset: str) -> PlayLake:
        """Read as plain files, past the store and past this project's readers."""
        return PlayLake(self.files, dataset)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3"), "lake", "landing") as started:
        yield started


@pytest.fixture(scope="module")
def stored(server: S3Server) -> Place:
    """Two days of both datasets, from landing files on the store to published."""
    place = Place(server.folder, "s3a://lake/here", "s3a://landing", server.environment)
    land(place)
    place.job("backfill", dataset=" ".join(DATASETS))
    return place


def land(place: Place) -> None:
    for name, sample in (("churn", churn), ("transactions", transactions)):
        words = ["--start", DAYS[0], "--days", "2", "--rows", "400", "--out", str(place.files / "landing")]
        sample.main(name, sample.COLUMNS, sample.generate, words)


def test_the_tables_equal_those_of_a_laptop(stored: Place, tmp_path: Path) -> None:
    laptop = Place(tmp_path, str(tmp_path / "lake" / "here"), str(tmp_path / "landing"), {})
    shutil.copytree(stored.files / "landing", tmp_path / "landing")
    laptop.job("backfill", dataset=" ".join(DATASETS))
    there, here = (place.tables("churn").content() for place in (stored, laptop))
    assert sorted(there) == sorted(here)
    assert {path for path in here if there[path] != here[path]} == set()
    assert len(here["here/published/churn/v1"]) > 100


def test_nothing_is_left_beside_the_lake(stored: Place) -> None:
    """Such as a folder named s3: in the project's folder."""
    assert not [path for path in ROOT.iterdir() if path.name.startswith("s3")]
    kinds = {path.name for path in (stored.files / "lake" / "here").iterdir()}
    assert {"runs", "verdicts", "results", "profiles", "metrics", "lineage"} <= kinds
    assert not list((stored.files / "lake").rglob("*.tmp"))


def test_readers_pins_and_time_travel(stored: Place) -> None:
    oldest = json.loads(stored.features("log", "churn", "--json"))["versions"][-1]
    newest = json.loads(stored.features("show", "churn", "--ds", DAYS[0], "--limit", "500", "--json"))
    stored.features("pin", "kept", "churn", "--version", str(oldest["version"]))
    assert "kept" in stored.features("pins")
    assert "kept" in stored.features("verify", "kept")
    for how in (["--pin", "kept"], ["--version", str(oldest["version"])], ["--as-of", oldest["at"]]):
        then = json.loads(stored.features("show", "churn", "--ds", DAYS[0], "--limit", "500", *how, "--json"))
        assert then["rows"] == newest["rows"], "the first day has not changed since"
    assert (stored.files / "lake/here/pins/kept.json").exists()


def test_a_training_set_is_built_once(stored: Place) -> None:
    lines = [stored.job("training_set", "--name", "churn_baseline") for _ in range(2)]
    assert [line["outcome"] for line in lines] == ["done", "nothing"]
    third = stored.job("training_set", "--name", "churn_baseline", ds=DAYS[0])
    assert third["training_set"] == "training_sets/churn_baseline/v2", "v1 is another's"
    assert "churn_baseline/v2" in stored.python("-m", "jobs.datasets.churn.baseline")


def test_a_day_goes_online(stored: Place) -> None:
    loaded = stored.job("publish", "--online", ds=DAYS[1])
    assert loaded["counts"]["online"] > 50
    shown = json.loads(stored.features("vector", "churn", "c000001", "--json"))
    assert shown


def test_what_a_pin_keeps_outlives_vacuum(stored: Place, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    run = stored.tables("churn").plan("maintain", DAYS[1])
    run = replace(run, settings=run.settings.model_copy(update={"lake": "s3://lake/here"}))
    uri, files = "s3://lake/here/features/churn/v1", stored.files / "lake/here/features/churn/v1"
    newest = delta_log.version(uri)
    pins.pin("s3://lake/here", "older", "features/churn/v1", newest)
    table = delta_log.open_table(uri)
    assert table is not None
    table.delete(f"ds = '{DAYS[0]}'", commit_properties=unsigned_commit({}))
    kept = sorted(files.rglob("*.parquet"))
    assert vacuum.vacuum(run, older_than_hours=0)["features/churn/v1"] == 0
    assert sorted(files.rglob("*.parquet")) == kept
    assert pins.verify("s3://lake/here", "older").rows
    pins.release("s3://lake/here", "older")
    assert vacuum.vacuum(run, older_than_hours=0)["features/churn/v1"] > 0
    assert len(list(files.rglob("*.parquet"))) < len(kept)
