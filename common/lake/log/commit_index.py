"""A table's whole log, read once and looked up by date: for questions about many days at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import date
from heapq import merge
from itertools import takewhile

from common.days import from_text
from common.lake.log.delta_log import NO_TABLE, Commit, TableLog


class CommitIndex:
    """A commit is found under the days that it is about, and those that it resettled."""

    def __init__(self, log: TableLog) -> None:
        self.newest = NO_TABLE
        self.oldest = 0  # no commit from here to the newest has been cleaned up
        self._named: dict[date, list[Commit]] = defaultdict(list)  # oldest first
        self._unnamed: list[Commit] = []
        for commit in reversed([*log]):
            self.add(commit)

    def add(self, commit: Commit) -> None:
        """Add a commit that is newer than all others."""
        if commit.version != self.newest + 1:
            self.oldest = commit.version
        self.newest = commit.version
        if not commit.ours:
            self._unnamed.append(commit)
            return
        resettled = map(from_text, commit.books.get("resettled") or ())
        for day in {*commit.days, *resettled}:
            self._named[day].append(commit)

    def about(self, day: date) -> Iterator[Commit]:
        """Newest first."""
        return reversed(self._named.get(day, []))

    def days(self) -> set[date]:
        return {*self._named}

    def _among(self, dates: Collection[date]) -> list[date]:
        """The named days among the dates, which may be all days of many years."""
        fewer, more = (dates, self._named) if len(dates) < len(self._named) else (self._named, dates)
        return [day for day in fewer if day in more]

    def after(self, version: int, dates: Collection[date]) -> list[Commit]:
        """The later commits that name one of the dates, or may be about any date; newest first."""
        found = [self._unnamed, *(self._named[day] for day in self._among(dates))]
        found = [commits for commits in found if commits and commits[-1].version > version]
        several = [[*takewhile(lambda commit: commit.version > version, reversed(commits))] for commits in found]
        if len(several) < 2:
            return several[0] if several else []
        ordered = merge(*several, key=lambda commit: -commit.version)
        return list({commit.version: commit for commit in ordered}.values())
