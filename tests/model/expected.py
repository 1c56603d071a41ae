"""What a lake must say about a small dataset: dictionaries and loops, none of the project's code.

A record is (key, user, amount, event day, hour). Days are numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True)
class Arrived:
    """What was landed, by day: the records, the number of rows that are no records, and what a record may cost."""

    landed: Mapping[int, Sequence[Record]]
    bad: Mapping[int, int]
    maximum: int

    @cached_property
    def versions(self) -> set[Version]:
        """What is accepted, day by day: no record that costs too much, or whose key stands too far back to be corrected."""
        accepted: set[Version] = set()
        for day in sorted(self.landed):
            before = {version.record for version, ended in superseded(accepted).items() if ended is None}
            oldest = day - LATENESS
            standing = {each.key for each in before if oldest - WINDOW < each.event < oldest}
            good = {each for each in self.landed[day] if each.key not in standing and each.amount <= self.maximum}
            accepted |= {Version(record, day) for record in good}
        return accepted

    @cached_property
    def refused(self) -> set[int]:
        """The days that the gate stops: more than half of their rows are refused."""
        accepted = Counter(version.arrived for version in self.versions)
        rows = {day: len(records) + self.bad.get(day, 0) for day, records in self.landed.items()}
        return {day for day, count in rows.items() if count - accepted[day] > count / 2}

    @property
    def admitted(self) -> set[Version]:
        return {version for version in self.versions if version.arrived not in self.refused}


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


def features(arrived: Arrived, day: int) -> dict[int, tuple[int, int]]:
    """By user the sum and the number of the purchases in the window, from the days that the gate passes."""
    found: dict[int, list[int]] = defaultdict(list)
    for version in known(arrived.admitted, day):
        if day - WINDOW < version.record.event <= day:
            found[version.record.user].append(version.record.amount)
    return {user: (sum(amounts), len(amounts)) for user, amounts in found.items()}
