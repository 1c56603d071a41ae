"""Starts and stops a Spark cluster on this machine, a master and workers: `cluster.py up|down`, or `make cluster`."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import PipelineError
from common.runtime.cluster import masters
from common.runtime.locations import resolve
from common.runtime.settings import ROOT, Settings, Standalone, load_settings
from conf.spark.daemon import HERE, Daemon, daemon_of, properties, wait

START_SECONDS = 90
# Options of master and workers; those of a run come from its driver.
DAEMONS = {
    "spark.authenticate": "true",
    "spark.network.crypto.enabled": "true",
    # Fail if the port is taken, instead of listening on another one.
    "spark.port.maxRetries": "0",
    # A restarted master recovers its applications and workers.
    "spark.deploy.recoveryMode": "FILESYSTEM",
    "spark.worker.cleanup.enabled": "true",
    # The web pages are read-only: every user of this machine can open them.
    "spark.ui.killEnabled": "false",
    "spark.master.ui.decommission.allow.mode": "DENY",
    "spark.master.rest.enabled": "false",
}


def main(action: str) -> None:
    settings = load_settings("cluster")
    if settings.standalone is None:
        sys.exit("conf/cluster.yml has no `standalone`: expected it to say which cluster to start on this machine.")
    folder = Path(resolve("standalone.folder", settings.standalone.folder, ROOT))
    if action == "down" and not folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(folder):
        {"up": up, "down": down}[action](settings, settings.standalone, folder)


def up(settings: Settings, standalone: Standalone, folder: Path) -> None:
    host, port = masters(settings)[0]
    if host != HERE or settings.secret_file is None:
        sys.exit(
            f"conf/cluster.yml: expected a spark.master on {HERE} and a secret_file; `make cluster` starts no other cluster."
        )
    page = f"http://{HERE}:{standalone.ui_port}"
    daemons = all_daemons(folder, standalone, port)
    if not Path(settings.secret_file).exists():  # running processes hold a secret that no driver can read
        down(settings, standalone, folder)
    missing = [daemon for daemon in daemons if daemon.pid is None]
    if not missing and ready(page, standalone.workers):
        say(f"The cluster is running already: {page}")
        return
    if daemons[0] in missing:
        require_free("conf/cluster.yml", port, standalone.ui_port)
    if missing == daemons:  # nothing runs, so drop what the last master recorded
        shutil.rmtree(folder / "recovery", ignore_errors=True)
    write_secret(Path(settings.secret_file), folder)
    start(missing, daemons, lambda: ready(page, standalone.workers))
    say(
        f"{standalone.workers} workers with {standalone.cores} cores and {standalone.memory} each, for --env cluster: {page}"
    )


def start(missing: list[Daemon], daemons: list[Daemon], is_ready: Callable[[], bool]) -> None:
    for daemon in missing:
        daemon.start()
    in_time = wait(lambda: is_ready() or any(daemon.pid is None for daemon in daemons), START_SECONDS)
    dead = [daemon for daemon in daemons if daemon.pid is None]
    if dead or not in_time:
        for daemon in reversed(missing):
            daemon.end()
        problem = f"{dead[0].name} ended by itself" if dead else f"not all of it answered within {START_SECONDS} s"
        logs = ", ".join(str(daemon.log) for daemon in dead or missing)
        sys.exit(f"The cluster did not start: {problem}; see {logs}.")


def down(settings: Settings, standalone: Standalone, folder: Path) -> None:
    """Stops what was started, not what is configured now; workers first, because they end their executors."""
    names = sorted((path.stem for path in folder.glob("*.pid")), reverse=True)
    running = [daemon for daemon in (daemon_of(folder, name) for name in names) if daemon.pid is not None]
    for name in names:
        daemon_of(folder, name).end()
    if running:
        say(f"Ended: {', '.join(daemon.name for daemon in running)}.")


def all_daemons(folder: Path, standalone: Standalone, port: int) -> list[Daemon]:
    master = daemon_of(folder, "master", "--port", str(port), "--webui-port", str(standalone.ui_port))
    size = ("--cores", str(standalone.cores), "--memory", standalone.memory)
    # Any free port for a worker's page: the master's page links to it.
    common = (*size, "--webui-port", "0", f"spark://{HERE}:{port}")
    names = [f"worker-{number}" for number in range(1, standalone.workers + 1)]
    return [master, *(daemon_of(folder, name, "--work-dir", str(folder / "work" / name), *common) for name in names)]


def write_secret(file: Path, folder: Path) -> None:
    """Readable by the owner only; passed as a file, because arguments and environments can be listed."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, secrets.token_hex(32) + "\n")
    if not (secret := file.read_text().strip()):
        sys.exit(f"{file} is empty; expected a secret in it. Remove the file: `make cluster` writes a new one.")
    options = {
        **DAEMONS,
        "spark.deploy.recoveryDirectory": str(folder / "recovery"),
        "spark.authenticate.secret": secret,
    }
    write_private(properties(folder), "".join(f"{name} {value}\n" for name, value in options.items()))


def write_private(file: Path, text: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)


def ready(page: str, workers: int) -> bool:
    status = state(page)
    alive = [worker for worker in status.get("workers", []) if worker["state"] == "ALIVE"]
    return status.get("status") == "ALIVE" and len(alive) >= workers


def state(page: str) -> dict[str, Any]:
    """The master's status page as JSON; ignores proxies, because it is on this machine."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{page}/json/", timeout=5) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError):
        return {}


def require_free(conf: str, *ports: int) -> None:
    for port in ports:
        try:
            socket.create_server((HERE, port)).close()
        except OSError as error:
            sys.exit(f"{HERE}:{port}: {error.strerror}. End what uses that port, or change it in {conf}.")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Serialises concurrent starts and stops."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except PipelineError as error:
        sys.exit(str(error))
