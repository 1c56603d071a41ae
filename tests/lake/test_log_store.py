"""Spark's commits on an object store: of two machines that write one version at once, one is told that it came second."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pyspark
import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

from common.errors import UsageError
from common.runtime import object_store
from tests.support.s3_server import S3Server, lake_server

pytestmark = pytest.mark.slow
JARS = Path(str(pyspark.__file__)).parent / "jars"
VERSIONS = 25
DELTAS_OWN = "io.delta.storage.S3SingleDriverLogStore"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    try:
        object_store.require_jars()
    except UsageError as error:
        pytest.skip(str(error))
    with lake_server(tmp_path, monkeypatch) as started:
        yield started


@pytest.fixture
def machines(server: S3Server) -> Iterator[list[JavaGateway]]:
    gateways = []
    try:
        for _ in range(2):
            port = launch_gateway(classpath=f"{JARS}/*", die_on_exit=True)
            gateways.append(JavaGateway(gateway_parameters=GatewayParameters(port=port)))
        yield gateways
    finally:
        for gateway in gateways:
            gateway.shutdown()


def options_of(gateway: JavaGateway) -> Any:
    options = gateway.jvm.org.apache.hadoop.conf.Configuration()
    for name, value in object_store.spark_options("s3://lake").items():
        options.set(name.removeprefix("spark.hadoop."), value)
    return options


def log_store(gateway: JavaGateway, name: str, options: Any) -> Any:
    given = gateway.new_array(gateway.jvm.java.lang.Object, 1)
    given[0] = options
    return gateway.jvm.java.lang.Class.forName(name).getConstructors()[0].newInstance(given)


def writer(gateway: JavaGateway, store: str) -> Any:
    """Writes a line as that log store of that machine; returns whether it was the first."""
    java: Any = gateway.jvm
    options = options_of(gateway)
    log = log_store(gateway, store, options)

    def write(path: str, line: str) -> bool:
        lines = java.java.util.ArrayList()
        lines.add(line)
        try:
            log.write(java.org.apache.hadoop.fs.Path(path), lines.iterator(), False, options)
        except Py4JJavaError as error:
            assert error.java_exception.getClass().getName() == "java.nio.file.FileAlreadyExistsException", error
            return False
        return True

    return write


def race(server: S3Server, writers: list[Any], folder: str) -> list[tuple[list[bool], str]]:
    """For each version: who was told that the commit is theirs, and what it holds in the end."""
    start = Barrier(len(writers))

    def commit(number: int, version: int) -> bool:
        start.wait()
        return bool(writers[number](f"s3://lake/{folder}/{version:020}.json", f"of machine {number}"))

    found = []
    with ThreadPoolExecutor(len(writers)) as threads:
        for version in range(VERSIONS):
            first = [*threads.map(commit, range(len(writers)), [version] * len(writers))]
            found.append((first, (server.folder / "lake" / folder / f"{version:020}.json").read_text()))
    return found


def test_of_two_machines_one_makes_the_version(server: S3Server, machines: list[JavaGateway]) -> None:
    ours = race(server, [writer(machine, object_store.LOG_STORE) for machine in machines], "ours")
    assert [sum(first) for first, _ in ours] == [1] * VERSIONS
    assert all(content == f"of machine {first.index(True)}\n" for first, content in ours)
    assert {first.index(True) for first, _ in ours} == {0, 1}, "they raced"
    delta = race(server, [writer(machine, DELTAS_OWN) for machine in machines], "delta")
    assert max(sum(first) for first, _ in delta) == 2, "Delta's own log store no longer loses commits: use it"


def test_it_lists_a_log_from_its_end(server: S3Server, machines: list[JavaGateway]) -> None:
    folder = server.folder / "lake/raw/shop/_delta_log"
    (folder / "_sidecars").mkdir(parents=True)
    for name in [f"{version:020}.json" for version in range(1_200)] + ["_last_checkpoint", "_sidecars/x.parquet"]:
        (folder / name).write_text("{}")
    gateway, *_ = machines
    options = options_of(gateway)

    def listed(store: str, name: str) -> list[tuple[str, int, int]]:
        path = gateway.jvm.org.apache.hadoop.fs.Path(f"s3://lake/raw/shop/_delta_log/{name}")
        found, files = log_store(gateway, store, options).listFrom(path, options), []
        while found.hasNext():
            file = found.next()
            if not file.isDirectory():
                files.append((file.getPath().toString(), file.getLen(), file.getModificationTime()))
        return files

    for name in ("00000000000000001150.", f"{1_199:020}.json", f"{1_195:020}.checkpoint", f"{0:020}."):
        before = len(server.requests())
        ours = listed(object_store.LOG_STORE, name)
        asked = [about for kind, about in server.requests()[before:] if kind == "LIST"]
        assert ours == listed(DELTAS_OWN, name)
        assert len(asked) == (1 if name > f"{200:020}" else 2)
    with pytest.raises(Py4JJavaError, match="FileNotFoundException"):
        listed(object_store.LOG_STORE, "../../none/_delta_log/0")
