"""PostgreSQL as a warehouse: what differs between databases is in this class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from common.delivery.type_mapping import column_types, require_equal, require_short
from common.errors import ContractViolationError, LockedError, PipelineError, UsageError
from common.sources.databases.dialects import Address

CONNECT_SECONDS = 10
LEDGER = "delivered_days"
STAGING = sql.Identifier("staged_day")
CREATE_LEDGER = (
    "CREATE TABLE IF NOT EXISTS {ledger} (source text, ds date, table_id text NOT NULL, version bigint NOT NULL, "
    "hash text NOT NULL, rows bigint NOT NULL, run_id text NOT NULL, delivered_at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (source, ds))"
)
RECORD = (
    "INSERT INTO {ledger} (source, ds, table_id, version, hash, rows, run_id) VALUES (%s, %s, %s, %s, %s, %s, %s) "
    "ON CONFLICT (source, ds) DO UPDATE SET table_id = excluded.table_id, version = excluded.version, "
    "hash = excluded.hash, rows = excluded.rows, run_id = excluded.run_id, delivered_at = excluded.delivered_at"
)
DELETE = "DELETE FROM {table} t WHERE ds = %s AND NOT EXISTS (SELECT 1 FROM {staging} s WHERE s.{key} = t.{key})"
UPSERT = (
    "INSERT INTO {table} AS t ({columns}) SELECT {columns} FROM {staging} ON CONFLICT (ds, {key}) "
    "DO UPDATE SET ({columns}) = ROW({new}) WHERE ({old}) IS DISTINCT FROM ({new})"
)
COLUMNS = (
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
)
KEYS = (
    "SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i "
    "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
    "WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indpred IS NULL GROUP BY i.indexrelid"
)
EXISTS = "SELECT to_regclass(%s)"
LOGIN = "28"
_LOGIN = (UsageError, "refuses the login", "Correct {variable}, or the file that {variable}_FILE names")
_RIGHTS = (UsageError, "forbids it", "Give the user the right, or correct conf; nothing was replaced")
_ROWS = (ContractViolationError, "refuses the rows", "Nothing was replaced; change the target's constraint or the rows")
# By the first letters of a SQL state: the error, what it is about, and what to do.
EXPLAINED: tuple[tuple[str, type[PipelineError], str, str], ...] = (
    (LOGIN, *_LOGIN),
    ("3D", *_LOGIN),
    ("42501", *_RIGHTS),
    ("3F", *_RIGHTS),
    ("22", *_ROWS),
    ("23", *_ROWS),
    ("55P03", LockedError, "is held by another delivery of the table", "Nothing was replaced; run it again later"),
    (
        "57014",
        PipelineError,
        "took longer than the target's `seconds` for one statement",
        "Nothing was replaced; run it again, or allow more in conf",
    ),
    ("53", PipelineError, "is full", "Nothing was replaced; make room, and run it again"),
)


class PostgresWarehouse:
    """One connection. Reads nothing of ours; writes a day in one transaction."""

    def __init__(self, address: Address, schema: str, seconds: int) -> None:
        self._place, self._variable, self._schema = address.place, address.variable, schema
        require_short([schema])
        secure: dict[str, Any] = {name: text for name, text in address.properties.items() if name.startswith("ssl")}
        with self._explained():
            self._connection = psycopg.connect(
                f"postgresql://{address.place}",
                user=address.properties["user"],
                password=address.properties["password"],
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                tcp_user_timeout=seconds * 1000,
                application_name="deliver",
                **secure,
            )
        with self._explained():
            for name, text in {
                "statement_timeout": f"{seconds}s",
                "lock_timeout": f"{CONNECT_SECONDS}s",
                "timezone": "UTC",
                "search_path": sql.Identifier(schema).as_string(),
            }.items():
                self._connection.execute("SELECT set_config(%s, %s, false)", (name, text))

    def close(self) -> None:
        self._connection.close()

    def check(self, table: str, schema: pa.Schema, key: str) -> None:
        """Raise if the target can't take such rows; it may be missing. Nothing is written."""
        require_short([table])
        expected = column_types(schema)
        with self._explained():
            if not self._connection.execute("SELECT to_regnamespace(%s)", (self._quoted(self._schema),)).fetchone()[0]:  # type: ignore[index]
                raise UsageError(
                    f"{self._place} has no schema {self._schema}; create it, or name another one in conf. Nothing was written"
                )
            name = self._qualified(table).as_string()
            found: dict[str, str] = dict(self._connection.execute(COLUMNS, (name,)).fetchall())
            keys = [row[0] for row in self._connection.execute(KEYS, (name,)).fetchall()]
        if not found:
            return
        require_equal(f"{self._place} {self._schema}.{table}", found, expected)
        if sorted(["ds", key]) not in keys:
            raise UsageError(
                f"{self._place} {self._schema}.{table} has no unique index on exactly (ds, {key}); create one. "
                "Nothing was written"
            )

    def delivered(self, source: str, ds: object) -> tuple[str, int, str] | None:
        """The table id, version and hash of the day that the target holds."""
        with self._explained():
            ledger = self._qualified(LEDGER)
            if not self._connection.execute(EXISTS, (ledger.as_string(),)).fetchone()[0]:  # type: ignore[index]
                return None
            query = sql.SQL("SELECT table_id, version, hash FROM {} WHERE source = %s AND ds = %s").format(ledger)
            return self._connection.execute(query, (source, ds)).fetchone()

    def replace(
        self, table: str, schema: pa.Schema, key: str, batches: Iterable[pa.RecordBatch], facts: tuple[Any, ...]
    ) -> dict[str, int]:
        """Make the target's slice equal to the rows, and record it, in one transaction. `facts` are the ledger's row."""
        source, ds, table_id, version, _, rows, _ = facts
        parts = self._parts(table, schema, key)
        with self._explained(), self._connection.transaction():
            # One delivery of a table at a time; also keeps two from creating it at once.
            self._run("SELECT pg_advisory_xact_lock(hashtext({name}))", parts)
            self._run(CREATE_LEDGER, parts)
            self._require_newer(source, ds, table_id, version)
            self._run("CREATE TABLE IF NOT EXISTS {table} ({typed}, PRIMARY KEY (ds, {key}))", parts)
            if self._run("SELECT EXISTS (SELECT FROM {table} WHERE ds = %s)", parts, ds).fetchone()[0]:
                deleted, upserted = self._converge(parts, ds, batches)
            else:  # a new day needs no comparison, which takes longer than the copy
                deleted, upserted = 0, self._copy("table", parts, batches)
            self._run(RECORD, parts, *facts)
            self._require_equal_rows(parts, ds, rows)
        return {"rows": rows, "upserted": upserted, "deleted": deleted}

    def of_entity(self, table: str, key: str, value: object, remove: bool) -> int:
        """How many rows of the entity the table has; with `remove`, how many were removed.

        The ledger keeps the hash of what was delivered, so the next delivery looks at those days again.
        """
        parts: dict[str, sql.Composable] = {"table": self._qualified(table), "key": sql.Identifier(key)}
        with self._explained():
            if not self._connection.execute(EXISTS, (self._qualified(table).as_string(),)).fetchone()[0]:  # type: ignore[index]
                return 0
            statement = "DELETE FROM {table} WHERE {key} = %s" if remove else "SELECT FROM {table} WHERE {key} = %s"
            return int(self._run(statement, parts, value).rowcount)

    def _converge(
        self, parts: dict[str, sql.Composable], ds: object, batches: Iterable[pa.RecordBatch]
    ) -> tuple[int, int]:
        """Stage the rows in a table of this transaction alone, then write the difference."""
        self._run("CREATE TEMPORARY TABLE {staging} ({typed}) ON COMMIT DROP", parts)
        self._copy("staging", parts, batches)
        self._run("ANALYZE {staging}", parts)
        return self._run(DELETE, parts, ds).rowcount, self._run(UPSERT, parts).rowcount

    def _copy(self, table: str, parts: dict[str, sql.Composable], batches: Iterable[pa.RecordBatch]) -> int:
        copying = sql.SQL(f"COPY {{{table}}} ({{columns}}) FROM STDIN (FORMAT csv)").format(**parts)
        with self._connection.cursor() as cursor:
            with cursor.copy(copying) as copy:
                for batch in batches:
                    copy.write(_as_csv(batch))
            return cursor.rowcount

    def _require_newer(self, source: str, ds: object, table_id: str, version: int) -> None:
        held = self.delivered(source, ds)
        if held and held[0] == table_id and held[1] > version:
            raise LockedError(
                f"{self._place} holds {source} {ds} of version {held[1]}, and this delivery is of version {version}; expected "
                "a newer one. Nothing was replaced; run it again: it delivers the newest publication"
            )

    def _require_equal_rows(self, parts: dict[str, sql.Composable], ds: object, rows: int) -> None:
        (found,) = self._run("SELECT count(*) FROM {table} WHERE ds = %s", parts, ds).fetchone()
        if found != rows:
            raise PipelineError(
                f"{self._place} would hold {found:,} rows of {ds}, expected {rows:,}; a trigger or a rule of the target changes "
                "them. Nothing was replaced; remove it"
            )

    def _run(self, statement: str, parts: dict[str, sql.Composable], *values: object) -> Any:
        return self._connection.execute(sql.SQL(statement).format(**parts), values)

    def _parts(self, table: str, schema: pa.Schema, key: str) -> dict[str, sql.Composable]:
        def listed(prefix: str = "") -> sql.Composable:
            return sql.SQL(", ").join(sql.Identifier(*([prefix] if prefix else []), name) for name in schema.names)

        typed = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
            for name, type_ in column_types(schema).items()
        ]
        return {
            "table": self._qualified(table),
            "ledger": self._qualified(LEDGER),
            "name": sql.Literal(f"{self._schema}.{table}"),
            "staging": STAGING,
            "key": sql.Identifier(key),
            "columns": listed(),
            "old": listed("t"),
            "new": listed("excluded"),
            "typed": sql.SQL(", ").join(typed),
        }

    def _qualified(self, table: str) -> sql.Identifier:
        return sql.Identifier(self._schema, table)

    def _quoted(self, name: str) -> str:
        return sql.Identifier(name).as_string()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            self._explain(error)

    def _explain(self, error: psycopg.Error) -> NoReturn:
        state, said = error.sqlstate or "", " ".join(str(error).split())
        # A connection that was refused has no state.
        if not state and "FATAL" in said:
            state = LOGIN
        for start, kind, problem, to_do in EXPLAINED:
            if state.startswith(start):
                raise kind(f"{self._place} {problem}: {said}. {to_do.format(variable=self._variable)}") from None
        raise PipelineError(
            f"{self._place} can't be reached or failed: {said}. It holds the old rows or the new ones, never a mixture; "
            "run it again"
        ) from None


def _as_csv(batch: pa.RecordBatch) -> memoryview:
    """A null is nothing, an empty text is a quoted nothing: PostgreSQL tells them apart in the same way."""
    sink = pa.BufferOutputStream()
    csv.write_csv(batch, sink, csv.WriteOptions(include_header=False))
    return memoryview(sink.getvalue())
