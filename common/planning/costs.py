"""What steps have cost before: seconds from the log of runs, bytes from the files that the days have now."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from statistics import median_high

from common.contracts.changes import event_dates
from common.contracts.contract import Contract
from common.lake.log import data_files
from common.orchestration import run_log
from common.orchestration.whole_logs import WholeLogs
from common.planning.foresight import GATES, PlannedStep

# The number of recent days that say what a step costs.
RECENT = 20
_VERSION = re.compile(r"(.*)/v(\d+)")


class PastCosts:
    def __init__(self, logs: WholeLogs) -> None:
        self._logs = logs
        self.seconds = cache(self._seconds)
        self._bytes_by_day = cache(self._bytes)

    def _seconds(self, step: str) -> float | None:
        """The median of the last days on which the step did something; None if there was none."""
        run = self._logs.run
        records = run_log.recent(run.settings.lake, run.contract.name, step, RECENT)
        lines = [record.line for record in records if record.line.get("outcome") in ("done", "empty")]
        return median_high([float(line.get("seconds", 0)) for line in lines]) if lines else None

    def bytes(self, step: PlannedStep) -> int | None:
        """The bytes of the day's files, or of a usual day's: at most so much is written."""
        if step.name in GATES:
            return 0
        sizes = self._bytes_by_day(step.table)
        if str(step.ds) in sizes:
            return sizes[str(step.ds)]
        return median_high([*sizes.values()][-RECENT:]) if sizes else None

    def _bytes(self, path: str) -> Counter[str]:
        sizes: Counter[str] = Counter()
        for file in data_files.files(f"{self._logs.run.settings.lake}/{path}"):
            sizes[next(iter(file.partition.values()))] += file.bytes
        earlier = _VERSION.fullmatch(path)
        if not sizes and earlier and int(earlier[2]) > 1:
            return self._bytes_by_day(f"{earlier[1]}/v{int(earlier[2]) - 1}")
        return Counter(dict(sorted(sizes.items())))


def partitions(step: PlannedStep, contract: Contract) -> list[str]:
    """The partitions that the step may write to."""
    if step.name in GATES:
        return []
    if step.name == "clean":
        return [f"{step.table}/event_date={day}" for day in event_dates(contract, step.ds, contract.lateness)]
    return [f"{step.table}/ds={step.ds}"]
