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
from common.names import did_you_mean

if TYPE_CHECKING:
    import pandas
    import polars


class Selection(TypedDict, total=False):
    """Which rows and columns to read: `ds` is a day or `A..B`, `days` is (first, last)."""

    ds: date | str
    days: tuple[date | str, date | str]
    columns: Sequence[str]
    entities: Iterable[Any]


@dataclass(frozen=True)
class Version:
    """One publication: its table version, its time and its books."""

    version: int
    at: datetime
    books: dict[str, Any]

    @property
    def days(self) -> dict[str, dict[str, Any]]:
        days: dict[str, dict[str, Any]] = self.books["days"]
        return days

    @property
    def rows(self) -> int:
        return sum(day["rows"] for day in self.days.values())


@dataclass(frozen=True)
class View:
    """The rows of one version, read a day at a time and sorted by entity."""

    table: str
    stored: TableSnapshot
    publications: list[Version]  # the publications up to this version, newest first

    @property
    def version(self) -> int:
        return self.stored.version

    @cached_property
    def published(self) -> dict[str, dict[str, Any]]:
        """The facts of each day in its newest publication."""
        return {day: facts for version in reversed(self.publications) for day, facts in version.days.items()}

    @property
    def entity(self) -> str:
        """The column that identifies a row within its day."""
        return str(self.publications[0].books["entity"])

    def days(self) -> list[date]:
        empty = {day for day, facts in self.published.items() if not facts["rows"]}
        return sorted(date.fromisoformat(day) for day in {*self.stored.files, *empty})

    def chosen(self, ds: date | str | None = None, days: tuple[date | str, date | str] | None = None) -> list[date]:
        """The requested days that exist (`ds` may be `A..B`); all days if none are requested."""
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
        requested = parse_days(asked, long_range=True)
        matching = sorted({*requested} & {*present})
        if not matching:
            raise SourceMissingError(
                f"{self.table} version {self.version} has nothing for {asked}; it has {present[0]}..{present[-1]}"
            )
        return matching

    def by_day(self, **chosen: Unpack[Selection]) -> Iterator[tuple[date, pa.Table]]:
        """Yield the rows day by day, so that only one day is in memory."""
        names = self._names(chosen.get("columns"))
        days = self.chosen(chosen.get("ds"), chosen.get("days"))
        where = self._among(chosen["entities"]) if "entities" in chosen else None
        needed = [*names, *({self.entity} - {*names})]
        for day in days:
            rows = self.stored.read(str(day), needed, where)
            yield day, rows.sort_by([(self.entity, "ascending")]).select(names)

    def batches(self, **chosen: Unpack[Selection]) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `arrow`, in batches."""
        for _, rows in self.by_day(**chosen):
            yield from rows.to_batches()

    def arrow(self, **chosen: Unpack[Selection]) -> pa.Table:
        """Return the selected rows, sorted by day and entity; all rows by default."""
        schema = pa.schema([self.stored.schema.field(name) for name in self._names(chosen.get("columns"))])
        return pa.Table.from_batches(self.batches(**chosen), schema=schema)

    def pandas(self, **chosen: Unpack[Selection]) -> pandas.DataFrame:
        frame: pandas.DataFrame = self.arrow(**chosen).to_pandas()
        return frame

    def polars(self, **chosen: Unpack[Selection]) -> polars.DataFrame:
        import polars

        frame = polars.from_arrow(self.arrow(**chosen))
        assert isinstance(frame, polars.DataFrame)
        return frame

    def _names(self, columns: Sequence[str] | None) -> list[str]:
        known = self.stored.schema.names
        unknown = [name for name in columns or () if name not in known]
        if unknown:
            advice = did_you_mean(unknown[0], known)
            raise UsageError(f"{self.table} has no columns {unknown}; it has {', '.join(known)}{advice}")
        return list(columns or known)

    def _among(self, entities: Iterable[Any]) -> Any:
        type_, values = self.stored.schema.field(self.entity).type, [str(entity) for entity in entities]
        try:
            return pc.field(self.entity).isin(pa.array(values, pa.string()).cast(type_))
        except pa.ArrowInvalid:
            raise UsageError(f"{self.entity} {values} can't be read as {type_}, the type of that column") from None
