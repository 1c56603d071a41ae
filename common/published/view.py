"""The rows of one version of a feature table, chosen by day, column and entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from common.days import parse_days
from common.errors import SourceMissingError, UsageError
from common.lake.snapshot import TableSnapshot

if TYPE_CHECKING:
    import pandas
    import polars


class Selection(TypedDict, total=False):
    """Which rows: of `ds` (a day, or `A..B`) or of `days` (first, last), of those entities; and which columns of them."""

    ds: date | str
    days: tuple[date | str, date | str]
    columns: Sequence[str]
    entities: Iterable[Any]


@dataclass(frozen=True)
class Version:
    """One publication: when it was made, and what it says of itself."""

    version: int
    at: datetime
    books: dict[str, Any]

    @property
    def days(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.books["days"]
        return found

    @property
    def rows(self) -> int:
        return sum(each["rows"] for each in self.days.values())


@dataclass(frozen=True)
class View:
    """The rows of one version. A day is read at a time and only its files; its rows come in the order of the entity."""

    table: str
    stored: TableSnapshot
    publications: list[Version]  # those that made this version, newest first

    @property
    def version(self) -> int:
        return self.stored.version

    @cached_property
    def published(self) -> dict[str, dict[str, Any]]:
        """What the last publication of each day says of it."""
        return {day: facts for each in reversed(self.publications) for day, facts in each.days.items()}

    @property
    def entity(self) -> str:
        """The column that names a row within its day."""
        return str(self.publications[0].books["entity"])

    def days(self) -> list[date]:
        empty = {day for day, facts in self.published.items() if not facts["rows"]}
        return sorted(date.fromisoformat(day) for day in {*self.stored.files, *empty})

    def chosen(self, ds: date | str | None = None, days: tuple[date | str, date | str] | None = None) -> list[date]:
        """The days that are there among those asked for, which may be written `A..B`; all if none are."""
        if ds is not None and days is not None:
            raise UsageError(f"ds {ds} and days {days} exclude each other; name one")
        present = self.days()
        if not present or not self.publications:
            raise SourceMissingError(
                f"{self.table} version {self.version} has no days: it is older than any publication"
            )
        if ds is None and days is None:
            return present
        asked = str(ds) if days is None else f"{days[0]}..{days[1]}"
        wanted = parse_days(asked, long_range=True)
        found = sorted({*wanted} & {*present})
        if not found:
            raise SourceMissingError(
                f"{self.table} version {self.version} has nothing for {asked}; it has {present[0]}..{present[-1]}"
            )
        return found

    def by_day(self, **chosen: Unpack[Selection]) -> Iterator[tuple[date, pa.Table]]:
        """Day after day, each whole: what is in memory is one day, not the table."""
        names = self._names(chosen.get("columns"))
        days = self.chosen(chosen.get("ds"), chosen.get("days"))
        where = self._among(chosen["entities"]) if "entities" in chosen else None
        needed = [*names, *({self.entity} - {*names})]
        for day in days:
            rows = self.stored.read(str(day), needed, where)
            yield day, rows.sort_by([(self.entity, "ascending")]).select(names)

    def batches(self, **chosen: Unpack[Selection]) -> Iterator[pa.RecordBatch]:
        """As `arrow`, in pieces."""
        for _, rows in self.by_day(**chosen):
            yield from rows.to_batches()

    def arrow(self, **chosen: Unpack[Selection]) -> pa.Table:
        """The rows that are asked for, by day and entity; all, if nothing is."""
        schema = pa.schema([self.stored.schema.field(name) for name in self._names(chosen.get("columns"))])
        return pa.Table.from_batches(self.batches(**chosen), schema=schema)

    def pandas(self, **chosen: Unpack[Selection]) -> pandas.DataFrame:
        found: pandas.DataFrame = self.arrow(**chosen).to_pandas()
        return found

    def polars(self, **chosen: Unpack[Selection]) -> polars.DataFrame:
        import polars

        found = polars.from_arrow(self.arrow(**chosen))
        assert isinstance(found, polars.DataFrame)
        return found

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        known = self.stored.schema.names
        unknown = [name for name in columns or () if name not in known]
        if unknown:
            raise UsageError(f"{self.table} has no columns {unknown}; it has {', '.join(known)}")
        return list(columns or known)

    def _among(self, entities: Iterable[Any]) -> Any:
        type_, given = self.stored.schema.field(self.entity).type, [str(each) for each in entities]
        try:
            return pc.field(self.entity).isin(pa.array(given, pa.string()).cast(type_))
        except pa.ArrowInvalid:
            raise UsageError(f"{self.entity} {given} can't be read as {type_}, which that column is") from None
