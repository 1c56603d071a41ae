"""A real standalone Spark cluster writes the same tables as local mode, even when processes are killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.orchestration.chain import run_chain
from conf.spark.daemon import LIGHT, archived, in_words
from jobs.backfill import CHAIN
from jobs.clean import CLEAN
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.ports import free_ports
from tests.support.processes import listening, parent

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
DAY = "2026-01-05"
DATASETS = ("transactions", "churn")
BACKFILL = ROOT / "jobs" / "backfill.py"
# The day with one gate only, in one session as well.
SHORT = """
from common.orchestration.cli import run_chain_job
from common.orchestration.job import ChainStep
from jobs import clean, features, ingest, validate

gate = ChainStep(validate.VALIDATE, {"table": "processed"})
run_chain_job([ChainStep(ingest.INGEST), ChainStep(clean.CLEAN), gate, ChainStep(features.FEATURES)])
"""
EXECUTOR = "CoarseGrainedExecutorBackend"


@dataclass
class Cluster:
    """A cluster for the tests, on its own ports and in its own folder."""

    folder: Path
    port: int
    ui_port: int
    spark: dict[str, Any] = field(default_factory=dict)
    secret_file: Path | None = None
    submitted: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        spark = {"spark.master": f"spark://127.0.0.1:{self.port}", **self.spark}
        own = {"folder": str(self.folder), "ui_port": self.ui_port}
        return {
            **os.environ,
            "SPARK": json.dumps(spark),
            "STANDALONE": json.dumps(own),
            "SECRET_FILE": str(self.secret_file or self.folder / "secret"),
        }

    def run(self, action: str, **environment: str) -> tuple[int, str]:
        done = subprocess.run(
            [BIN / "python", ROOT / "conf/spark/cluster.py", action],
            env={**self.environment, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=180,
        )  # fmt: skip
        return done.returncode, done.stdout

    def submit(self, lake: PlayLake, job: Path, *datasets: str) -> subprocess.Popen[str]:
        places = ["--lake", str(lake.root / "lake"), "--landing", str(lake.landing)]
        days = ["--dataset", *(datasets or DATASETS), "--ds", DAY, "--env", "cluster"]
        # On small data, interpreting a plan is faster than compiling it.
        small = ["--conf", "spark.sql.codegen.wholeStage=false", "--conf", "spark.sql.codegen.factoryMode=NO_CODEGEN"]
        submitted = subprocess.Popen(
            [BIN / "spark-submit", *small, job, *days, *places],
            env={**self.environment, "ONLINE": lake.online}, cwd=lake.root, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.submitted.append(submitted)
        return submitted

    def pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def processes(self) -> dict[int, str]:
        """Command lines of the daemons and their executors by process id."""
        daemons = {pid: words for pid, words in commands() if str(self.folder / "daemons.conf") in words.split()}
        return daemons | {pid: words for pid, words in commands() if EXECUTOR in words and parent(pid) in daemons}

    def executors(self) -> list[int]:
        return [pid for pid, words in self.processes().items() if EXECUTOR in words]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events in Spark's event logs."""
        logs = [log for log in (self.folder / "events").rglob("*") if log.name.startswith(("events_", "app-"))]
        lines = [json.loads(line) for log in logs if log.is_file() for line in log.read_text().splitlines()]
        return [line for line in lines if line["Event"] == f"SparkListener{kind}"]


def commands() -> Iterator[tuple[int, str]]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text()
        except OSError:
            continue
        yield int(process.name), words.replace("\0", " ")


def environment_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_text(errors="replace")
    except OSError:
        return ""


def until(holds: Callable[[], Any], what: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what}"
        time.sleep(0.02)


def ended(submitted: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, said = submitted.communicate(timeout=300)
    return submitted.returncode, line_of(out), out + said


@contextmanager
def ended_after(folder: Path) -> Iterator[Cluster]:
    """A cluster that is not running yet; its processes are ended at last by process id."""
    port, ui_port = free_ports(2)
    cluster = Cluster(folder, port, ui_port)
    try:
        yield cluster
    finally:
        for submitted in cluster.submitted:
            if submitted.poll() is None:
                os.killpg(submitted.pid, signal.SIGKILL)
        cluster.run("down")
        left = cluster.processes()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left


def started(stopped: Cluster) -> Cluster:
    code, said = stopped.run("up")
    assert code == 0, said
    assert f"http://127.0.0.1:{stopped.ui_port}" in said
    (stopped.folder / "events").mkdir()
    stopped.spark = {
        "spark.eventLog.enabled": True,
        "spark.eventLog.dir": str(stopped.folder / "events"),
        "spark.eventLog.compress": False,
        # A single day ends before the C2 compiler pays off.
        "spark.executor.extraJavaOptions": in_words(*LIGHT, *archived()),
    }
    return stopped


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Cluster]:
    with ended_after(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
def cluster(stopped: Cluster) -> Cluster:
    """One that a test may break."""
    return started(stopped)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ended_after(tmp_path_factory.mktemp("shared") / "cluster") as cluster:
        yield started(cluster)


@pytest.fixture
def lake(tmp_path: Path) -> PlayLake:
    lake = PlayLake(tmp_path / "on-the-cluster")
    for dataset in DATASETS:
        sample = ["--start", DAY, "--days", "1", "--rows", "60", "--out", lake.landing]
        subprocess.run([BIN / "python", "-m", f"jobs.datasets.{dataset}.sample", *sample], check=True, timeout=60)
    return lake


@pytest.fixture
def laptops(lake: PlayLake, tmp_path: Path, spark: object) -> PlayLake:
    """The same landing files, for a local session."""
    root = tmp_path / "on-the-laptop"
    root.mkdir()
    (root / "landing").symlink_to(lake.landing)
    return PlayLake(root)


@pytest.fixture
def whole_day(laptops: PlayLake) -> dict[str, list[str]]:
    """The tables that local mode makes of the day, from landing to published."""
    for dataset in DATASETS:
        run_chain(CHAIN, [PlayLake(laptops.root, dataset).plan("backfill", DAY)])
    return rounded(laptops)


def rounded(lake: PlayLake) -> dict[str, list[str]]:
    """Rounds means and deviations of profiles: the last digits of sums of doubles depend on the number of tasks."""

    def shorter(row: str) -> str:
        return re.sub(r"\d+\.\d+(e-?\d+)?", lambda found: f"{float(found[0]):.9g}", row)

    return {
        path: sorted(map(shorter, rows)) if path.startswith("profiles/") else rows
        for path, rows in lake.content().items()
    }


def test_the_cluster_writes_the_same_tables_as_local_mode(shared: Cluster, lake: PlayLake, laptops: PlayLake) -> None:
    cluster, daemons = shared, shared.processes()
    secret = (cluster.folder / "secret").read_text().strip()
    laptops.ingest(DAY)
    laptops.run(CLEAN, DAY)
    laptops.validate(DAY)
    laptops.features(DAY)
    (lake.root / "short.py").write_text(SHORT)
    submitted = cluster.submit(lake, lake.root / "short.py", laptops.dataset)
    until(lambda: len(cluster.executors()) == 2 or submitted.poll() is not None, "two executors")
    drivers = [pid for pid, words in commands() if str(lake.root) in words]
    shown = " ".join(words for _, words in commands()) + "".join(map(environment_of, [*daemons, *drivers]))
    addresses = {address for pid in cluster.processes() for address in listening(pid)}
    code, line, said = ended(submitted)
    assert (code, line["outcome"]) == (0, "done"), said
    assert rounded(lake) == rounded(laptops)
    assert len(lake.content()) >= 6
    assert {task["Task Info"]["Executor ID"] for task in cluster.events("TaskEnd")} == {"0", "1"}
    assert addresses == {"0100007F"}
    files = [path for path in cluster.folder.rglob("*") if path.is_file()]
    keeping = {path for path in files if secret in path.read_text(errors="replace")}
    assert keeping == {cluster.folder / "secret", cluster.folder / "daemons.conf"}
    assert {oct(path.stat().st_mode & 0o777) for path in keeping} == {"0o600"}
    assert secret not in shown + said


def test_starting_twice_is_one_cluster_and_ending_twice_is_quiet(shared: Cluster) -> None:
    """The last test of this cluster."""
    cluster = shared
    until(lambda: len(cluster.processes()) == 3, "the executors of the last run to end", 30)
    running = cluster.processes()
    code, said = cluster.run("up")
    assert (code, "running already" in said) == (0, True)
    assert cluster.processes().keys() == running.keys()
    os.kill(cluster.pid("worker-2"), signal.SIGKILL)
    assert cluster.run("up")[0] == 0
    assert len(cluster.processes().keys() - running.keys()) == 1
    code, said = cluster.run("down")
    assert (code, said) == (0, "Ended: worker-2, worker-1, master.\n")
    assert cluster.processes() == {}
    assert cluster.run("down") == (0, "")


def test_without_a_cluster_a_job_says_at_once_what_to_do(stopped: Cluster, lake: PlayLake) -> None:
    started = time.monotonic()
    code, line, said = ended(stopped.submit(lake, ROOT / "jobs" / "ingest.py", "churn"))
    assert (code, line["error"]) == (1, "ClusterUnavailableError"), said
    assert "start it with `make cluster`" in line["message"]
    assert time.monotonic() - started < 30


def test_a_taken_port_is_named_and_nothing_is_started(stopped: Cluster) -> None:
    with socket.create_server(("127.0.0.1", stopped.ui_port)):
        code, said = stopped.run("up")
    assert (code, f"127.0.0.1:{stopped.ui_port}: Address already in use" in said) == (1, True), said
    assert stopped.processes() == {}


def test_a_daemon_that_dies_at_its_start_is_named_with_its_log(stopped: Cluster) -> None:
    code, said = stopped.run("up", JAVA_HOME="/nowhere")
    assert code == 1
    assert "ended by itself" in said
    assert any(str(stopped.folder / f"{name}.log") in said for name in ("master", "worker-1"))
    assert stopped.processes() == {}


def test_a_process_with_a_dead_daemons_id_is_left_alone(stopped: Cluster) -> None:
    stopped.folder.mkdir()
    with subprocess.Popen(["sleep", "60"]) as other:
        (stopped.folder / "master.pid").write_text(str(other.pid))
        assert stopped.run("down") == (0, "")
        alive = other.poll() is None
        other.kill()
    assert alive


@pytest.mark.slow
def test_a_driver_without_the_secret_is_refused_with_the_reason(cluster: Cluster, lake: PlayLake) -> None:
    cluster.secret_file = cluster.folder.parent / "guessed"
    cluster.secret_file.write_text("guessed\n")
    code, line, said = ended(cluster.submit(lake, ROOT / "jobs" / "ingest.py", "churn"))
    assert (code, line["error"]) == (1, "ClusterUnavailableError"), said
    assert f"Compare {cluster.secret_file} with the cluster's secret" in line["message"]
    assert cluster.executors() == []


@pytest.mark.slow
def test_a_killed_executor_costs_only_time(cluster: Cluster, lake: PlayLake, whole_day: dict[str, list[str]]) -> None:
    submitted = cluster.submit(lake, BACKFILL)
    until(lambda: in_the_middle(lake, submitted), "the first clean table")
    victim = cluster.executors()[0]
    os.kill(victim, signal.SIGKILL)
    code, _, said = ended(submitted)
    assert code == 0, said
    assert cluster.events("ExecutorRemoved")
    assert rounded(lake) == whole_day


@pytest.mark.slow
def test_a_run_survives_a_restart_of_the_master(
    cluster: Cluster, lake: PlayLake, whole_day: dict[str, list[str]]
) -> None:
    submitted = cluster.submit(lake, BACKFILL)
    until(lambda: in_the_middle(lake, submitted), "the first clean table")
    os.kill(cluster.pid("master"), signal.SIGKILL)
    code, said = cluster.run("up")
    assert code == 0, said
    code, _, said = ended(submitted)
    assert code == 0, said
    assert rounded(lake) == whole_day
    code, line, said = ended(cluster.submit(lake, BACKFILL))
    assert (code, line["outcome"]) == (0, "nothing"), said


def in_the_middle(lake: PlayLake, submitted: subprocess.Popen[str]) -> bool:
    assert submitted.poll() is None, ended(submitted)
    return any((lake.root / "lake" / "processed").glob("*/_delta_log/*1.json"))
