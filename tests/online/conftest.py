"""An empty online store of each kind, on servers of its own."""

import contextlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import PipelineError
from common.online.connect import open_store
from common.online.store import Store
from tests.support.ports import free_port
from tests.support.postgres import NotHereError, postgres


def skip_without(program: str, library: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not on PATH")
    if not importlib.util.find_spec(library):
        pytest.skip(f"the library {library} is not installed")


@contextlib.contextmanager
def running(command: list[str], address: str, **how: Any) -> Iterator[str]:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **how)
    try:
        for _ in range(200):
            with contextlib.suppress(PipelineError):
                store = open_store(address)
                store.load("started", "id", [], {})
                store.close()
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"{command[0]} did not start")
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    skip_without("redis-server", "redis")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with running([*command, "--requirepass", "hush"], f"redis://:hush@127.0.0.1:{port}/0") as address:
        yield address


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if not importlib.util.find_spec("psycopg"):
        pytest.skip("the library psycopg is not installed")
    try:
        with postgres() as address:
            yield f"postgresql://{address}"
    except NotHereError as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=["sqlite", "redis", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/online.db"
    return str(request.getfixturevalue("redis_server" if request.param == "redis" else "postgres_server"))


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    if address.startswith("redis"):
        opened.client.flushdb()  # type: ignore[attr-defined]
    elif address.startswith("postgresql"):
        opened.connection().execute("DROP TABLE IF EXISTS online_views, online_generations, online_rows")  # type: ignore[attr-defined]
    yield opened
    opened.close()
