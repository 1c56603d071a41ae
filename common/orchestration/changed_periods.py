"""Follows a source without offsets, such as a landing folder: looks at its periods again and again, and runs the changed ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

from common.days import days_between, latest_day, number_between, shifted
from common.orchestration.open_periods import NEAR, OpenPeriods
from common.runtime.run import Run


@dataclass
class ChangedPeriods:
    periods: OpenPeriods
    # A fingerprint of what the period holds; empty if it has certainly changed, None if nothing has come.
    content: Callable[[Run], str | None]
    seen: dict[date, str | None] = field(default_factory=dict)
    begun: date | None = None  # the newest period at the first look
    first: date = date.max

    def follow(self, run: Run, seconds: float | None) -> None:
        """Look every so many seconds, or once. What has come by then is one micro-batch."""
        batch = 0
        while True:
            next_look = time.monotonic() + (seconds or 0)
            self.look(run, str(batch))
            if seconds is None:
                return
            batch += 1
            time.sleep(max(0.0, next_look - time.monotonic()))

    def look(self, run: Run, batch: str) -> None:
        for ds in self._days(run):
            day = replace(run, ds=ds, options={"until": {}, "batch": batch})
            content = self.content(day)
            if content is not None and (not content or self.seen.get(ds) != content):
                self.periods.run_period(replace(day, options={}) if self.periods.is_over(day) else day)
            self.seen[ds] = content

    def _days(self, run: Run) -> list[date]:
        """From `--ds`, or from the newest period in raw, so that a later start continues. What is long over drops out."""
        newest = max(run.ds, latest_day(every=run.contract.every))
        if self.begun is None:
            self.begun, self.first = newest, min([run.ds, *sorted(self.periods.kept(run))[-1:]])
        left_behind = max(0, number_between(self.begun, newest) - NEAR)
        return days_between(shifted(self.first, left_behind), newest)
