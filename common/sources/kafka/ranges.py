"""Which offsets of a topic a period holds: found by time, and such that neighbours meet and no message is lost between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from common.sources.kafka.client import FoundOffset


class AskedTopic(Protocol):
    """What has to be known about a topic."""

    topic: str
    id: str
    partitions: list[int]

    def first(self) -> dict[int, int]: ...
    def last(self) -> dict[int, int]: ...
    def since(self, moment: datetime) -> dict[int, FoundOffset]: ...


@dataclass(frozen=True)
class OffsetRange:
    """From an offset to just before another one."""

    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    def __str__(self) -> str:
        return f"{self.start}..{self.end - 1}"


@dataclass(frozen=True)
class KeptRanges:
    """What the raw commit says of a period."""

    topic_id: str
    ranges: dict[int, OffsetRange]
    whole: bool = True  # the period was over, and its ranges stay as they are
    adjacent: bool = True  # to the period that is asked for

    @classmethod
    def of(cls, facts: Mapping[str, Any], cluster: str, topic: str, adjacent: bool = True) -> KeptRanges | None:
        """None if nothing was kept, or if it is about another topic."""
        if (facts.get("cluster"), facts.get("topic")) != (cluster, topic) or "offsets" not in facts:
            return None
        ranges = {int(number): OffsetRange(*ends) for number, ends in facts["offsets"].items()}
        return cls(facts["topic_id"], ranges, facts.get("whole", True), adjacent)


@dataclass
class FoundRanges:
    ranges: dict[int, OffsetRange]
    gone: dict[int, OffsetRange] = field(default_factory=dict)  # removed from the topic before anyone read them
    head_unknown: list[int] = field(
        default_factory=list
    )  # partitions whose earliest messages may have been the period's

    @property
    def is_before_all(self) -> bool:
        """Whether the topic does not go back to the period."""
        nothing = not any(map(len, self.ranges.values()))
        return bool(self.ranges) and nothing and {*self.head_unknown} == self.ranges.keys()


# Of some partitions, the first offset from the given one on whose timestamp is between two moments; found by reading.
Scan = Callable[[Mapping[int, OffsetRange], datetime, datetime], dict[int, int]]


@dataclass(frozen=True)
class PeriodOffsets:
    """Asks a topic for one period."""

    topic: AskedTopic
    asked: datetime
    scan: Scan

    def between(
        self,
        start: datetime,
        end: datetime,
        before: KeptRanges | None,
        after: KeptRanges | None,
        until: Mapping[int, int] | None = None,
    ) -> FoundRanges:
        """The ranges from `start` to just before `end`, at most up to `until`.

        The nearest periods before and after that were read already bound this one, and those next to it meet it: whatever
        is sent late, or with a wrong time, belongs to the period that comes next to it in the topic.
        """
        first, last = self.topic.first(), self.topic.last()
        starts, head_unknown = self._starts(start, before, first, last)
        gone = {number: OffsetRange(at, first[number]) for number, at in starts.items() if at < first[number]}
        starts = {number: max(at, first[number]) for number, at in starts.items()}
        ends = self._since(end, starts, last)
        if after and after.topic_id == self.topic.id:
            bounds = {number: kept.start for number, kept in after.ranges.items() if number in ends}
            ends = {number: self._met(at, bounds.get(number, at), after.adjacent) for number, at in ends.items()}
            starts = {number: min(at, bounds.get(number, at)) for number, at in starts.items()}
        if until is not None:
            ends = {number: min(at, until.get(number, 0)) for number, at in ends.items()}
        ranges = {number: OffsetRange(at, max(at, ends[number])) for number, at in starts.items()}
        return FoundRanges(ranges, gone, head_unknown)

    def _starts(
        self, start: datetime, before: KeptRanges | None, first: dict[int, int], last: dict[int, int]
    ) -> tuple[dict[int, int], list[int]]:
        # A partition, or a topic, that was not there before is new: all of it came since.
        kept = before.ranges if before and before.topic_id == self.topic.id else {}
        low = {number: kept[number].end if number in kept else at for number, at in first.items()}
        if before and before.adjacent:
            return low, []
        found = self._since(start, low, last)
        return found, [number for number, at in found.items() if 0 < at == first[number]]

    @staticmethod
    def _met(by_time: int, neighbour: int, adjacent: bool) -> int:
        return neighbour if adjacent else min(by_time, neighbour)

    def _since(self, moment: datetime, low: Mapping[int, int], last: Mapping[int, int]) -> dict[int, int]:
        """The first offset, from `low` on, of a message that was sent at that moment or later; the next one if none was.

        A message with a time in the future says nothing about those behind it.
        """
        now = round(1000 * self.asked.timestamp())
        found = {number: each for number, each in self.topic.since(moment).items() if each.offset >= 0}
        doubtful = {
            number: OffsetRange(low[number], last[number])
            for number, each in found.items()
            if each.offset < low[number] or each.timestamp > now
        }
        certain = {number: each.offset for number, each in found.items() if number not in doubtful}
        scanned = self.scan(doubtful, moment, self.asked) if doubtful else {}
        return {**last, **certain, **scanned}


def lost(kept: KeptRanges, topic: AskedTopic) -> str:
    """Why what a period held can't be read again; empty if it can."""
    if kept.topic_id != topic.id:
        return "the topic was deleted and made anew"
    first, last = topic.first(), topic.last()
    return "; ".join(_missing(kept.ranges, first, last))


def _missing(ranges: Mapping[int, OffsetRange], first: Mapping[int, int], last: Mapping[int, int]) -> Iterable[str]:
    for number, kept in ranges.items():
        if kept and number not in first:
            yield f"partition {number} is gone"
        elif kept and not first[number] <= kept.start <= kept.end <= last[number]:
            yield f"partition {number} holds {OffsetRange(first[number], last[number])}, the period held {kept}"
