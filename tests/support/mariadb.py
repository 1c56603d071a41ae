"""A MariaDB server for tests, where MariaDB is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.postgres import NotHereError


@contextmanager
def mariadb() -> Iterator[tuple[str, Path]]:
    """Starts a server; yields the address of an empty database as user:password@host:port/name, and the server's socket."""
    if missing := [program for program in ("mariadbd", "mariadb-install-db", "mariadb") if not shutil.which(program)]:
        raise NotHereError(f"{missing[0]} is not on PATH (Debian: apt-get install mariadb-server)")
    user = "mysql" if not os.geteuid() else None
    how: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    folder = Path(tempfile.mkdtemp(prefix="mariadb-"))
    as_user = [f"--user={user}"] if user else []
    own = ["--no-defaults", f"--datadir={folder}/data", *as_user]
    try:
        if user:
            shutil.chown(folder, user)
        subprocess.run(
            ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            **how,
        )
        port = free_port()
        place = folder / "socket"
        small = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M"]
        listening = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={place}"]
        with subprocess.Popen(["mariadbd", *own, *listening, *small], **how) as server:
            try:
                _until_ready(place, server)
                run_sql(
                    place,
                    "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER ours@'%' IDENTIFIED BY 'hush'; "
                    "GRANT ALL ON shop.* TO ours@'%'",
                    "mysql",
                )
                yield f"ours:hush@127.0.0.1:{port}/shop", place
            finally:
                server.terminate()
                server.wait(30)
    finally:
        shutil.rmtree(folder)


def run_sql(place: Path, sql: str, database: str = "shop") -> str:
    command = ["mariadb", "--no-defaults", "-uroot", f"--socket={place}", "-N", "-B", database]
    return subprocess.run(command, input=sql, text=True, check=True, capture_output=True).stdout


def _until_ready(place: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    ping = ["mariadb-admin", "--no-defaults", "-uroot", f"--socket={place}", "ping"]
    while subprocess.run(ping, capture_output=True, check=False).returncode:
        assert server.poll() is None and time.monotonic() < deadline, "MariaDB did not start"
        time.sleep(0.05)
