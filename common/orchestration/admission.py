"""Which arrivals may be used: those whose rows the gate has passed as they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from common.contracts import layout
from common.contracts.layout import STAGES
from common.lake import data_files
from common.orchestration import verdicts
from common.orchestration.changes import Logs, changes_day
from common.orchestration.verdicts import Verdict

ARRIVALS = "processed"


def stands(name: str, verdict: Verdict, logs: Logs) -> bool:
    """Whether the day's rows in the table are those that the verdict is about."""
    table = STAGES[name][1](logs.run.contract)
    table_id = verdict.table_id or logs.now(table)[0]
    return not logs.changed(table, (table_id, verdict.version), lambda commit: changes_day(commit, verdict.ds))


def left_out(days: Sequence[date], logs: Logs) -> tuple[date, ...]:
    """Those of the days whose arrivals must not be used: validation failed, or their rows changed after it."""
    if not days:
        return ()
    arrived = sorted(_arrived(logs, days).intersection(days))
    judged = verdicts.read(logs.run, ARRIVALS, arrived)
    admitted = {ds for ds, verdict in judged.items() if verdict.success and stands(ARRIVALS, verdict, logs)}
    return tuple(day for day in arrived if day not in admitted)


def _arrived(logs: Logs, days: Sequence[date]) -> set[date]:
    """The days, of these and later ones, that were cleaned, at least in part, or of which raw holds rows."""
    run, found = logs.run, set[date]()
    raw, processed = layout.raw(run.contract), layout.processed(run.contract)
    for table in (raw, processed):
        for commit in logs.of(table).since_day(min(days)):
            if commit.books.get("job") in ("ingest", "clean") and (
                commit.touched != frozenset() or (table == processed and commit.complete)
            ):
                found |= set(commit.days)
    if not logs.of(raw).whole:
        found |= {date.fromisoformat(day) for day in data_files.partition_values(run.path(raw), "ds")}
    return found
