"""The column names of one file that its contract does not know: the first few and their number, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable

MOST_SHOWN = 20
MOST_COUNTED = 5_000
LONGEST_SHOWN = 100


class UnknownNames:
    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self.add(names)

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self._names) < MOST_COUNTED:
                self._names.add(name[:LONGEST_SHOWN])

    def shown(self) -> tuple[str, ...]:
        names = sorted(self._names)
        more = len(names) - MOST_SHOWN
        if more <= 0:
            return tuple(names)
        at_least = "at least " if len(names) == MOST_COUNTED else ""
        return (*names[:MOST_SHOWN], f"… and {at_least}{more:,} more")
