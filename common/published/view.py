"""The rows of one version of a feature table, chosen by day, column and entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import pyarrow as pa
import pyarrow.compute as pc

from common.days import DAY, from_text, kind_of, parse_days
from common.errors import SourceMissingError, UsageError
from common.lake.snapshot import TableSnapshot
from common.names import did_you_mean

if TYPE_CHECKING:
    import pandas
    import polars


class Selection(TypedDict, total=False):
    """Which rows and columns to read: `ds` is a day or `A..B`, `days` is (first, last).

    >>> from common.published import Lake
    >>> wanted: Selection = {"ds": "2026-01-01..2026-01-02", "columns": ["user_id"], "entities": [1]}
    >>> Lake("data/lake").features("purchases").at().arrow(**wanted)["user_id"].to_pylist()
    [1, 1]
    """

    ds: date | str
    days: tuple[date | str, date | str]
    columns: Sequence[str]
    entities: Iterable[Any]


def facts_by_day(publications: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The facts of each day in its newest publication, from the books of all, newest first."""
    newest: dict[str, dict[str, Any]] = {}
    for books in publications:
        for day, facts in books.get("days", {}).items():
            newest.setdefault(day, facts)
    return newest


@dataclass(frozen=True)
class Version:
    """One publication: its table version, its time and its books.

    >>> from common.published import Lake
    >>> newest, *_ = Lake("data/lake").features("purchases").versions()
    >>> newest.version, str(newest.at), newest.rows, newest.days["2026-01-02"]["rows"]
    (1, '2026-02-02 06:00:00+00:00', 2, 2)
    """

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
    """The rows of one version, read a day at a time and sorted by entity.

    >>> from common.published import Lake
    >>> view = Lake("data/lake").features("purchases").at()
    >>> view.table, view.version
    ('purchases@v1', 1)
    """

    table: str
    stored: TableSnapshot
    publications: list[Version]  # the publications up to this version, newest first

    @property
    def version(self) -> int:
        return self.stored.version

    @cached_property
    def published(self) -> dict[str, dict[str, Any]]:
        """The facts of each day in its newest publication.

        >>> {day: facts["rows"] for day, facts in view.published.items()}
        {'2026-01-01': 2, '2026-01-02': 2}
        """
        return facts_by_day(version.books for version in self.publications)

    @property
    def entity(self) -> str:
        """The column that identifies a row within its day.

        >>> view.entity
        'user_id'
        """
        return str(self.publications[0].books["entity"])

    @property
    def every(self) -> str:
        """Whether its rows are of days or of hours.

        >>> view.every
        'day'
        """
        return kind_of(self.days()[0]) if self.days() else DAY

    def days(self) -> list[date]:
        """All days of this version, also those without rows.

        >>> [str(day) for day in view.days()]
        ['2026-01-01', '2026-01-02']
        """
        empty = {day for day, facts in self.published.items() if not facts["rows"]}
        return sorted(from_text(day) for day in {*self.stored.files, *empty})

    def chosen(self, ds: date | str | None = None, days: tuple[date | str, date | str] | None = None) -> list[date]:
        """The requested days that exist (`ds` may be `A..B`); all days if none are requested.

        >>> view.chosen(ds="2026-01-02..2026-01-31")
        [datetime.date(2026, 1, 2)]
        """
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
        requested = parse_days(asked, long_range=True, every=self.every)
        matching = sorted({*requested} & {*present})
        if not matching:
            raise SourceMissingError(
                f"{self.table} version {self.version} has nothing for {asked}; it has {present[0]}..{present[-1]}"
            )
        return matching

    def by_day(self, **chosen: Unpack[Selection]) -> Iterator[tuple[date, pa.Table]]:
        """Yield the rows day by day, so that only one day is in memory.

        >>> {str(day): rows.num_rows for day, rows in view.by_day()}
        {'2026-01-01': 2, '2026-01-02': 2}
        """
        names = self._names(chosen.get("columns"))
        days = self.chosen(chosen.get("ds"), chosen.get("days"))
        where = self._among(chosen["entities"]) if "entities" in chosen else None
        needed = [*names, *({self.entity} - {*names})]
        for day in days:
            rows = self.stored.read(str(day), needed, where)
            yield day, rows.sort_by([(self.entity, "ascending")]).select(names)

    def batches(self, **chosen: Unpack[Selection]) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `arrow`, in batches.

        >>> sum(batch.num_rows for batch in view.batches(entities=[3]))
        1
        """
        for _, rows in self.by_day(**chosen):
            yield from rows.to_batches()

    def arrow(self, **chosen: Unpack[Selection]) -> pa.Table:
        """Return the selected rows, sorted by day and entity; all rows by default.

        >>> view.arrow(columns=["user_id", "favourite"], ds="2026-01-02").to_pydict()
        {'user_id': [1, 3], 'favourite': ['travel', 'food']}
        """
        schema = pa.schema([self.stored.schema.field(name) for name in self._names(chosen.get("columns"))])
        return pa.Table.from_batches(self.batches(**chosen), schema=schema)

    def pandas(self, **chosen: Unpack[Selection]) -> pandas.DataFrame:
        """The same rows as `arrow`, for pandas.

        >>> view.pandas(days=("2026-01-02", "2026-01-02"), columns=["user_id", "spend"])
           user_id  spend
        0        1  99.00
        1        3  30.00
        """
        frame: pandas.DataFrame = self.arrow(**chosen).to_pandas()
        return frame

    def polars(self, **chosen: Unpack[Selection]) -> polars.DataFrame:
        """The same rows as `arrow`, for polars.

        >>> view.polars(entities=[1], columns=["spend"]).rows()
        [(Decimal('10.00'),), (Decimal('99.00'),)]
        """
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
