"""What a lake must say about a small dataset: dictionaries and loops, none of the project's code.

A record is (key, user, amount, event day, hour). Days are numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LATENESS, WINDOW = 2, 3


@dataclass(frozen=True, order=True)
class Record:
    key: str
    user: int
    amount: int
    event: int
    hour: int

    @property
    def time(self) -> tuple[int, int]:
        return self.event, self.hour


@dataclass(frozen=True, order=True)
class Version:
    record: Record
    arrived: int


def versions(landed: Mapping[int, Iterable[Record]]) -> set[Version]:
    """What is accepted, day by day: all but the records whose key still stands on a date that they can't correct any more."""
    accepted: set[Version] = set()
    for day in sorted(landed):
        before = {version.record for version, ended in superseded(accepted).items() if ended is None}
        oldest = day - LATENESS
        standing = {each.key for each in before if oldest - WINDOW < each.event < oldest}
        accepted |= {Version(record, day) for record in landed[day] if record.key not in standing}
    return accepted


def superseded(stored: set[Version]) -> dict[Version, int | None]:
    """For each version the day on which the first better one arrived: a later event, else a later correction."""
    first: dict[Record, int] = {}
    for version in sorted(stored, key=lambda each: each.arrived):
        first.setdefault(version.record, version.arrived)

    def rank(version: Version) -> tuple[object, ...]:
        return version.record.time, first[version.record], version.record, -version.arrived

    def beats(rival: Version, version: Version) -> bool:
        in_reach = max(rival.arrived, version.arrived) <= min(rival.record.event, version.record.event) + LATENESS
        return rival.record.key == version.record.key and in_reach and rank(rival) > rank(version)

    return {
        version: min((rival.arrived for rival in stored if beats(rival, version)), default=None) for version in stored
    }


def known(stored: set[Version], day: int) -> set[Version]:
    return {
        version
        for version, ended in superseded(stored).items()
        if version.arrived <= day and (ended is None or ended > day)
    }


def features(landed: Mapping[int, Iterable[Record]], refused: set[int], day: int) -> dict[int, tuple[int, int]]:
    """By user the sum and the number of the purchases in the window, from the days that the gate passes."""
    found: dict[int, list[int]] = defaultdict(list)
    admitted = {version for version in versions(landed) if version.arrived not in refused}
    for version in known(admitted, day):
        if day - WINDOW < version.record.event <= day:
            found[version.record.user].append(version.record.amount)
    return {user: (sum(amounts), len(amounts)) for user, amounts in found.items()}
