"""What a stream does with each micro-batch: it runs the steps of a day for every period that the records reach.

A period that is not over is made from its records so far, by the same steps as a whole one, and made again from more of them
with the next micro-batch. So a stream leaves what a batch over the same records would leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from common.contracts import layout
from common.days import day_range, latest_day
from common.errors import ContractViolationError
from common.lake.log.delta_log import TableLog
from common.orchestration.chain import run_chain
from common.orchestration.job import ChainStep, Line
from common.runtime.run import Run

# The backfill handles a period that ended longer ago.
NEAR = 31


@dataclass(frozen=True)
class OpenPeriods:
    open_steps: list[ChainStep]
    whole_steps: list[ChainStep]  # of a period that is over
    is_over: Callable[[Run], bool]
    lines: dict[str, Line] = field(default_factory=dict)  # the last one of each period
    refused: dict[str, ContractViolationError] = field(default_factory=dict)  # periods that the gate holds back by now

    def take(self, run: Run, until: Mapping[int, int], batch: str) -> None:
        """Run the periods from the first one that is open up to the one that holds the last of the records."""
        kept = self.kept(run)
        unfinished = [ds for ds, facts in kept.items() if not facts.get("whole", True)]
        if kept and not unfinished and _reaches(kept[max(kept)], until):
            return
        ds = min(unfinished) if unfinished else max([run.ds, *(day_range(ds, 0, 1)[-1] for ds in kept)])
        while True:
            day = replace(run, ds=ds)
            self.run_period(day if self.is_over(day) else replace(day, options={"until": until, "batch": batch}))
            if _reaches(self.kept(day).get(ds, {}), until) or ds >= latest_day(every=run.contract.every):
                return
            ds = day_range(ds, 0, 1)[-1]

    def close(self, run: Run) -> None:
        """Complete the periods that are over by now."""
        for ds, facts in sorted(self.kept(run).items()):
            day = replace(run, ds=ds)
            if not facts.get("whole", True) and self.is_over(day):
                self.run_period(day)

    def result(self, run: Run) -> list[Line]:
        """The last line of each period, or one that says that nothing came; raises if the gate holds one back."""
        for error in self.refused.values():
            raise error
        nothing = {"job": "stream", "dataset": run.contract.name, "ds": str(run.ds), "outcome": "nothing"}
        return [*self.lines.values()] or [{**nothing, "counts": {}, "read": {}, "written": {}, "stale": []}]

    def run_period(self, day: Run) -> None:
        steps = self.open_steps if day.options else self.whole_steps
        self.refused.pop(str(day.ds), None)
        try:
            for line in run_chain(steps, [day]):
                if "missing" not in line and (line["outcome"] != "nothing" or line["ds"] not in self.lines):
                    self.lines[line["ds"]] = line
        except ContractViolationError as error:
            # The rows are in raw and quarantine; readers keep what was published, and the next micro-batch tries again.
            day.log.error("%s", error)
            self.refused[str(day.ds)] = error

    def kept(self, run: Run) -> dict[date, dict[str, Any]]:
        """What raw's commits say of the source, by period."""
        kept: dict[date, dict[str, Any]] = {}
        first = day_range(latest_day(every=run.contract.every), NEAR)[0]
        for commit in TableLog(run.path(layout.raw(run.contract))).since_day(min(first, run.ds)):
            if commit.complete and commit.books["job"] == "ingest":
                kept.setdefault(commit.days[0], commit.books.get("sources", {}))
        return kept


def _reaches(facts: Mapping[str, Any], until: Mapping[int, int]) -> bool:
    """Whether a period holds the last of the records, so that none is left for the next one."""
    offsets = facts.get("offsets", {})
    return all(offsets.get(str(number), [0, 0])[1] >= end for number, end in until.items())
