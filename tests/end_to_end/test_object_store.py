"""A lake and landing files on an object store: the same jobs, the same rows, and the same commands as on a laptop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import UsageError
from common.lake import pins
from common.lake.log import delta_log
from common.lake.log.commit_metadata import unsigned_commit
from common.lake.storage.leases import lease
from common.maintenance import vacuum
from common.runtime.object_store import require_jars
from jobs.datasets.churn import sample as churn
from jobs.datasets.transactions import sample as transactions
from tests.support.erasing import CUSTOMER, traces
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.s3_server import KEYS, S3Server, s3_server

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
    machine: str = "one"

    def job(self, name: str, *arguments: str, dataset: str = "churn", ds: str = RANGE) -> dict[str, Any]:
        code, line, errors = self.ends(name, *arguments, dataset=dataset, ds=ds)
        assert code == 0, errors[-3000:]
        return line

    def ends(
        self, name: str, *arguments: str, dataset: str = "churn", ds: str = RANGE
    ) -> tuple[int, dict[str, Any], str]:
        words = [str(BIN / "spark-submit"), f"jobs/{name}.py", "--dataset", *dataset.split(), "--ds", ds, *arguments]
        done = self._run(words)
        return done.returncode, line_of(done.stdout), done.stderr

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
        places |= {"XDG_STATE_HOME": f"{self.files}/state of {self.machine}"}
        env = {**os.environ, "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1", **places, **self.environment}
        return subprocess.run(words, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)

    def tables(self, dataset: str) -> PlayLake:
        """Read as plain files, past the store and past this project's readers."""
        return PlayLake(self.files, dataset)

    def content(self, lake: str) -> dict[str, list[str]]:
        """Every row of every table of one of its lakes."""
        found = self.tables("churn").content()
        return {path.removeprefix(f"{lake}/"): found[path] for path in found if path.startswith(f"{lake}/")}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    try:
        require_jars()
    except UsageError as error:
        pytest.skip(str(error))
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


@pytest.fixture(scope="module")
def laptop(stored: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Every row of every table that the same files make on a laptop."""
    files = tmp_path_factory.mktemp("laptop")
    shutil.copytree(stored.files / "landing", files / "landing")
    place = Place(files, str(files / "lake" / "here"), str(files / "landing"), {})
    place.job("backfill", dataset=" ".join(DATASETS))
    return place.content("here")


def test_the_tables_equal_those_of_a_laptop(stored: Place, laptop: dict[str, list[str]]) -> None:
    there = stored.content("here")
    assert sorted(there) == sorted(laptop)
    assert {path for path in laptop if there[path] != laptop[path]} == set()
    assert len(laptop["published/churn/v1"]) > 100


def test_two_machines_work_on_one_lake(stored: Place, laptop: dict[str, list[str]]) -> None:
    """Each has locks of its own, so that only the store is between them."""
    one, other = (replace(stored, lake="s3a://lake/two", machine=name) for name in ("one", "other"))
    with ThreadPoolExecutor(2) as threads:
        [*threads.map(lambda place, ds: place.job("backfill", ds=ds), (one, other), DAYS)]
        one.job("backfill")
        again = [*threads.map(lambda place: place.ends("ingest", "--full-refresh", ds=DAYS[0])[0], (one, other))]
    assert {*again} in ({0}, {0, 5})
    there = stored.content("two")
    assert {path for path in there if there[path] != laptop[path]} == set()
    assert not list((stored.files / "lake/two/leases").glob("*.json"))


def test_nothing_is_left_beside_the_lake(stored: Place) -> None:
    """Such as a folder named s3: in the project's folder."""
    assert not [path for path in ROOT.iterdir() if path.name.startswith("s3")]
    kinds = {path.name for path in (stored.files / "lake" / "here").iterdir()}
    assert {"runs", "verdicts", "results", "profiles", "metrics", "lineage"} <= kinds
    assert not list((stored.files / "lake").rglob("*.tmp"))


def test_the_keys_stand_in_no_file(stored: Place) -> None:
    secrets = [value.encode() for value in KEYS.values() if value != "machine"]
    files = [path for path in (stored.files / "lake").rglob("*") if path.is_file()]
    assert len(files) > 100
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


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


def test_a_day_that_spark_commits(stored: Place, tmp_path: Path) -> None:
    """So many rows that Spark writes them, and then many corrections, which it merges."""
    big = replace(stored, lake="s3a://lake/big", landing=str(tmp_path))
    words = ["--start", DAYS[0], "--days", "1", "--rows", "30000", "--seed", "3", "--out", str(tmp_path)]
    transactions.main("transactions", transactions.COLUMNS, transactions.generate, words)
    for name in ("ingest", "clean"):
        big.job(name, dataset="transactions", ds=DAYS[0])
    commits = committers(stored.files / "lake/big/processed/transactions")
    assert any("Spark" in name for name in commits), commits
    rows = len(big.content("big")["processed/transactions"])
    assert rows > 25_000
    for part in tmp_path.rglob("part-*"):
        if part.suffix == ".csv":
            part.write_text(part.read_text().replace(",card", ",cash"))
    big.job("ingest", dataset="transactions", ds=DAYS[0])
    changed = big.job("clean", dataset="transactions", ds=DAYS[0])
    assert changed["outcome"] == "done"
    assert len(big.content("big")["processed/transactions"]) == rows


def committers(table: Path) -> list[str]:
    """The program that made each commit."""
    logs = sorted((table / "_delta_log").glob("*.json"))
    entries = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
    return [entry["commitInfo"].get("engineInfo", "") for entry in entries if "commitInfo" in entry]


def test_the_other_jobs_run_there_too(stored: Place) -> None:
    for name in ("maintain", "compact"):
        assert stored.job(name, ds=DAYS[1])["outcome"] in ("done", "nothing"), name
    log = json.loads(stored.features("log", "churn", "--json"))["versions"]
    (run_id, *_) = [version["days"][DAYS[0]]["run_id"] for version in log if DAYS[0] in version["days"]]
    assert "churn" in stored.features("reproduce", run_id)
    assert "churn" in stored.features("plan", "--dataset", "churn")
    assert DAYS[0] in stored.python("-m", "common.reports.status")


def test_a_store_cut_off_in_mid_run_is_told_and_heals(
    stored: Place, laptop: dict[str, list[str]], tmp_path: Path
) -> None:
    with s3_server(tmp_path, "lake", "landing") as other:
        place = Place(other.folder, "s3a://lake/here", "s3a://landing", other.environment)
        shutil.copytree(stored.files / "landing", place.files / "landing", dirs_exist_ok=True)
        with ThreadPoolExecutor(1) as threads:
            run = threads.submit(place.ends, "backfill")
            log = place.files / "lake/here/processed/churn/_delta_log"
            while not run.done() and not (log.exists() and len(list(log.glob("*.json"))) > 1):
                time.sleep(0.05)
            other.stop()
            cut_off = time.monotonic()
            code, line, errors = run.result()
        assert (code, line["error"]) == (1, "StorageUnreachableError"), errors[-3000:]
        assert "the object store stopped answering" in line["message"]
        assert "Traceback" not in errors
        assert time.monotonic() - cut_off < 120
        other.start()
        place.job("backfill")
        there = place.content("here")
        assert {path for path in there if there[path] != laptop[path]} == set()


def test_wrong_keys_end_a_job_before_it_starts(stored: Place) -> None:
    stranger = replace(stored, environment={**stored.environment, "AWS_SECRET_ACCESS_KEY": "guessed-at"})
    code, line, errors = stranger.ends("ingest", ds=DAYS[0])
    assert (code, line["error"]) == (2, "UsageError"), errors[-3000:]
    assert "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in line["message"]
    assert "guessed-at" not in errors + str(line)


def test_an_entity_is_erased_there_too(stored: Place, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, folder = replace(stored, lake="s3a://lake/gone"), stored.files / "lake/gone"
    shutil.copytree(stored.files / "lake/here", folder)
    gone.job("training_set", "--name", "churn_baseline")
    before, words = gone.content("gone"), ("--entity", CUSTOMER, "--apply", "--yes")
    assert {"raw", "processed", "features", "published", "training_sets"} <= {
        path.split("/")[0] for path in traces(folder, CUSTOMER)
    }
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    with lease(gone.lake, f"churn/clean/{DAYS[0]}", "of another", 0):
        code, line, _ = gone.ends("erase", *words, ds=DAYS[1])
    assert (code, f"churn.clean.{DAYS[0]} is held by process" in line["message"]) == (5, True)
    line = gone.job("erase", *words, ds=DAYS[1])
    assert (line["outcome"], line["searched"]["found"]) == ("done", 0)
    assert traces(folder, CUSTOMER) == []
    assert (
        gone.content("gone").items()
        >= {
            path: [row for row in rows if CUSTOMER not in row]
            for path, rows in before.items()
            if path.split("/")[0] in ("raw", "processed", "features", "published")
        }.items()
    )
    assert gone.job("ingest", "--full-refresh", ds=DAYS[0])["counts"]["erased"] == 1
    assert traces(folder, CUSTOMER) == []
