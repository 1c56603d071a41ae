"""What the source holds for a day, as far as a plan needs it."""

from __future__ import annotations

from datetime import date
from functools import cached_property

from common.days import parse_day
from common.errors import UsageError
from common.lake.storage.files import list_folders
from common.orchestration.stages import INGEST, State
from common.runtime.run import Run
from common.sources.opening import open_source


class DayInLanding:
    def __init__(self, run: Run, state: State | None) -> None:
        self._run = run
        self._state = state

    @cached_property
    def fingerprint(self) -> str:
        """The source's fingerprint; not read for a day that is ingested again in any case."""
        known = self._state.facts if self._state else {}
        if not INGEST.made_by(self._run, known):
            return str(known.get("source", ""))
        return open_source(self._run, {"files": [], **known.get("sources", {})}).fingerprint()

    @cached_property
    def arrived(self) -> bool:
        return open_source(self._run).so_far() is not None

    @staticmethod
    def days(run: Run) -> set[date]:
        """The days that have a folder."""
        names = list_folders(f"{run.settings.landing}/{run.contract.name}")
        return {
            day
            for name in names
            if name.startswith("ds=") and (day := _day(name.removeprefix("ds="), run.contract.every))
        }


def _day(text: str, every: str) -> date | None:
    try:
        return parse_day(text, every)
    except UsageError:
        return None
