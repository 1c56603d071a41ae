"""Which arrivals may be used: those whose rows the gate has passed as they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from common.contracts.layout import STAGES
from common.orchestration.changes import Logs, changes_day
from common.orchestration.verdicts import Verdict

ARRIVALS = "processed"


def stands(name: str, verdict: Verdict, logs: Logs) -> bool:
    """Whether the day's rows in the table are those that the verdict is about."""
    table_id = verdict.table_id or logs.now(STAGES[name][1](logs.run.contract))[0]
    return unchanged(name, verdict.ds, (table_id, verdict.version), logs)


def unchanged(name: str, ds: date, then: tuple[str, int], logs: Logs) -> bool:
    """Whether the day's rows are as they were in that version of the table, which its id tells from another one."""
    commits = logs.since(STAGES[name][1](logs.run.contract), then, frozenset([ds]))
    return commits is not None and not any(changes_day(commit, ds) for commit in commits)


def left_out(days: Sequence[date], logs: Logs) -> tuple[date, ...]:
    """Those of the days whose arrivals must not be used: validation failed, or their rows changed after it."""
    if not days:
        return ()
    arrived = sorted(logs.arrived(days[0]).intersection(days))
    unknown = [day for day in arrived if day not in logs.admitted]
    judged = logs.verdicts(ARRIVALS, unknown)
    logs.admitted |= {day: _admits(judged.get(day), logs) for day in unknown}
    return tuple(day for day in arrived if not logs.admitted[day])


def _admits(verdict: Verdict | None, logs: Logs) -> bool:
    return verdict is not None and verdict.success and stands(ARRIVALS, verdict, logs)
