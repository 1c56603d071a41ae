"""The report's data: the results of each rule by day, and what happened to one dataset over the days shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from common.contracts.contract import Contract
from common.days import days_between, from_text
from common.quality.profiles import DISTINCT_ERROR, SCHEMA, Profile
from common.reports import svg
from common.reports.status import STEPS, DayStatus

STATES = ("failed", "unable", "warned", "passed", "none")  # worst first


@dataclass(frozen=True)
class Track:
    """The results of one rule by day."""

    table: str
    column: str
    kind: str
    cells: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def latest(self) -> dict[str, Any]:
        return self.cells[max(self.cells)]

    @property
    def steady(self) -> bool:
        return all(cell["state"] == "passed" for cell in self.cells.values())

    @property
    def severity(self) -> int:
        """Sort key: the worst result first."""
        return min(STATES.index(cell["state"]) for cell in self.cells.values())

    def over(self, days: Sequence[str], fact: str) -> list[Any]:
        return [self.cells[day][fact] if day in self.cells else None for day in days]

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Sort key for measures of drift: PSI of all rows first, then by size, largest first."""
        psi = self.latest["expectation"].startswith("Psi")
        return self.kind != "drift", not psi, -(svg.number(self.latest["observed"]) or 0)


@dataclass(frozen=True)
class DatasetReport:
    """Everything the page shows about one dataset."""

    contract: Contract
    window: list[str]
    latest: str  # the newest day of any dataset on the page
    days: dict[str, DayStatus]
    tracks: list[Track]
    reasons: dict[str, list[int]]
    profiled: str
    profile: list[dict[str, Any]]

    def step(self, day: str, step: str) -> tuple[str, str]:
        """Return the state of a job on a day, and its error message if it failed."""
        record = self.days[day].records.get(step) if day in self.days else None
        if record and record.failure:
            return "failed", str(record.failure.get("message", ""))
        return "passed" if record and record.done else "none", ""

    def state(self, day: str) -> str:
        """Return the worst state of the day; a rule that could not be checked counts as failed, a closed day as none."""
        if day in self.days and self.days[day].closed:
            return "none"
        states = {*(self.step(day, step)[0] for step in STEPS), *(track.cells[day]["state"] for track in self.on(day))}
        return "failed" if "unable" in states else min(states, key=STATES.index)

    @cached_property
    def ran(self) -> list[str]:
        return [day for day in self.window if self.state(day) != "none"]

    @property
    def newest(self) -> str:
        return max(self.ran, default="")

    @property
    def days_behind(self) -> int:
        """Return how many days came after the newest one; closed days are not missing."""
        shown = days_between(*map(from_text, (self.newest, self.latest)))
        return sum(not self.contract.is_closed(day) for day in shown[1:])

    @property
    def undone(self) -> list[str]:
        """Return the jobs that have not run on the newest day. Readers do not need compact, so it is left out."""
        return [step for step in STEPS if step != "compact" and self.step(self.newest, step)[0] == "none"]

    @property
    def verdict(self) -> str:
        if not self.ran:
            return "none"
        state = self.state(self.newest)
        return "warned" if state == "passed" and (self.days_behind or self.undone) else state

    @property
    def since(self) -> str:
        """Return the day since which every day has had the newest day's state; empty if all days have it."""
        others = [place for place, day in enumerate(self.ran) if self.state(day) != self.state(self.newest)]
        return self.ran[others[-1] + 1] if others else ""

    @cached_property
    def volumes(self) -> dict[str, list[int]]:
        """Return the landed rows of each day by outcome; `waiting` counts rows that no job has processed yet."""
        names = ("accepted", "duplicates", "quarantined", "landed")
        counts = {name: [(day and day.count(name)) or 0 for day in map(self.days.get, self.window)] for name in names}
        counts["waiting"] = [max(0, landed - sum(rest)) for *rest, landed in zip(*counts.values(), strict=True)]
        return counts

    def on(self, day: str) -> list[Track]:
        """Return the rules that were checked on a day, worst first."""
        checked = [track for track in self.tracks if day in track.cells]
        return sorted(checked, key=lambda track: STATES.index(track.cells[day]["state"]))

    @cached_property
    def drift(self) -> list[list[Track]]:
        """Return the measures of drift by column, largest first."""
        measures = sorted((track for track in self.tracks if track.kind in ("drift", "concept")), key=lambda t: t.rank)
        columns: dict[tuple[str, str], list[Track]] = defaultdict(list)
        for track in measures:
            columns[track.table, track.column].append(track)
        return list(columns.values())

    def distinct(self, column: dict[str, Any]) -> str:
        """Return the number of different values of a profiled column; an estimate is marked, with its standard error."""
        profile = Profile(**{field.name: column[field.name] for field in SCHEMA})
        exact = profile.exact_distinct(self.contract)
        if exact is None and profile.distinct is not None:
            return f"≈ {min(profile.distinct, profile.rows - profile.nulls):,} ± {DISTINCT_ERROR:.0%}"
        return svg.figure(exact)

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """Return day, job and message of every unresolved failure, newest first."""
        steps = [(day, step, *self.step(day, step)) for day in reversed(self.window) for step in STEPS]
        return [(day, step, message) for day, step, state, message in steps if state == "failed"]
