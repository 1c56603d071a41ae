"""The differences between PostgreSQL and MySQL or MariaDB: addresses, names, and how a value becomes text without loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from common.contracts.column import Column
from common.errors import UsageError
from common.sources.credentials import from_environment
from common.sources.files.parquet_batches import can_be

FORM = "postgresql://user:password@host:port/name, or mysql://… for MySQL and MariaDB"
# Codes of java.sql.Types by kind of value; all others are text.
KINDS = {
    **dict.fromkeys((-7, 16), pa.bool_()),
    **dict.fromkeys((-6, 5, 4, -5), pa.int64()),
    **dict.fromkeys((2, 3), pa.decimal128(38)),
    **dict.fromkeys((6, 7, 8), pa.float64()),
    91: pa.date32(),
    **dict.fromkeys((93, 2014), pa.timestamp("us")),
}
BYTES = (-2, -3, -4, 2004)


@dataclass(frozen=True)
class DatabaseColumn:
    """A column as the database describes it."""

    name: str
    type: str  # the database's own name of it
    code: int  # of java.sql.Types

    @property
    def kind(self) -> pa.DataType:
        # To MySQL, a boolean is a number.
        number = self.type in ("bit", "year")
        return pa.int64() if number else KINDS.get(self.code, pa.string())

    @property
    def is_moment(self) -> bool:
        return self.kind in (pa.date32(), pa.timestamp("us"))

    @property
    def is_divisible(self) -> bool:
        """Whether its values can be divided into ranges."""
        return self.is_moment or self.kind in (pa.int64(), pa.decimal128(38))

    def fits(self, column: Column) -> bool:
        """Whether its text can be read as the declared type; every value has a text, so any can be a string."""
        number_as_boolean = column.base_type == "boolean" and self.kind == pa.int64()
        return column.base_type == "string" or number_as_boolean or can_be(self.kind, column)


class PostgreSql:
    """How to query PostgreSQL."""

    driver = "org.postgresql.Driver"
    trust = "?sslmode=verify-full&sslrootcert=/path/to/authority.pem"
    port = 5432
    now = "SELECT (clock_timestamp() AT TIME ZONE 'UTC')::text"
    # Several connections can share one snapshot.
    exports_snapshot = True
    session = (
        "SET TIME ZONE 'UTC'",
        "SET datestyle = 'ISO'",
        "SET extra_float_digits = 1",
        "SET idle_in_transaction_session_timeout = 0",
    )
    # In seconds. A query may take long; a server that has frozen must not hold the day for ever.
    limits = {"connectTimeout": "10", "loginTimeout": "15", "socketTimeout": "1800"}  # noqa: RUF012
    properties = {**limits, "tcpKeepAlive": "true", "ApplicationName": "ingest"}  # noqa: RUF012

    def url(self, place: str) -> str:
        return f"jdbc:postgresql://{place}"

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def has_zone(self, column: DatabaseColumn) -> bool:
        return column.type == "timestamptz"

    def text(self, column: DatabaseColumn) -> str:
        value = self.quoted(column.name)
        if column.type == "bytea":
            return f"replace(encode({value}, 'base64'), chr(10), '')"
        if column.type == "timestamptz":
            return f"replace({value}::text, '+00', 'Z')"  # the session is in UTC
        return f"to_jsonb({value})::text" if column.type.startswith("_") else self.plain_text(value)

    def plain_text(self, value: str) -> str:
        return f"{value}::text"


class MariaDb:
    """How to query MariaDB and MySQL."""

    driver = "org.mariadb.jdbc.Driver"
    trust = "?sslMode=verify-full&serverSslCert=/path/to/authority.pem"
    port = 3306
    now = "SELECT UTC_TIMESTAMP(6)"
    exports_snapshot = False
    session = ("SET time_zone = '+00:00'",)
    limits = {"connectTimeout": "10000", "socketTimeout": "1800000"}  # noqa: RUF012
    properties = {**limits, "tcpKeepAlive": "true", "tinyInt1isBit": "false"}  # noqa: RUF012

    def url(self, place: str) -> str:
        # Spark knows how MySQL quotes names, and the driver takes the scheme only if told so.
        return f"jdbc:mysql://{place}?permitMysqlScheme"

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def has_zone(self, column: DatabaseColumn) -> bool:
        return column.type == "timestamp"

    def text(self, column: DatabaseColumn) -> str:
        value = self.quoted(column.name)
        if column.code in BYTES:
            return f"CONVERT(REPLACE(TO_BASE64({value}), CHAR(10), '') USING utf8mb4)"
        if column.type == "timestamp":
            return f"CONCAT(CAST({value} AS CHAR), 'Z')"
        # A plain float would be rounded to six digits, and bits would be bytes.
        wide = {"float": " + 0e0", "bit": " + 0"}.get(column.type, "")
        return self.plain_text(f"{value}{wide}")

    def plain_text(self, value: str) -> str:
        return f"CAST({value} AS CHAR)"


Engine = PostgreSql | MariaDb
ENGINES: dict[str, Engine] = {
    **dict.fromkeys(("postgresql", "postgres"), PostgreSql()),
    **dict.fromkeys(("mysql", "mariadb"), MariaDb()),
}


@dataclass(frozen=True)
class Address:
    """Where a database is, and the login for it."""

    variable: str  # the environment variable that holds it
    engine: Engine = field(repr=False)
    place: str
    properties: dict[str, str] = field(repr=False)  # the user and the password among them

    @property
    def url(self) -> str:
        """Without user and password."""
        return self.engine.url(self.place)


def address(database: str) -> Address:
    """The address in the environment variable of the database, or in the file that another one names."""
    variable = f"{database.upper()}_DATABASE"
    try:
        parts = urlsplit(from_environment(variable, FORM))
        engine, port = ENGINES.get(parts.scheme), parts.port
    except ValueError:
        engine = None
    if engine is None or not parts.hostname or not parts.path.strip("/"):
        raise UsageError(f"{variable} is not the address of a database; expected {FORM}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    login = {"user": unquote(parts.username or ""), "password": unquote(parts.password or "")}
    properties = {**engine.properties, **dict(parse_qsl(parts.query)), **login}
    return Address(variable, engine, f"{host}:{port or engine.port}/{parts.path.strip('/')}", properties)
