"""The metrics of a run: every name, what it means, and how its samples follow from what was observed.

A step's file holds three kinds of samples: those of its last run, those of the newest day that it has run (so that a backfill
of old days looks like no drop), and one for each day that has failed and not succeeded since.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from common.days import end_of
from common.telemetry.observation import Observation

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MetricSample:
    name: str
    labels: Labels
    value: float

    def label(self, name: str) -> str:
        return dict(self.labels).get(name, "")


LAST_RUN = {
    "pipeline_last_run_timestamp_seconds": "When the step last ran, whatever came of it.",
    "pipeline_last_success_timestamp_seconds": "When the step last succeeded, also by finding that nothing had changed.",
    "pipeline_damaged_pins": "Pins that maintenance last found damaged.",
}
WORK = {
    "pipeline_run_seconds": "How long the step's last run took that did something.",
    "pipeline_peak_memory_bytes": "Peak memory since the process started: of python, the jvm, and the largest executor.",
    "pipeline_read_bytes": "What Spark read in that run; missing if another thread's run read at the same time.",
    "pipeline_commit_bytes": "Size of the data files that the run's commits added and removed.",
    "pipeline_commit_files": "Number of the data files that the run's commits added and removed.",
}
NEWEST_DAY = {
    "pipeline_newest_day_end_timestamp_seconds": "The end of the newest day that the step has run.",
    "pipeline_rows": "Rows of the newest day: in, out, refused, late, duplicates.",
    "pipeline_rules": "Rules of the gate on the newest day: passed, warned, failed.",
}
FAILED_DAY = {"pipeline_failed_day": "1 for each day on which the step failed and has not succeeded since."}
STALE_DAY = {
    "pipeline_stale_day": "1 for each day that a run found out of date and that has not been made again since.",
    "pipeline_stale_checked_timestamp_seconds": "When a run last looked which days are out of date.",
}
# A day that never came would otherwise count as failed for ever.
REMEMBERED_DAYS = 35
HELP = {**LAST_RUN, **WORK, **NEWEST_DAY, **FAILED_DAY, **STALE_DAY}


def of_step(seen: Observation, before: Iterable[MetricSample]) -> list[MetricSample]:
    """The samples of the step's file after this run, given those before it."""
    # Resources of the last run that this one did not measure are not kept.
    kept = [sample for sample in before if not (seen.worked and sample.name in WORK)]
    now = _Step(seen)
    for fresh in (now.last_run(), now.newest_day(kept)):
        kept = _replaced(kept, [*fresh])
    return [*(sample for sample in kept if not now.settles(sample)), *now.failed_days()]


def of_stale_days(
    seen: Observation, before: Iterable[MetricSample], spoken_of: set[date], stale: set[date]
) -> list[MetricSample]:
    """The days that are out of date, after a run that checked some of them."""
    names = {"dataset": seen.dataset}
    others = {sample.label("day") for sample in before if sample.name in STALE_DAY} - {"", *map(str, spoken_of)}
    days = sorted(others | {*map(str, stale)})
    checked = _sample("pipeline_stale_checked_timestamp_seconds", _ended(seen), names)
    return [checked, *(_sample("pipeline_stale_day", 1, names, day=day) for day in days)]


class _Step:
    def __init__(self, seen: Observation) -> None:
        self.seen = seen
        self.names = {"dataset": seen.dataset, "step": seen.step}

    def last_run(self) -> Iterator[MetricSample]:
        seen, ended = self.seen, _ended(self.seen)
        yield self._sample("pipeline_last_run_timestamp_seconds", ended)
        if not seen.failure:
            yield self._sample("pipeline_last_success_timestamp_seconds", ended)
        if seen.step == "maintain" and (not seen.failure or "failures" in seen.failure):
            yield self._sample("pipeline_damaged_pins", len((seen.failure or {}).get("failures", [])))
        if seen.worked:
            yield from self._work()

    def _work(self) -> Iterator[MetricSample]:
        seen, changes = self.seen, [*self.seen.files.values()]
        yield self._sample("pipeline_run_seconds", round(seen.seconds, 3))
        for process, peak in seen.used.peaks.items():
            yield self._sample("pipeline_peak_memory_bytes", peak, process=process)
        if seen.bytes_read is not None:
            yield self._sample("pipeline_read_bytes", seen.bytes_read)
        for name, added, removed in (
            ("pipeline_commit_bytes", "added_bytes", "removed_bytes"),
            ("pipeline_commit_files", "added", "removed"),
        ):
            yield self._sample(name, sum(getattr(change, added) for change in changes), change="added")
            yield self._sample(name, sum(getattr(change, removed) for change in changes), change="removed")

    def newest_day(self, before: Iterable[MetricSample]) -> Iterator[MetricSample]:
        """Nothing for a day older than the newest one known, or for a failure that counted nothing."""
        seen, end = self.seen, end_of(max(self.seen.days)).timestamp()
        known = max(
            (each.value for each in before if each.name == "pipeline_newest_day_end_timestamp_seconds"), default=0
        )
        if end < known or seen.line.get("outcome") == "closed":
            return
        for result, count in _rules(seen).items():
            yield self._sample("pipeline_rules", count, result=result)
        if not seen.failure:
            yield self._sample("pipeline_newest_day_end_timestamp_seconds", end)
            for kind, count in seen.rows().items():
                yield self._sample("pipeline_rows", count, kind=kind)

    def failed_days(self) -> Iterator[MetricSample]:
        if self.seen.failure:
            for day in self.seen.days:
                yield self._sample("pipeline_failed_day", 1, day=str(day))

    def settles(self, sample: MetricSample) -> bool:
        """Whether the run settles a failed day, or is so far ahead that nobody will run that day again."""
        oldest = str(max(self.seen.days) - timedelta(days=REMEMBERED_DAYS))
        day = sample.label("day")
        return sample.name in FAILED_DAY and (day in map(str, self.seen.days) or day < oldest)

    def _sample(self, name: str, value: float, **labels: str) -> MetricSample:
        return _sample(name, value, self.names, **labels)


def _rules(seen: Observation) -> dict[str, int]:
    """Of a validation; a failure does not say how many rules passed."""
    if not seen.step.startswith("validate"):
        return {}
    counts = seen.line.get("counts") or {}
    if seen.failure is None:
        return {"passed": counts.get("passed", 0), "warned": counts.get("warnings", 0), "failed": 0}
    failures: list[dict[str, Any]] = seen.failure.get("failures", [])
    warned = sum(rule.get("severity") == "warn" and not rule.get("problem") for rule in failures)
    return {"warned": warned, "failed": len(failures) - warned} if failures else {}


def _replaced(before: list[MetricSample], fresh: list[MetricSample]) -> list[MetricSample]:
    """The samples with those of a fresh name replaced as a whole."""
    names = {sample.name for sample in fresh}
    return [*(sample for sample in before if sample.name not in names), *fresh]


def _sample(name: str, value: float, names: dict[str, str], **labels: str) -> MetricSample:
    return MetricSample(name, tuple({**names, **labels}.items()), float(value))


def _ended(seen: Observation) -> float:
    return round((seen.ended or datetime.now(UTC)).timestamp(), 3)
