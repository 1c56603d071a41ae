"""PostgreSQL as a warehouse: what differs between databases is in this class and its statements."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from common.delivery import statements
from common.delivery.refusals import explain
from common.delivery.slices import DeliveredSlice
from common.delivery.statements import Parts, parts_of
from common.delivery.type_mapping import column_types, require_equal, require_short
from common.errors import LockedError, PipelineError, UsageError
from common.sources.databases.dialects import Address

CONNECT_SECONDS = 10
# How much longer than a statement may take we wait for the server to say that it took too long, and it for us.
GRACE_SECONDS = 5


class _Connection(psycopg.Connection[Any]):
    """Gives up a server that is silent, such as one whose machine is gone or hangs; libpq would wait for hours."""

    patience = float(CONNECT_SECONDS)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        deadline = time.monotonic() + self.patience
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.Error:
            if timeout is None and time.monotonic() >= deadline:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"it said nothing for {self.patience:g} s") from None
            raise


class PostgresWarehouse:
    """One connection. Reads nothing of ours; writes a day in one transaction."""

    def __init__(self, address: Address, schema: str, seconds: int) -> None:
        self._place, self._variable, self._schema = address.place, address.variable, schema
        require_short([schema])
        secure: dict[str, Any] = {name: text for name, text in address.properties.items() if name.startswith("ssl")}
        with self._explained():
            self._connection = _Connection.connect(
                f"postgresql://{address.place}",
                user=address.properties["user"],
                password=address.properties["password"],
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                tcp_user_timeout=seconds * 1000,
                application_name="deliver",
                **secure,
            )
        self._connection.patience = seconds + GRACE_SECONDS
        with self._explained():
            for name, text in {
                "statement_timeout": f"{seconds}s",
                "lock_timeout": f"{CONNECT_SECONDS}s",
                # The server gives up a machine that is gone soon, and with it the lock of its delivery.
                "idle_in_transaction_session_timeout": f"{seconds + GRACE_SECONDS}s",
                "tcp_keepalives_idle": f"{CONNECT_SECONDS}s",
                "tcp_keepalives_interval": f"{GRACE_SECONDS}s",
                "tcp_keepalives_count": "3",
                "timezone": "UTC",
                "search_path": sql.Identifier(schema).as_string(),
            }.items():
                self._connection.execute("SELECT set_config(%s, %s, false)", (name, text))

    def close(self) -> None:
        self._connection.close()

    def check(self, chosen: DeliveredSlice) -> None:
        """Raise if the target can't take such rows; its table may be missing. Nothing is written."""
        require_short([chosen.table])
        expected = column_types(chosen.schema)
        with self._explained():
            if not self._connection.execute("SELECT to_regnamespace(%s)", (self._quoted(self._schema),)).fetchone()[0]:  # type: ignore[index]
                raise UsageError(
                    f"{self._place} has no schema {self._schema}; create it, or name another one in conf. Nothing was written"
                )
            name = self._qualified(chosen.table).as_string()
            found: dict[str, str] = dict(self._connection.execute(statements.COLUMNS, (name,)).fetchall())
            keys = [row[0] for row in self._connection.execute(statements.KEYS, (name,)).fetchall()]
        if not found:
            return
        place = f"{self._place} {self._schema}.{chosen.table}"
        require_equal(place, found, expected)
        identity = (chosen.column, *chosen.key)
        if sorted(identity) not in keys:
            raise UsageError(
                f"{place} has no unique index on exactly ({', '.join(identity)}); create one. Nothing was written"
            )

    def delivered(self, chosen: DeliveredSlice) -> tuple[str, int, str] | None:
        """The table id, version and hash of the slice that the target holds."""
        with self._explained():
            if not self._exists(chosen.ledger):
                return None
            found = self._run(statements.DELIVERED, parts_of(self._schema, chosen), chosen.facts["source"]).fetchone()
            return found and tuple(found)

    def replace(self, chosen: DeliveredSlice) -> dict[str, int]:
        """Make the target's slice equal to the rows, and record it, in one transaction."""
        parts, rows = parts_of(self._schema, chosen), chosen.facts["rows"]
        with self._explained(), self._connection.transaction():
            # One delivery of a table at a time; also keeps two from creating it at once.
            self._run(statements.LOCK, parts)
            self._run(statements.CREATE_LEDGER, parts)
            self._require_newer(chosen)
            self._run(statements.CREATE_TABLE, parts)
            if self._run(statements.HAS_ROWS, parts).fetchone()[0]:
                deleted, upserted = self._converge(parts, chosen.batches())
            else:  # a new slice needs no comparison, which takes longer than the copy
                deleted, upserted = 0, self._copy("table", parts, chosen.batches())
            self._run(statements.RECORD, parts, *chosen.facts.values())
            self._require_equal_rows(parts, chosen)
        return {"rows": rows, "upserted": upserted, "deleted": deleted}

    def of_entity(self, table: str, key: str, value: object, remove: bool) -> int:
        """How many rows of the entity the table has; with `remove`, how many were removed.

        The ledger keeps the hash of what was delivered, so the next delivery looks at those days again.
        """
        parts: Parts = {"table": self._qualified(table), "key": sql.Identifier(key)}
        with self._explained():
            if not self._exists(table):
                return 0
            statement = "DELETE FROM {table} WHERE {key} = %s" if remove else "SELECT FROM {table} WHERE {key} = %s"
            return int(self._run(statement, parts, value).rowcount)

    def _converge(self, parts: Parts, batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
        """Stage the rows in a table of this transaction alone, then write the difference."""
        self._run(statements.STAGE, parts)
        self._copy("staging", parts, batches)
        self._run(statements.MEMORY, parts)
        self._run(statements.COMPARE, parts)
        return self._run(statements.DELETE, parts).rowcount, self._run(statements.UPSERT, parts).rowcount

    def _copy(self, into: str, parts: Parts, batches: Iterable[pa.RecordBatch]) -> int:
        copying = sql.SQL(statements.COPY).format(**parts, into=parts[into])
        with self._connection.cursor() as cursor:
            with cursor.copy(copying) as copy:
                for text in _one_ahead(batches):
                    copy.write(text)
            return cursor.rowcount

    def _require_newer(self, chosen: DeliveredSlice) -> None:
        held, version = self.delivered(chosen), chosen.facts["version"]
        if held and held[0] == chosen.facts["table_id"] and held[1] > version:
            raise LockedError(
                f"{self._place} holds {chosen.facts['source']} {chosen.value} of version {held[1]}, and this delivery is of "
                f"version {version}; expected a newer one. Nothing was replaced; run it again: it delivers the newest version"
            )

    def _require_equal_rows(self, parts: Parts, chosen: DeliveredSlice) -> None:
        (found,) = self._run(statements.COUNT, parts).fetchone()
        if found != (rows := chosen.facts["rows"]):
            raise PipelineError(
                f"{self._place} would hold {found:,} rows of {chosen.value}, expected {rows:,}; a trigger or a rule of the "
                "target changes them. Nothing was replaced; remove it"
            )

    def _run(self, statement: str, parts: Parts, *values: object) -> Any:
        return self._connection.execute(sql.SQL(statement).format(**parts), values)

    def _exists(self, table: str) -> bool:
        found = self._connection.execute(statements.EXISTS, (self._qualified(table).as_string(),)).fetchone()
        return bool(found and found[0])

    def _qualified(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._schema, table)

    def _quoted(self, name: str) -> str:
        return sql.Identifier(name).as_string()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            explain(self._place, self._variable, error)


def _one_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[memoryview]:
    """The batches as text, the next one while the server takes this one."""
    texts = (_as_csv(batch) for batch in batches)
    with ThreadPoolExecutor(1) as worker:
        pending = worker.submit(next, texts, None)
        while (text := pending.result()) is not None:
            pending = worker.submit(next, texts, None)
            yield text


def _as_csv(batch: pa.RecordBatch) -> memoryview:
    """A null is nothing, an empty text is a quoted nothing: PostgreSQL tells them apart in the same way."""
    sink = pa.BufferOutputStream()
    csv.write_csv(batch, sink, csv.WriteOptions(include_header=False))
    return memoryview(sink.getvalue())
