"""The online store in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from common.online.row_codec import Pair
from common.online.sql import ALL, SqlStore
from common.online.store import client_library, unreachable

WAIT_SECONDS = 10
# Serializes writers for one chunk of rows or one table creation; readers never wait. The number is arbitrary but fixed.
LOCK = "SELECT pg_advisory_xact_lock(7217003001)"


class PostgresStore(SqlStore):
    tables = (
        "CREATE TABLE IF NOT EXISTS online_views (view TEXT PRIMARY KEY, generation BIGINT NOT NULL, facts TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS online_generations (generation BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
        "view TEXT NOT NULL)",
        'CREATE TABLE IF NOT EXISTS online_rows (generation BIGINT, entity TEXT COLLATE "C", content TEXT NOT NULL, '
        "PRIMARY KEY (generation, entity))",
    )

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._psycopg = client_library("psycopg", "'psycopg[binary]'")
        self.no_table = self._psycopg.errors.UndefinedTable  # type: ignore[misc]

    def _sql(self, statement: str) -> str:
        return statement.replace("?", "%s")

    def _connect(self, create: bool) -> Any:
        try:
            return self._psycopg.connect(self.address, autocommit=True, connect_timeout=WAIT_SECONDS)
        except self._psycopg.Error as error:
            raise unreachable(self.address, error) from None

    @contextmanager
    def _writing(self, create: bool = False) -> Iterator[Any]:
        connection = self.connection(create)
        with connection.transaction():
            connection.execute(LOCK)
            yield connection

    def _texts(self, view: str) -> Iterator[Pair]:
        # A server-side cursor fetches the rows in portions.
        with self._connect(create=False) as connection, connection.transaction():
            yield from connection.cursor(name="online_rows").execute(self._sql(ALL), (view,))
