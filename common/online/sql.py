"""The online store in SQL, and its SQLite version: one file that needs no server."""

from __future__ import annotations

import sqlite3
import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from common.errors import LockedError
from common.online.row_codec import Pair, decode
from common.online.store import Store, unreachable
from common.runtime.private_files import close_to_others, keep_private

PROJECT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 30
REGISTERED = "SELECT 1 FROM online_generations WHERE generation = ?"
OLD = (
    "SELECT generation FROM online_generations WHERE view = ? AND generation <= ? "
    "AND generation NOT IN (SELECT generation FROM online_views WHERE view = ?)"
)
PUT = (
    "INSERT INTO online_rows (generation, entity, content) VALUES (?, ?, ?) "
    "ON CONFLICT (generation, entity) DO UPDATE SET content = excluded.content"
)
POINT = (
    "INSERT INTO online_views (view, generation, facts) VALUES (?, ?, ?) "
    "ON CONFLICT (view) DO UPDATE SET generation = excluded.generation, facts = excluded.facts"
)
ERASE = "DELETE FROM online_rows WHERE entity = ? AND generation IN (SELECT generation FROM online_generations WHERE view = ?)"
RESTATE = "UPDATE online_views SET facts = ? WHERE view = ?"
FACTS = "SELECT facts FROM online_views WHERE view = ?"
# A single statement sees a single generation, even during a load.
GET = (
    "SELECT r.content FROM online_views v "
    "LEFT JOIN online_rows r ON r.generation = v.generation AND r.entity = ? WHERE v.view = ?"
)
ALL = (
    "SELECT r.entity, r.content FROM online_views v JOIN online_rows r ON r.generation = v.generation WHERE v.view = ?"
)


class SqlStore(Store):
    """The statements that all databases share; a subclass connects. Each thread has its own connection."""

    tables: ClassVar[tuple[str, ...]]
    no_table: ClassVar[type[Exception]]

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._local = threading.local()

    def close(self) -> None:
        """Close this thread's connection."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def begin(self, view: str) -> int:
        with self._writing(create=True) as connection:
            for statement in self.tables:
                connection.execute(statement)
            register = self._sql("INSERT INTO online_generations (view) VALUES (?) RETURNING generation")
            generation: int = connection.execute(register, (view,)).fetchone()[0]
        self._remove_old(view, generation - 1)
        return generation

    def put(self, view: str, generation: int, pairs: list[Pair]) -> None:
        with self._writing() as connection:
            self._check_registered(connection, view, generation)
            rows = [(generation, entity, content) for entity, content in sorted(pairs)]
            connection.cursor().executemany(self._sql(PUT), rows)

    def publish(self, view: str, generation: int, facts: str) -> None:
        with self._writing() as connection:
            self._check_registered(connection, view, generation)
            for (loaded,) in connection.execute(self._sql(FACTS), (view,)).fetchall():
                self.require_newer(view, decode(loaded), decode(facts))
            connection.execute(self._sql(POINT), (view, generation, facts))

    def _check_registered(self, connection: Any, view: str, generation: int) -> None:
        if connection.execute(self._sql(REGISTERED), (generation,)).fetchone() is None:
            raise self.overtaken(view)

    def _remove_old(self, view: str, newest: int) -> None:
        with self._writing() as connection:
            for (generation,) in connection.execute(self._sql(OLD), (view, newest, view)).fetchall():
                for table in ("online_rows", "online_generations"):
                    connection.execute(self._sql(f"DELETE FROM {table} WHERE generation = ?"), (generation,))  # noqa: S608

    def _erase(self, view: str, key: str, facts: str | None) -> int:
        with self._writing() as connection:
            gone: int = connection.execute(self._sql(ERASE), (key, view)).rowcount
            if facts is not None:
                connection.execute(self._sql(RESTATE), (facts, view))
        self._overwrite_freed()
        return gone

    def _overwrite_freed(self) -> None:
        """Nothing here: when a database reuses the space of removed rows is for whoever runs it."""

    def _get(self, view: str, key: str) -> str | None:
        content: str | None = self._one(view, GET, (key, view))
        return content

    def _facts(self, view: str) -> str:
        facts: str = self._one(view, FACTS, (view,))
        return facts

    def _one(self, view: str, statement: str, parameters: tuple[Any, ...]) -> Any:
        try:
            row = self.connection().execute(self._sql(statement), parameters).fetchone()
        except self.no_table as error:
            if not self._is_no_table(error):
                raise
            row = None
        if row is None:
            raise self.never_loaded(view)
        return row[0]

    def connection(self, create: bool = False) -> Any:
        connection = self._local.__dict__.get("connection")
        if connection is None or getattr(connection, "closed", False):
            self._local.connection = connection = self._connect(create)
        return connection

    def _sql(self, statement: str) -> str:
        return statement

    def _is_no_table(self, error: Exception) -> bool:
        return True

    @abstractmethod
    def _connect(self, create: bool) -> Any:
        """Open a connection in autocommit mode."""

    @abstractmethod
    def _writing(self, create: bool = False) -> AbstractContextManager[Any]:
        """Yield a connection in a transaction that excludes other writers."""


class SqliteStore(SqlStore):
    tables = (
        "CREATE TABLE IF NOT EXISTS online_views (view TEXT PRIMARY KEY, generation INTEGER NOT NULL, "
        "facts TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS online_generations (generation INTEGER PRIMARY KEY AUTOINCREMENT, "
        "view TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS online_rows (generation INTEGER, entity TEXT, content TEXT NOT NULL, "
        "PRIMARY KEY (generation, entity)) WITHOUT ROWID",
    )
    no_table = sqlite3.OperationalError

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.path = PROJECT / address.removeprefix("sqlite:///")

    def _is_no_table(self, error: Exception) -> bool:
        return "no such table" in str(error)

    def _one(self, view: str, statement: str, parameters: tuple[Any, ...]) -> Any:
        if "connection" not in self._local.__dict__ and not self.path.exists():
            raise self.never_loaded(view)
        return super()._one(view, statement, parameters)

    def _connect(self, create: bool) -> sqlite3.Connection:
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # SQLite would use the umask; side files that it makes take the mode of this one.
                keep_private(self.path)
            for side in ("", "-wal", "-shm"):
                close_to_others(self.path.with_name(self.path.name + side))
            connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode={'rwc' if create else 'rw'}",
                uri=True,
                timeout=WAIT_SECONDS,
                isolation_level=None,
            )
            if create:
                # WAL lets readers go on while a load writes; the file keeps the mode.
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise unreachable(self.address, error) from None
        return connection

    def _overwrite_freed(self) -> None:
        """SQLite leaves the bytes of removed rows in its file, and in the log beside it."""
        connection = self.connection()
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def _writing(self, create: bool = False) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection = self.connection(create)
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise LockedError(
                f"{self!r} could not be locked for writing within {WAIT_SECONDS} s ({error}); run again later"
            ) from None
        with connection:  # commits or rolls back
            yield connection

    def _texts(self, view: str) -> Iterator[Pair]:
        connection = self._connect(create=False)
        try:
            yield from connection.execute(ALL, (view,))
        finally:
            connection.close()
