"""A warm Spark for tests, on its own port and in its own folder, as `make warm` starts one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
# A server of the tests ends before the optimising compiler pays off.
QUICK = {"_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1"}


@dataclass
class WarmSpark:
    folder: Path
    quick: bool = True
    port: int = field(default_factory=free_port)

    @property
    def address(self) -> str:
        return f"sc://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        declared = {"folder": str(self.folder), "port": self.port}
        return {**os.environ, "PYTHONPATH": str(ROOT), "WARM": json.dumps(declared)}

    @property
    def pid(self) -> int:
        return int((self.folder / "connect.pid").read_text())

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def run(self, action: str) -> tuple[int, str]:
        done = subprocess.run(
            [PYTHON, ROOT / "conf/spark/warm.py", action], env={**self.environment, **(QUICK if self.quick else {})},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=180,
        )  # fmt: skip
        return done.returncode, done.stdout

    def submit(self, job: str, *words: str, **environment: str) -> tuple[int, dict[str, Any], str]:
        """Where Java can't be found."""
        known = {**self.environment, "JAVA_HOME": "/nowhere", "SPARK_REMOTE": self.address, **environment}
        done = subprocess.run(
            [ROOT / "conf/spark/spark-submit", ROOT / f"jobs/{job}.py", *words], env=known, capture_output=True,
            text=True, check=False, timeout=300,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout.strip().splitlines()[-1]), done.stderr

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@contextmanager
def warm_spark(folder: Path, *, quick: bool = True) -> Iterator[WarmSpark]:
    """One that is not quick is the server of `make warm`, whose compiler pays off later."""
    server = WarmSpark(folder, quick)
    try:
        code, said = server.run("up")
        assert code == 0, said
        yield server
    finally:
        server.run("down")
