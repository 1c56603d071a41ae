"""The compose stack for real, from a clone: built, started, a backfill through Airflow, and stopped.

    tests/compose/check.py [--keep]

COMPOSE and BUILD say how, as for `make up`; PATH has to have what they name. It takes a quarter of an hour and ten GB of
disk, and leaves nothing but the images. The backfill's commands are those of conf/README.md. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = os.environ.get("COMPOSE", "docker compose")
DATASET, FIRST, LAST = "churn", "2026-01-01", "2026-01-02"
AIRFLOW = ("airflow-api", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
SPARK = ("spark-master", "spark-worker")
WEBHOOK = "http://127.0.0.1:9/nobody"


class Stack:
    """A clone of the project, and its stack under a name and ports of its own."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        self.port, self.spark_port = free_port(), free_port()
        own = {
            "COMPOSE": COMPOSE,
            "COMPOSE_PROJECT_NAME": "pipeline-check",
            "AIRFLOW_PORT": str(self.port),
            "SPARK_UI_PORT": str(self.spark_port),
            "ALERT_WEBHOOK": WEBHOOK,
        }
        self.name = own["COMPOSE_PROJECT_NAME"]
        kept = {name: value for name, value in os.environ.items() if name not in ("LAKE", "LANDING", "DATASET", "DS")}
        self.environment = kept | own

    def run(self, *command: str, seconds: float = 900, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.clone, env=self.environment, text=True, timeout=seconds, check=False,
            capture_output=not options, **options,
        )  # fmt: skip

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*shlex.split(COMPOSE), *arguments)

    def inside(self, service: str, *command: str) -> str:
        done = self.compose("exec", "-T", service, *command)
        require(done.returncode == 0, f"{service}: {' '.join(command)}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def secrets(self) -> dict[str, str]:
        lines = (self.clone / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def says(self, url: str) -> Any:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="tests/compose/check.py")
    arguments.add_argument("--keep", action="store_true", help="leave the stack running, to look at it")
    keep = arguments.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="compose-check-"))
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "clone")], check=True)
    stack = Stack(folder / "clone")
    try:
        for step in (
            refuses_without_secrets, starts, is_closed, has_its_cluster, keeps_its_secrets, tells_people, runs_days,
            stops_and_goes_on,
        ):  # fmt: skip
            started = time.monotonic()
            step(stack)
            print(f"{time.monotonic() - started:6.0f} s  {step.__name__.replace('_', ' ')}", flush=True)
    except BaseException:
        for service in ("airflow-init", *AIRFLOW, *SPARK):
            said = stack.compose("logs", "--tail", "40", service)
            print(f"--- {service}\n{said.stdout}{said.stderr}", file=sys.stderr)
        raise
    finally:
        if keep:
            print(f"kept: {stack.name} in {stack.clone}, http://127.0.0.1:{stack.port}", file=sys.stderr)
        elif (stack.clone / ".env").exists():
            stack.compose("down", "--volumes")
            subprocess.run(["rm", "-rf", str(folder)], check=True)


def refuses_without_secrets(stack: Stack) -> None:
    done = stack.compose("up", "-d")
    said = done.stdout + done.stderr
    require(
        done.returncode != 0 and "run make up" in said, f"it starts without .env, or does not say what to do:\n{said}"
    )


def starts(stack: Stack) -> None:
    done = stack.run("make", "up", seconds=1800, stdout=None)
    require(done.returncode == 0, "make up failed")
    mode = stat.S_IMODE((stack.clone / ".env").stat().st_mode)
    require(mode == 0o600, f".env can be read by others: mode {mode:o}")
    changed = stack.run("git", "status", "--porcelain").stdout
    require(not changed, f"git sees what was made:\n{changed}")
    health = stack.says(f"http://127.0.0.1:{stack.port}/api/v2/monitor/health")
    require(all(part["status"] == "healthy" for part in health.values()), f"not healthy: {health}")


def is_closed(stack: Stack) -> None:
    for port in (stack.port, stack.spark_port):
        require(answers("127.0.0.1", port), f"nothing answers at 127.0.0.1:{port}")
        for address in other_addresses():
            require(not answers(address, port), f"{address}:{port} is open to other machines")
    for service in (*AIRFLOW, *SPARK):
        require(stack.inside(service, "id", "-u").strip() != "0", f"{service} runs as root")
        writes = stack.compose("exec", "-T", service, "touch", "common/new.py").returncode == 0
        require(not writes, f"{service} may change its own code")
    require(users(stack, "postgres", "postgres") - {"0"} != set(), "no process of PostgreSQL's server was found")
    require("0" not in users(stack, "postgres", "postgres"), "PostgreSQL's server runs as root")
    head = stack.run("git", "rev-parse", "HEAD").stdout.strip()
    said = "from common.runtime.code_version import code_revision; print(code_revision())"
    found = stack.inside("airflow-scheduler", ".venv/bin/python", "-c", said).strip()
    require(found == head, f"the image was made from {head}, and says {found!r}")
    try:
        stack.says(f"http://127.0.0.1:{stack.port}/api/v2/dags")
    except urllib.error.HTTPError as error:
        require(error.code == 401, f"expected to be asked who is there, found {error.code}")
    else:
        require(False, "Airflow answers those who have not said who they are")


def users(stack: Stack, service: str, program: str) -> set[str]:
    """The user ids that the program's processes run under."""
    script = """for each in /proc/[0-9]*; do awk '/^Name:/{name=$2} /^Uid:/{print name, $2}' $each/status 2>/dev/null; done"""
    lines = [line.split() for line in stack.inside(service, "sh", "-c", script).splitlines()]
    return {line[1] for line in lines if line[0] == program}


def has_its_cluster(stack: Stack) -> None:
    def workers() -> list[Any]:
        said = stack.says(f"http://127.0.0.1:{stack.spark_port}/json/")
        return [each for each in said["workers"] if each["state"] == "ALIVE"]

    require(until(lambda: len(workers()) == 2, 60), f"two workers expected, found {workers()}")
    stranger = "from socket import create_connection as connect; connect(('postgres', 5432), 3)"
    reached = stack.compose("exec", "-T", "spark-worker", "python3", "-c", stranger).returncode == 0
    require(not reached, "a worker reaches Airflow's database")


def keeps_its_secrets(stack: Stack) -> None:
    every = "import glob; print(*(open(each, errors='replace').read() for each in glob.glob('/proc/[0-9]*/cmdline')))"
    places = {service: stack.inside(service, "python3", "-c", every) for service in (*AIRFLOW, *SPARK)}
    logs = stack.compose("logs")
    places["the logs"] = logs.stdout + logs.stderr
    for name, value in stack.secrets().items():
        for place, said in places.items():
            require(value not in said, f"{name} can be read in {place}")
    login = json.dumps({"username": "admin", "password": stack.secrets()["AIRFLOW_ADMIN_PASSWORD"]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/auth/token", data=login, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        require("access_token" in json.load(answer), "the password of .env does not let its admin in")


def tells_people(stack: Stack) -> None:
    """Alerts can be sent from the services that run jobs, watch runs and detect dead tasks."""
    for service in ("airflow-scheduler", "airflow-triggerer", "airflow-dag-processor"):
        require(stack.inside(service, "printenv", "ALERT_WEBHOOK").strip() == WEBHOOK, f"{service} can tell nobody")


def runs_days(stack: Stack) -> None:
    """Runs two days of sample data by an Airflow backfill on the stack's Spark."""
    require(
        until(lambda: DATASET in stack.inside("airflow-scheduler", "airflow", "dags", "list"), 120),
        f"Airflow has no DAG {DATASET}: {stack.inside('airflow-scheduler', 'airflow', 'dags', 'list-import-errors')}",
    )
    commands = re.findall(r"^docker compose (.*)$", (stack.clone / "conf/README.md").read_text(), re.M)
    require(
        len(commands) == 2, f"two commands in conf/README.md expected, to land days and to run them; found {commands}"
    )
    for command in commands:
        done = stack.run("sh", "-c", f"{COMPOSE} {command}")
        require(done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}")

    def states() -> dict[str, str]:
        listed = stack.inside("airflow-scheduler", "airflow", "dags", "list-runs", DATASET, "--output", "json")
        runs = json.loads(next(line for line in listed.splitlines() if line.startswith("[")))
        return {run["run_id"]: run["state"] for run in runs if run["run_id"].startswith("backfill")}

    require(
        until(lambda: set(states().values()) <= {"success", "failed"} and len(states()) == 2, 900),
        f"not done: {states()}",
    )
    require(set(states().values()) == {"success"}, f"a day failed: {states()}")
    for ds in (FIRST, LAST):
        rows = published(stack, ds)
        require(rows > 1000, f"{ds}: {rows} rows are published, more than 1000 of 2000 expected")
        print(f"          {ds}: {rows} published rows", flush=True)
    done = stack.says(f"http://127.0.0.1:{stack.spark_port}/json/")["completedapps"]
    require(len(done) > 1, f"the days have not run on the stack's Spark: its master knows of {len(done)} runs")


def published(stack: Stack, ds: str) -> int:
    return int(stack.inside("airflow-scheduler", ".venv/bin/python", "-c", count_of("/lake", DATASET, ds)).split()[-1])


def count_of(lake: str, dataset: str, ds: str) -> str:
    return (
        f"from common.published import Lake; print(Lake({lake!r}).features({dataset!r}).at().arrow(ds={ds!r}).num_rows)"
    )


def stops_and_goes_on(stack: Stack) -> None:
    """Without its secrets the stack refuses to start; with them it continues where it was."""
    hidden = stack.clone / ".env"
    aside = hidden.rename(stack.clone / "data" / "secrets-aside")
    done = stack.run("make", "up")
    require(
        done.returncode != 0 and "Put that .env back" in done.stderr and not hidden.exists(),
        f"make up without .env, though an earlier start left its volumes:\n{done.stdout}\n{done.stderr}",
    )
    aside.rename(hidden)
    require(stack.run("make", "down").returncode == 0, "make down failed")
    require(not answers("127.0.0.1", stack.port), "it still answers after make down")
    require(stack.run("make", "up", stdout=None).returncode == 0, "make up failed the second time")
    require(published(stack, LAST) > 1000, "the lake is gone after make down and make up")


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(otherwise)


def until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(3)
    return True


def answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 3).close()
    except OSError:
        return False
    return True


def other_addresses() -> list[str]:
    """This machine's addresses on its networks."""
    listed = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=False).stdout
    return re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", listed)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
