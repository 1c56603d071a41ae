"""What one run of a job did, as metrics and lineage tell it: its JSON line, and what it used."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from common.days import range_text
from common.lake.log.commit_files import FileChanges, changes_of_run
from common.runtime import resources
from common.runtime.resources import Resources
from common.runtime.run import Run

Line = dict[str, Any]
# What rows are called here -> the counts of the jobs that it adds up.
ROWS: dict[str, tuple[str, ...]] = {
    "in": ("landed", "rows_in"),
    "out": ("accepted", "late", "partials", "features", "rows", "examples"),
    "refused": ("quarantined",),
    "late": ("late",),
    "duplicates": ("duplicates", "superseded"),
}
_working: dict[threading.Thread, list[Observation]] = {}
_registry = threading.Lock()


@dataclass(eq=False)
class Observation:
    """A run from its start to its end. `failure` holds the error's fields of the JSON line."""

    runs: tuple[Run, ...]
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    line: Line = field(default_factory=dict)
    failure: Line | None = None
    used: Resources = field(default_factory=Resources)
    bytes_read: int | None = None
    shared: bool = False  # another thread ran a job meanwhile, so Spark's numbers are not this run's alone
    files: dict[str, FileChanges] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        return self.runs[0]

    @property
    def step(self) -> str:
        return self.run.job

    @property
    def dataset(self) -> str:
        return self.run.contract.name

    @property
    def days(self) -> list[date]:
        return [run.ds for run in self.runs]

    @property
    def ds(self) -> str:
        return range_text(self.days[0], self.days[-1])

    @property
    def seconds(self) -> float:
        return ((self.ended or datetime.now(UTC)) - self.began).total_seconds()

    @property
    def worked(self) -> bool:
        """Whether it did more than find that there is nothing to do."""
        return self.line.get("outcome") in ("done", "empty")

    def rows(self) -> dict[str, int]:
        counts = self.line.get("counts") or {}
        sums = {kind: [counts[name] for name in names if name in counts] for kind, names in ROWS.items()}
        return {kind: sum(found) for kind, found in sums.items() if found}

    def close(self, line: Line, failure: Line | None = None) -> None:
        self.ended, self.line, self.failure = datetime.now(UTC), line, failure
        with _registry:
            _working[threading.current_thread()].remove(self)
        before, self.used = self.used, resources.used()
        if self.used.bytes_read is not None and not self.shared:
            self.bytes_read = self.used.bytes_read - (before.bytes_read or 0)
        signed = {"run_id": self.run.run_id, "job": self.step, "ds": self.ds}
        lake = self.run.settings.lake
        self.files = {
            path: changes_of_run(f"{lake}/{path}", version, signed) for path, version in line.get("written", {}).items()
        }


def unfinished() -> list[Observation]:
    with _registry:
        return [observation for found in _working.values() for observation in found]


def observe(*runs: Run) -> Observation:
    observation = Observation(runs, used=resources.used())
    here = threading.current_thread()
    with _registry:
        others = [
            each for thread, found in _working.items() if thread.is_alive() and thread is not here for each in found
        ]
        for each in others:
            each.shared = True
        observation.shared = bool(others)
        _working.setdefault(here, []).append(observation)
    return observation
