"""A server that speaks MongoDB's protocol: FerretDB over SQLite, built from `ferretdb/` where Go is installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conf.jar_files import CACHE

SOURCE = Path(__file__).parent / "ferretdb"


@contextmanager
def mongo() -> Iterator[str]:
    """Starts a server without data; yields its address. Skips the test where it can't be built."""
    program = _program()
    with tempfile.TemporaryDirectory(prefix="ferretdb-") as folder:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with subprocess.Popen([program, folder], text=True, **pipes) as server:
            assert server.stdin and server.stdout
            try:
                yield server.stdout.readline().strip()
            finally:
                server.stdin.close()
                server.wait(20)


def _program() -> Path:
    """Built once for each version, which takes a minute or two."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, which builds FerretDB (Debian: apt-get install golang)")
    content = b"".join((SOURCE / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    program = CACHE / f"ferretdb-{hashlib.sha256(content).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        writing = program.with_suffix(f".{os.getpid()}")
        command = [go, "build", "-mod=readonly", "-o", writing, "."]
        built = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
        if built.returncode:
            pytest.skip(f"FerretDB can't be built: {built.stderr[-500:]}")
        writing.rename(program)
    return program
