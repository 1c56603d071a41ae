"""What the source holds for a day, as far as a plan has to know it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property

from common.days import parse_day
from common.errors import UsageError
from common.lake.files import is_local, list_folders, local_path
from common.orchestration import run_log
from common.orchestration.stages import State
from common.runtime.run import Run
from common.sources.opening import open_source

# Smaller days are read in no time.
LARGE = 1 << 20
# The clocks of a file server and of this machine may differ.
MARGIN_SECONDS = 60.0


class DayInLanding:
    def __init__(self, run: Run, state: State | None) -> None:
        self._run = run
        self._state = state

    @cached_property
    def fingerprint(self) -> str:
        """Not asked of a day that is ingested again whatever its source holds."""
        known = self._state.facts if self._state else {}
        if known.get("code") != self._run.code or self._is_untouched():
            return str(known.get("source", ""))
        return open_source(self._run).fingerprint()

    def _is_untouched(self) -> bool:
        """Whether a large day need not be read: nothing of it has changed since its ingest began, by the file system's clock."""
        run = replace(self._run, job="ingest")
        folder, record = f"{run.settings.landing}/{run.contract.name}/ds={run.ds}", run_log.load(run)
        ingested = self._state is not None and record.run_id == self._state.commit.books.get("run_id") != ""
        if not ingested or not record.at or not is_local(folder):
            return False
        began = datetime.fromisoformat(record.at).timestamp() - float(record.line.get("seconds", 0))
        states = [*_states(str(local_path(folder)))]
        large = sum(state.st_size for state in states) > LARGE
        return large and all(state.st_ctime < began - MARGIN_SECONDS for state in states)

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


def _states(folder: str) -> Iterator[os.stat_result]:
    """Of the folder and all that lies in it: a folder changes when a name comes or goes."""
    for path, folders, files in os.walk(folder):
        yield from (os.lstat(f"{path}/{name}") for name in ("", *folders, *files))


def _day(text: str, every: str) -> date | None:
    try:
        return parse_day(text, every)
    except UsageError:
        return None
