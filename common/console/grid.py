"""The grid's data: for every day its state, counts, versions and run, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from common.console.day_states import DatasetDays, DayState
from common.orchestration.day_counts import SHOWN
from common.orchestration.run_log import RunRecord
from common.printable import printable
from common.reports.status import STEPS, DayStatus
from common.runtime.submit_command import spark_submit

Facts = dict[str, Any]
# What is kept of a rule's result.
RESULT = ("expectation", "column", "severity", "checked", "failed", "observed", "limit", "examples", "problem")
DAY = "{ds}"  # the page puts the day here


def grid_facts(days: DatasetDays) -> Facts:
    """Columns by day rather than days, because most of them are the same on most days."""
    shown = days.shown
    statuses = [days.statuses.get(ds) for ds in shown]
    runs = [_newest_run(status) if status else "" for status in statuses]
    known_runs = sorted({*runs})
    return {
        "first": shown[0] if shown else "",
        "states": "".join(days.state(ds) for ds in shown),
        "counts": {name: [status.count(name) if status else None for status in statuses] for name in SHOWN},
        "seconds": [round(status.seconds, 1) if status else None for status in statuses],
        "steps": [_done(status) if status else 0 for status in statuses],
        "at": [_newest(status) if status else "" for status in statuses],
        "runs": known_runs,
        "run": [known_runs.index(run) for run in runs],
        "versions": _versions(statuses),
        "notes": {ds: note for ds in shown if (note := _note(days, ds))},
    }


def commands(name: str, every: str) -> dict[str, list[tuple[str, str]]]:
    """What a person runs on a day of each state: what it is for, and the command."""
    run = (f"Run the {every} again, and the {every}s that it makes stale", _python(spark_submit("backfill", name, DAY)))
    plan = ("What would run, and why", f".venv/bin/features plan --dataset {name} --ds {DAY}")
    refused = ("Which records were refused, and why", f"make quarantine DATASET={name} DS={DAY}")
    show = (f"The first rows of the {every}", f".venv/bin/features show {name} --ds {DAY}")
    return {
        DayState.PUBLISHED: [show, refused],
        DayState.WARNED: [show, refused],
        DayState.FAILED: [refused, plan, (f"Once the cause is fixed: run the {every} again", run[1])],
        DayState.STALE: [plan, run],
        DayState.WAITING: [plan, run],
        DayState.NOT_RUN: [plan, (f"Once the {every} has landed: run it", run[1])],
        DayState.CLOSED: [plan],
    }


def _python(command: str) -> str:
    return f".venv/bin/{command}"


def _newest_run(status: DayStatus) -> str:
    return max(status.records.values(), key=lambda record: record.at).run_id


def _newest(status: DayStatus) -> str:
    return max(_at(record) for record in status.records.values())[:16]


def _at(record: RunRecord) -> str:
    return str((record.failure or {}).get("at", "")) or record.at


def _done(status: DayStatus) -> int:
    """The steps that are done, as bits."""
    return sum(1 << place for place, step in enumerate(STEPS) if step in status.records and status.records[step].done)


def _versions(statuses: list[DayStatus | None]) -> dict[str, list[int | None]]:
    """The version of each table that the day's runs wrote."""
    written = [
        {
            path: version
            for record in status.records.values()
            for path, version in record.line.get("written", {}).items()
        }
        if status
        else {}
        for status in statuses
    ]
    return {path: [day.get(path) for day in written] for path in sorted({path for day in written for path in day})}


def _note(days: DatasetDays, ds: str) -> Facts:
    """What there is to say of a day besides its counts."""
    status = days.statuses.get(ds)
    plan, words = days.plans.get(ds), days.plan.words
    found = {
        "failures": [*_failures(status)] if status else [],
        "warnings": [*_warnings(status)] if status else [],
        "why": [[step.name, words[step]] for step in days.due(ds)],
        "then": len(plan.steps) - len(days.due(ds)) if plan and days.due(ds) else 0,
        "left_out": days.published.get(ds, {}).get("left_out", []),
        "missing": bool(plan and plan.missing),
    }
    return {name: value for name, value in found.items() if value}


def _failures(status: DayStatus) -> Iterator[Facts]:
    for step in STEPS:
        record = status.records.get(step)
        if record and record.failure:
            message = printable(" ".join(str(record.failure.get("message", "")).split()))
            rules = [result_facts(rule) for rule in record.failure.get("failures", []) if "expectation" in rule]
            yield {"step": step, "message": message, "rules": rules}


def _warnings(status: DayStatus) -> Iterator[Facts]:
    for step, record in status.records.items():
        yield from ({**result_facts(rule), "step": step} for rule in record.line.get("warnings", []))


def result_facts(result: Facts) -> Facts:
    """As the gate stored it, which has masked what is sensitive; safe to show as text."""
    return {name: safe(result[name]) for name in RESULT if result.get(name) not in (None, "", [])}


def safe(value: Any) -> Any:
    """The value with every text made printable, for JSON."""
    if isinstance(value, dict):
        return {printable(name): safe(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [safe(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else printable(value)
