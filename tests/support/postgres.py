"""A PostgreSQL server for tests, where PostgreSQL is installed."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.certificates import Certificates
from tests.support.ports import free_port


class NotHereError(Exception):
    """PostgreSQL can't be started, and why."""


@contextmanager
def postgres(encrypted: Certificates | None = None) -> Iterator[str]:
    """Starts a server; yields an empty database as user:password@host:port/name."""
    # Debian keeps the server's programs off PATH, as several versions may be installed.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    places = os.pathsep.join([os.environ.get("PATH", ""), *map(str, debian[-1:])])
    programs = [shutil.which(program, path=places) for program in ("postgres", "initdb")]
    if None in programs:
        raise NotHereError("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    server_program, initdb = programs
    user = getpass.getuser() if os.geteuid() else "postgres"  # PostgreSQL refuses to run as root
    if user not in {each.pw_name for each in pwd.getpwall()}:
        raise NotHereError("PostgreSQL does not run as root, and there is no user postgres")
    how: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    how |= {} if os.geteuid() else {"user": user, "group": pwd.getpwnam(user).pw_gid}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        shutil.chown(folder, user)
        subprocess.run(
            [initdb, "-D", folder, "-U", "ours", "-A", "trust", "-E", "UTF8", "--no-locale"], check=True, **how
        )
        port = free_port()
        command = [server_program, "-D", folder, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
        command += _encryption(folder, user, encrypted) if encrypted else []
        with subprocess.Popen(command, **how) as server:
            try:
                _until_ready(folder, server)
                yield f"ours:hush@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)  # do not wait for open connections
                server.wait(20)
    finally:
        shutil.rmtree(folder)


def _encryption(folder: Path, user: str, encrypted: Certificates) -> list[str]:
    """PostgreSQL wants a key that only its user can read."""
    options = ["-c", "ssl=on"]
    for setting, file in (("ssl_cert_file", encrypted.certificate), ("ssl_key_file", encrypted.key)):
        place = shutil.copy(file, folder)
        Path(place).chmod(0o600)
        shutil.chown(place, user)
        options += ["-c", f"{setting}={place}"]
    return options


def _until_ready(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Waits until the server accepts connections, as pg_ctl does."""
    said = folder / "postmaster.pid"
    deadline = time.monotonic() + 20
    while not (said.exists() and "ready" in said.read_text()):
        assert server.poll() is None and time.monotonic() < deadline, "PostgreSQL did not start"
        time.sleep(0.05)
