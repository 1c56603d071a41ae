"""A PostgreSQL as a warehouse, with an empty schema for each test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.servers import database


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with database("postgresql") as server:
        yield server.address


@pytest.fixture
def sql(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[psycopg.Connection[Any]]:
    monkeypatch.setenv("WAREHOUSE_DATABASE", address)
    monkeypatch.setenv("DELIVERIES", json.dumps({"warehouse": {"kind": "postgresql", "schema": "marts", "seconds": 5}}))
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS marts CASCADE")
        connection.execute("CREATE SCHEMA marts")
        yield connection
