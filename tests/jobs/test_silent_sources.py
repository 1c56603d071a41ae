"""A server that takes the connection and never answers: the day fails in time, nothing is written, and it can run again."""

from __future__ import annotations

import time
from typing import Any

import pytest

from common.errors import SourceUnreachableError
from common.sources.databases.jdbc import Jdbc
from common.sources.http.api import Http
from common.sources.kafka.topic import Kafka
from common.sources.mongo.collection import Mongo
from tests.support.play_lake import PlayLake
from tests.support.silent import silent_server

pytestmark = pytest.mark.slow

TABLE = Jdbc(database="shop", table="purchases", watermark="updated_at")
SILENT = {
    "postgresql": (TABLE, "SHOP_DATABASE", "postgresql://ours:hush@127.0.0.1:{port}/shop"),
    "mariadb": (TABLE, "SHOP_DATABASE", "mysql://ours:hush@127.0.0.1:{port}/shop"),
    "mongo": (
        Mongo(database="shop", collection="sales", timeout_seconds=2), "SHOP_DATABASE", "mongodb://127.0.0.1:{port}/shop",
    ),
    "kafka": (Kafka(cluster="shop", topic="orders"), "SHOP_KAFKA", "127.0.0.1:{port}"),
}  # fmt: skip


def fails_in_time(lake: PlayLake, source: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(SourceUnreachableError, match="run again"):
        lake.with_contract(source=source).ingest("2026-01-05")
    assert time.monotonic() - begun < 30
    assert lake.state() == {}


@pytest.mark.parametrize("kind", SILENT)
def test_a_silent_server_is_told_in_time(lake: PlayLake, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source, variable, address = SILENT[kind]
    with silent_server() as port:
        monkeypatch.setenv(variable, address.format(port=port))
        fails_in_time(lake, source)


def test_a_silent_api_is_told_in_time(lake: PlayLake) -> None:
    with silent_server() as port:
        api = Http(base=f"http://127.0.0.1:{port}", path="/sales", timeout_seconds=1, attempts=2)
        fails_in_time(lake, api)
