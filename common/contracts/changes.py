"""Change data: a source that sends what changed in a table, and which periods such a history is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, overload

from common.contracts.checking.field_types import require_types
from common.contracts.column import Column
from common.days import EPOCHS, day_range, kind_of, latest_day, number_between, shifted
from common.errors import require

# What a change has besides the row's own columns.
POSITION, DELETED = "change_position", "change_deleted"
CHANGE_COLUMNS = (
    Column(name=POSITION, type="long", required=True, description="The change's position in the source's log"),
    Column(name=DELETED, type="boolean", required=True, description="Whether the change deleted the row"),
)
CHANGED = tuple(column.name for column in CHANGE_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Debezium:
    """Records are changes of a table's rows, in the envelopes of Debezium. The newest change of a key counts.

    Newest by the position that the source's log gives it, whenever it arrives.
    """

    position: str = "lsn"

    def __post_init__(self) -> None:
        require_types(self, "Debezium")
        fault = (
            f"Debezium: position {self.position!r} is not allowed; expected a field of the envelope's source, like lsn"
        )
        require(bool(self.position.strip()), fault)


def changes_of(contract: Any) -> Debezium | None:
    """How the contract's source sends changes; None if it sends rows."""
    declared: Debezium | None = getattr(contract.source, "changes", None)
    return declared


def add_change_columns(contract: Any, subject: str) -> None:
    """Declare what a change has besides its row, for a source that sends changes."""
    if changes_of(contract) is None:
        return
    dated = contract.event_time is not None
    require(not dated, f"{subject}: changes make a snapshot, so event_time must be None; remove it, or changes")
    if POSITION not in [column.name for column in contract.columns]:
        object.__setattr__(contract, "columns", (*contract.columns, *CHANGE_COLUMNS))
    if contract.winner[:1] != (POSITION,):
        object.__setattr__(contract, "winner", (POSITION, *contract.winner))


def event_dates(contract: Any, ds: date, before: int = 0, after: int = 0) -> list[date]:
    """The event dates of rows that arrive on ds, or so many periods before and after. Those of a history have but one."""
    return [EPOCHS[contract.every]] if changes_of(contract) else day_range(ds, before, after)


def arrivals_until(contract: Any, ds: date, before: int) -> Sequence[date]:
    """The arrivals that the rows known on ds are made of: those of so many periods before, or of a history, all."""
    return PeriodsUntil(ds) if changes_of(contract) else day_range(ds, before)


def periods_reached(contract: Any, ds: date) -> int:
    """How many later periods may depend on what arrives on ds."""
    if changes_of(contract):
        return max(0, number_between(ds, latest_day(every=contract.every)))
    return int(contract.features.days_back + contract.lateness)


@dataclass(frozen=True)
class PeriodsUntil(Sequence[date]):
    """Every period up to the last one, without a list of them."""

    last: date

    def __len__(self) -> int:
        return number_between(EPOCHS[kind_of(self.last)], self.last) + 1

    @overload
    def __getitem__(self, place: int) -> date: ...

    @overload
    def __getitem__(self, place: slice) -> list[date]: ...

    def __getitem__(self, place: int | slice) -> date | list[date]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return shifted(EPOCHS[kind_of(self.last)], place % len(self))

    def __contains__(self, period: object) -> bool:
        return isinstance(period, date) and kind_of(period) == kind_of(self.last) and period <= self.last
