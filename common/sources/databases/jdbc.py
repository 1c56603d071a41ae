"""A table of a relational database as a source: the rows that changed in a period, or the whole table."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from common.contracts.declared_source import DeclaredSource, require_least, require_short_name
from common.errors import PipelineError, SourceUnreachableError, require
from common.sources.databases.connection import JdbcConnection
from common.sources.databases.dialects import DatabaseColumn, address
from common.sources.databases.query import DIVIDES, EVERY_ROW, TableQuery, quoted_table
from common.sources.databases.ranges import conditions
from common.sources.files.text_records import decimal_marks
from common.sources.rows import OpenedOnce, require_over, require_timely
from common.sources.source import Period, Source, SourceListing, SourceUnit
from common.sources.unknown_names import UnknownNames

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from common.contracts.contract import Contract

# The part of Spark's error that the database's driver wrote.
_DATABASE_SAID = re.compile(r"(?:\w*SQL\w*Exception: |\[FAILED_JDBC\S*\] )(.*)")
LEAST = {"overlap_minutes": 0, "settle_minutes": 0, "late_hours": 0, "parallel": 1, "fetch_rows": 1}


@dataclass(frozen=True, kw_only=True)
class Jdbc(DeclaredSource):
    """A table of a PostgreSQL, MySQL or MariaDB database. Its address and login are in the environment, never here."""

    database: str
    table: str
    watermark: str | None = None
    overlap_minutes: int = 10
    settle_minutes: int = 0
    late_hours: int = 24
    deleted: str | None = None
    parallel: int = 1
    parallel_by: str | None = None
    fetch_rows: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_short_name("database", self.database)
        named = all(self.table.split(".")) and "\0" not in self.table
        require(named, f"table {self.table!r} is not allowed; expected a name like orders or sales.orders")
        require_least(self, LEAST)
        divided = self.parallel == 1 or self.parallel_by is not None
        require(divided, f"parallel={self.parallel} needs parallel_by, the number or date that divides the table")

    @property
    def needs_java(self) -> bool:
        return True

    def misfit(self, contract: Contract) -> str:
        if self.watermark and contract.event_time is None:
            return "a contract without event_time is a whole snapshot a day, so Jdbc must have no watermark"
        if self.watermark and self.deleted:
            return "deleted is for a whole snapshot; with a watermark, declare it as a column and leave such rows out of features"
        return ""

    def open(self, period: Period) -> Source:
        return OpenedTable(self, period)


@dataclass
class OpenedTable(OpenedOnce):
    """Holds a transaction open from `holds` to `close`, so that all parts of the table are read as of one moment."""

    declared: Jdbc
    connection: JdbcConnection | None = None
    query: TableQuery | None = None
    condition: str = EVERY_ROW
    divider: DatabaseColumn | None = None
    ranges: list[str] = field(default_factory=list)
    snapshot: str = ""

    def holds(self) -> SourceListing:
        require_over(self.period, self.declared.settle_minutes)
        where = address(self.declared.database)
        engine, table = where.engine, self.declared.table
        self.connection = connection = JdbcConnection(self.period.spark, where)
        asked = datetime.fromisoformat(str(connection.row(engine.now)[0])).replace(tzinfo=UTC)
        late_hours = None if self.declared.watermark else self.declared.late_hours
        require_timely(self.period, asked, self.declared.database, table, late_hours)
        found = {column.name: column for column in connection.columns(quoted_table(engine, table))}
        self.query = query = TableQuery(engine, table, self.period.contract, found)
        refused = query.refused()
        count = 0 if refused else self._divide(connection, query)
        facts = {
            "database": self.declared.database,
            "range": [str(moment) for moment in self._span] if self.declared.watermark else "whole table",
            "asked_at": str(asked),
            "one_moment": bool(self.snapshot) or len(self.ranges) == 1,
        }
        unit = SourceUnit(table, count, refused, extra=UnknownNames(query.unknown).shown())
        return SourceListing(f"{table} of {self.declared.database}", (unit,), facts)

    @property
    def _span(self) -> tuple[datetime, datetime]:
        return self.period.reaching_back(self.declared.overlap_minutes)

    def _divide(self, connection: JdbcConnection, query: TableQuery) -> int | None:
        """Decide which connection reads which rows; return their number, if it was counted in the same snapshot."""
        if self.declared.watermark:
            self.condition = query.changed_in(self.declared.watermark, *self._span)
        elif self.declared.deleted:
            self.condition = query.not_marked(self.declared.deleted)
        self.divider = query.divider(self.declared.parallel_by) if self.declared.parallel_by else None
        count, least, most = connection.row(query.bounds(self.condition, self.divider))
        self.ranges = [EVERY_ROW]
        if self.divider:
            name = query.engine.quoted(DIVIDES)
            self.ranges = conditions(name, self.divider, least, most, self.declared.parallel)
        if not query.engine.exports_snapshot:
            return None
        self.snapshot = str(connection.row("SELECT pg_export_snapshot()")[0])
        return int(str(count))

    def read(self, spark: SparkSession, listing: SourceListing) -> DataFrame:
        from common.sources.rows_as_text import rows_as_text

        assert self.connection and self.query
        query = f"({self.query.rows(self.condition, self.divider)}) rows_of_period"
        url = self.connection.address.url
        rows = spark.read.jdbc(url, query, predicates=self.ranges, properties=self._properties(self.connection))
        return rows_as_text(self._marked(rows.drop(DIVIDES), self.query), self.period.contract, [self.declared.table])

    def _properties(self, connection: JdbcConnection) -> dict[str, str]:
        """For the connections that read: where the database can, all use the snapshot of the first one."""
        engine = connection.address.engine
        moment = ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", f"SET TRANSACTION SNAPSHOT '{self.snapshot}'"]
        return {
            **connection.address.properties,
            "driver": engine.driver,
            "sessionInitStatement": "; ".join([*(moment if self.snapshot else []), *engine.session]),
            "fetchsize": str(self.declared.fetch_rows),
        }

    def _marked(self, rows: DataFrame, query: TableQuery) -> DataFrame:
        """The database writes a point before a fraction; the contract may read another mark."""
        from pyspark.sql import functions as F

        marks = decimal_marks(self.period.contract.columns)
        fractions = {
            column.name: marks[name]
            for name, column in query.columns.items()
            if name in marks and column.kind in (pa.decimal128(38), pa.float64())
        }
        return rows.withColumns(
            {name: F.replace(F.col(f"`{name}`"), F.lit("."), F.lit(mark)) for name, mark in fractions.items()}
        )

    def explain(self, error: Exception) -> PipelineError | None:
        said = [found for line in str(error).splitlines() if (found := _DATABASE_SAID.search(line))]
        if not said:
            return None
        return SourceUnreachableError(
            f"{self.declared.table} of {self.declared.database} could not be read to its end: {said[-1][1]}. Nothing was "
            "written; run again."
        )

    def close(self) -> None:
        if self.connection:
            self.connection.close()
