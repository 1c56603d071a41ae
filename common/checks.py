"""The checks that look beyond a day's own rows: what was refused, freshness, volume, references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from common import datasets, layout, ledger, runs, tables, volume
from common.profiles import Profile
from common.quality import EXAMPLES, Result
from common.rule import Reference, Severity

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.run import Run

HOUR = 3600


def refused(run: Run, job: str) -> Result:
    """A source that is broken must not drain into quarantine quietly."""
    counts, contract = runs.line_of(run, job).get("counts", {}), run.contract
    rows_in = counts.get("rows_in", counts.get("landed", 0))
    found = _share("Refused", counts.get("quarantined", 0), rows_in, contract.refused_share, contract.refused_severity)
    return found if found.success else replace(found, examples=_reasons(run, job))


def _reasons(run: Run, job: str) -> list[str]:
    """Why most of the refused were, each reason with the column that it is about, and how many."""
    path = run.path(layout.quarantine(run.contract))
    rows = ledger.read(path, {"ds": [run.ds], "job": [job]}, ["reasons", "copies"]).to_pylist()
    counts: Counter[str] = Counter()
    for row in rows:
        counts.update(dict.fromkeys(row["reasons"], row["copies"]))
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [f"{reason} in {count:,}" for reason, count in ranked[:EXAMPLES]]


def duplicates(run: Run) -> Result:
    """Keys that come again and again: a source that sends everything twice is no source of corrections."""
    counts, contract = runs.line_of(run, "clean").get("counts", {}), run.contract
    again = counts.get("duplicates", 0) + counts.get("superseded", 0)
    rows_in = counts.get("rows_in", 0)
    return _share("Duplicate", again, rows_in, contract.duplicate_share, contract.duplicate_severity)


def _share(what: str, rows: int, rows_in: int, limit: float, severity: Severity) -> Result:
    return Result(
        kind="books",
        expectation=f"{what}ShareToBeAtMost({limit:g})",
        severity=severity,
        success=rows <= limit * rows_in,
        checked=rows_in,
        failed=rows,
        observed=round(rows / rows_in, 4) if rows_in else 0,
        limit=limit,
    )


def volume_of(run: Run) -> Result:
    """A day that nothing is known to expect of passes, and its result says so."""
    rule, counts = run.contract.volume, volume.landed(run)
    seen, band = counts.get(run.ds), volume.usual(run.contract.volume, counts, run.ds)
    return Result(
        kind="volume",
        expectation=f"RowsToBeAsUsual(weeks={rule.weeks}, share={rule.share:g})",
        severity=rule.severity,
        success=band is None or seen is None or band[0] <= seen <= band[1],
        observed=seen,
        limit=[round(each) for each in band] if band and seen is not None else volume.unknown(rule, counts, run.ds),
    )


def freshness(run: Run, found: Sequence[Profile]) -> Result:
    """Judged against the end of the day itself, so that a backfill of an old day is not stale."""
    rule = run.contract.freshness
    hours = _since_newest_event(run, found) if run.contract.event_time else _since_last_change(run)
    return Result(
        kind="freshness",
        expectation=f"AgeInHoursToBeAtMost({rule.hours})",
        column=run.contract.event_time,
        severity=rule.severity,
        success=hours is None or hours <= rule.hours,
        observed=hours,
        limit=rule.hours,
    )


def _since_newest_event(run: Run, found: Sequence[Profile]) -> float | None:
    newest = next((each.largest for each in found if each.column == run.contract.event_time), None)
    if newest is None:
        return None
    end = datetime.combine(run.ds + timedelta(days=1), time(), UTC)
    moment = datetime.fromisoformat(newest)
    return round((end - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds() / HOUR, 1)


def _since_last_change(run: Run) -> float:
    """A snapshot that is the same as the day before is as old as that one."""
    mine = runs.load_of(run, "ingest", run.ds).source
    days = 1
    while mine and runs.load_of(run, "ingest", run.ds - timedelta(days=days)).source == mine and days < 30:
        days += 1
    return 24.0 * days


def references(run: Run, rows: DataFrame) -> list[Result]:
    return [_reference(run, rows, each) for each in run.contract.references]


def _reference(run: Run, rows: DataFrame, rule: Reference) -> Result:
    """The values that the other table's key has not had by ds, whatever day it learned of them."""
    from pyspark.sql import functions as F

    other = datasets.load(rule.dataset).contract
    known = tables.read(run, layout.processed(other), {}).where(F.col("arrived") <= F.lit(run.ds))
    asked = rows.where(F.col(rule.column).isNotNull()).select(rule.column)
    strangers = asked.join(known.select(F.col(rule.key).alias(rule.column)), rule.column, "left_anti")
    strangers, seen = tables.computed(strangers, count=F.count(F.lit(1)))
    shown = seen["count"] and not run.contract.column(rule.column).sensitive
    examples = strangers.distinct().sort(rule.column).limit(EXAMPLES).collect() if shown else []
    return Result(
        kind="reference",
        expectation=f"ValuesToExistIn({rule.dataset}.{rule.key})",
        column=rule.column,
        severity=rule.severity,
        success=not seen["count"],
        checked=asked.count(),
        failed=seen["count"],
        examples=[str(each[0]) for each in examples],
    )
