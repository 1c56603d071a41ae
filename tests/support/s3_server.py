"""A real S3 server for tests: versitygw, built by Go from its pinned source. Its objects are plain files in a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from common.lake.log import log_files
from common.lake.storage import reach
from conf.jar_files import CACHE
from tests.support.ports import free_port

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
PROGRAM = CACHE / f"versitygw-{VERSION}"
KEYS = {"AWS_ACCESS_KEY_ID": "machine", "AWS_SECRET_ACCESS_KEY": "only-for-this-test"}
REGION = "eu-west-1"


@dataclass
class S3Server:
    folder: Path  # a bucket is a folder in it
    port: int
    _log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {**KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}"}

    def start(self) -> None:
        command = [program(), "--port", f"127.0.0.1:{self.port}", "--region", REGION, "posix", str(self.folder)]
        known = {"ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"]}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env={**os.environ, **known}, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.02)

    def stop(self) -> None:
        """Cuts it off as a pulled plug does."""
        if self._process:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def requests(self) -> list[tuple[str, str]]:
        """What was asked so far: LIST, GET, HEAD, PUT, DELETE, COPY or POST, each with its path and query."""
        found = []
        for line in self._log.read_text(errors="replace").splitlines():
            parts = [part.strip() for part in line.split("|")]
            if len(parts) > 7 and parts[1] == "vgw":
                listing = parts[5] == "GET" and "list-type" in parts[8]
                found.append(("LIST" if listing else parts[5], f"{parts[6]} {parts[8]}"))
        return found

    def counts(self, since: int = 0) -> Counter[str]:
        return Counter(kind for kind, _ in self.requests()[since:])


@contextmanager
def s3_server(place: Path, *buckets: str) -> Iterator[S3Server]:
    """Starts a server with these buckets; skips the test where Go is missing."""
    folder = place / "buckets"
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True)
    server = S3Server(folder, free_port(), place / "server.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def lake_server(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A server with a bucket `lake`, to which this process's environment leads, and of which it knows nothing yet."""
    reach.answers.clear()
    log_files.newest_seen.clear()
    with s3_server(place, "lake") as started:
        for name, value in started.environment.items():
            monkeypatch.setenv(name, value)
        yield started


def program() -> str:
    """Built once for a machine."""
    built = PROGRAM / "versitygw"
    if built.exists():
        return str(built)
    go = shutil.which("go")
    if not go:
        pytest.skip("the S3 server is built with Go, which is missing (Debian: apt-get install golang)")
    done = subprocess.run(
        [go, "install", MODULE], env={**os.environ, "GOBIN": str(PROGRAM)}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"the S3 server can't be built: {done.stderr[-300:]}")
    return str(built)
