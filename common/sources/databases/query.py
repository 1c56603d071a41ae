"""What one table of a database is asked, in its own SQL, and whether it can answer under a contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

from common.contracts.contract import Contract
from common.errors import UsageError
from common.names import did_you_mean
from common.sources.databases.dialects import DatabaseColumn, Engine

# The column, besides those of the contract, that divides the table.
DIVIDES = "_divides"
EVERY_ROW = "1 = 1"


@dataclass(frozen=True)
class TableQuery:
    engine: Engine
    table: str
    contract: Contract
    found: dict[str, DatabaseColumn]  # the table's columns by their names

    @property
    def columns(self) -> dict[str, DatabaseColumn]:
        """Those that the contract declares, by its own names."""
        own = {self.contract.own_name(name): column for name, column in self.found.items()}
        return {column.name: own[column.name] for column in self.contract.columns if column.name in own}

    @property
    def unknown(self) -> set[str]:
        return {*self.found} - {column.name for column in self.columns.values()}

    def refused(self) -> str:
        """Why the table can't be read under this contract; empty if it can."""
        declared, columns = self.contract.columns, self.columns
        lacking = [column.name for column in declared if column.required and column.name not in columns]
        if lacking:
            return f"it lacks the columns {lacking}; change the table back, or the contract"
        changed = [
            f"{column.name}: found {columns[column.name].type}, the contract says {column.type}"
            for column in declared
            if column.name in columns and not columns[column.name].fits(column)
        ]
        return (
            f"its types have changed ({'; '.join(changed)}); change the table back, or the contract" if changed else ""
        )

    def changed_in(self, watermark: str, first: datetime, last: datetime) -> str:
        """The condition on rows that were changed from `first` to just before `last`."""
        column = self._named("watermark", watermark)
        if not column.is_moment:
            raise UsageError(f"watermark {watermark!r} of {self.table} is no date or time; name one")
        zone = UTC if self.engine.has_zone(column) else ZoneInfo(self.contract.zone)
        low, high = (f"'{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}'" for moment in (first, last))
        name = self.engine.quoted(column.name)
        return f"{name} >= {low} AND {name} < {high}"

    def not_marked(self, deleted: str) -> str:
        """The condition on rows that the column does not mark as deleted."""
        column = self._named("deleted", deleted)
        name = self.engine.quoted(column.name)
        zero = {pa.bool_(): "false", pa.int64(): "0"}.get(column.kind)
        return f"coalesce({name}, {zero}) = {zero}" if zero else f"{name} IS NULL"

    def divider(self, name: str) -> DatabaseColumn:
        column = self._named("parallel_by", name)
        if not column.is_divisible:
            raise UsageError(
                f"parallel_by {name!r} of {self.table} is no whole number, decimal, date or time; name one"
            )
        return column

    def _named(self, what: str, name: str) -> DatabaseColumn:
        if name not in self.found:
            hint = did_you_mean(name, self.found)
            raise UsageError(f"{what} {name!r} is no column of {self.table}{hint}; it has {', '.join(self.found)}")
        return self.found[name]

    def bounds(self, condition: str, column: DatabaseColumn | None) -> str:
        """The number of rows, and the bounds of a column."""
        name = self.engine.quoted(column.name) if column else "NULL"
        ends = ", ".join(self.engine.plain_text(f"{end}({name})" if column else name) for end in ("min", "max"))
        return f"SELECT count(*), {ends} FROM {quoted_table(self.engine, self.table)} WHERE {condition}"  # noqa: S608

    def rows(self, condition: str, column: DatabaseColumn | None) -> str:
        """The contract's columns as text, and the column that divides them."""
        quoted = self.engine.quoted
        parts = [f"{self.engine.text(each)} AS {quoted(each.name)}" for each in self.columns.values()]
        parts += [f"{quoted(column.name)} AS {quoted(DIVIDES)}"] if column else []
        return f"SELECT {', '.join(parts)} FROM {quoted_table(self.engine, self.table)} WHERE {condition}"  # noqa: S608


def quoted_table(engine: Engine, table: str) -> str:
    return ".".join(engine.quoted(part) for part in table.split("."))
