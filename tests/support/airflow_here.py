"""A real Airflow for tests with its own home and a free port, driven through its API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import yaml

from tests.support.ports import free_port
from tests.support.postgres import NotHereError, postgres
from tests.support.processes import in_session, parent, words

ROOT = Path(__file__).resolve().parents[2]
OVER = ("success", "failed")


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """A PostgreSQL database for Airflow where PostgreSQL is installed, else Airflow's default SQLite."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres())
        except NotHereError:
            yield {}
        else:
            yield {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{address}"}


@dataclass
class Airflow:
    folder: Path
    environment: dict[str, str]
    schedule: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    token: str = ""

    def __post_init__(self) -> None:
        said = yaml.safe_load((ROOT / "conf/airflow/schedule.yml").read_text())
        said["all"] |= {"retry_seconds": 1, "longest_retry_seconds": 5} | self.schedule.pop("all", {})
        said["daily"] |= {"wait_minutes": 0.05, "poll_seconds": 1, "quiet_seconds": 0} | self.schedule.pop("daily", {})
        said["alerts"] = {"log": str(self.folder / "alerts.log")}
        said |= self.schedule
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "schedule.yml").write_text(yaml.safe_dump(said))
        self.environment = {
            **os.environ,
            **self.environment,
            "AIRFLOW_HOME": str(self.folder / "home"),
            "AIRFLOW__API__PORT": str(self.port),
            "SCHEDULE": str(self.folder / "schedule.yml"),
            # No DAG changes while it runs, and reading them anew takes a fifth of a small machine.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
            # A task that has ended is noticed at once.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1",
        }

    def start(self) -> None:
        with (self.folder / "start.log").open("ab") as log:
            self.process = subprocess.Popen(
                [ROOT / "conf/airflow/start"],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.until(self._healthy, "Airflow to be up", 180)
        passwords = json.loads((self.folder / "home/passwords.json").read_text())
        said = self.call("POST", "/auth/token", {"username": "admin", "password": passwords["admin"]})
        self.token = str(said["access_token"])

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kills all processes at once."""
        assert self.process
        self.process.kill()  # first, because it restarts the others
        self.process.wait()
        self.until(lambda: not self._killed(), "Airflow to be dead", 30)
        self.process = None

    def _killed(self) -> set[int]:
        """Kills again: killed processes may have started others that still hold the port."""
        left = self.processes()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def processes(self) -> set[int]:
        return in_session(self.process.pid) if self.process else set()

    def part(self, name: str) -> int:
        """The process id of the scheduler, triggerer …; 0 while it does not run."""
        assert self.process
        mine = (pid for pid in self.processes() if parent(pid) == self.process.pid)
        return next((pid for pid in mine if f"airflow {name}" in words(pid).replace("api_server", "api-server")), 0)

    def _healthy(self) -> bool:
        assert self.process and self.process.poll() is None, (self.folder / "start.log").read_text()
        try:
            said = self.call("GET", "/api/v2/monitor/health")
        except (URLError, ConnectionError, TimeoutError):
            return False
        return all(
            said[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        )

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the `airflow` command; no process needs to be running."""
        return subprocess.run(
            [ROOT / "conf/airflow/airflow", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def make(self, *arguments: str) -> str:
        done = subprocess.run(
            ["make", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = None if content is None else json.dumps(content).encode()
        request = Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
        except HTTPError as error:
            raise RefusedError(f"{error.code} {error.read().decode()}") from None
        return found

    def api(self, method: str, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.call(method, f"/api/v2{path}", content)

    def dags(self) -> list[str]:
        return [each["dag_id"] for each in self.api("GET", "/dags")["dags"]]

    def trigger(self, dag: str, **conf: Any) -> str:
        return str(self.api("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def runs(self, dag: str) -> dict[str, str]:
        found = self.api("GET", f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return {each["dag_run_id"]: each["state"] for each in found}

    def days(self, dag: str, kind: str) -> dict[str, str]:
        """The runs of a type by their logical day."""
        found = self.api("GET", f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return {each["data_interval_start"][:10]: each["dag_run_id"] for each in found if each["run_type"] == kind}

    def backfills(self, dag: str) -> list[dict[str, Any]]:
        """Those that are not closed yet."""
        found = self.api("GET", f"/backfills?dag_id={dag}")["backfills"]
        return [each for each in found if not each["completed_at"]]

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        found = self.api("GET", f"/dags/{dag}/dagRuns/{run}/taskInstances?limit=100")["task_instances"]
        return {each["task_id"]: each["state"] for each in found}

    def tries(self, dag: str, run: str, task: str) -> int:
        return int(self.api("GET", f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}")["try_number"])

    def log(self, dag: str, run: str, task: str) -> str:
        number = self.tries(dag, run, task)
        found = self.api("GET", f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/{number}?full_content=true")
        return "\n".join(
            str(line.get("event", line)) if isinstance(line, dict) else str(line) for line in found["content"]
        )

    def said(self, dag: str, run: str, task: str) -> Any:
        """The task's XCom value, or None."""
        path = f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries/return_value"
        try:
            value = self.api("GET", path)["value"]
        except RefusedError as error:
            assert str(error).startswith("404"), error
            return None
        return json.loads(value) if isinstance(value, str) else value

    def alerts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "alerts.log").read_text().splitlines()]

    def clear(self, dag: str, run: str) -> None:
        """Clears all tasks of the run, so that changed files are ingested again."""
        self.api("POST", f"/dags/{dag}/dagRuns/{run}/clear", {"dry_run": False, "only_failed": False})

    def over(self, dag: str, run: str, seconds: float = 420) -> str:
        """Waits for the run to end and returns its state."""
        self.until(lambda: self.runs(dag).get(run) in OVER, f"{run} of {dag} to end", seconds)
        return self.runs(dag)[run]

    def until(self, holds: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
            time.sleep(0.5)


class RefusedError(Exception):
    """The API refused a request."""
