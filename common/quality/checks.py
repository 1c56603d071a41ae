"""The checks that need more than a day's rows: refused share, duplicates, volume, freshness, references."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from common.contracts import datasets, layout, sensitive
from common.contracts.changes import changes_of
from common.contracts.expectations import Reference, Severity
from common.contracts.layout import FILE_REFUSED
from common.days import end_of, ended_by, shifted, start_of
from common.lake import spark_tables
from common.lake.log import delta_log
from common.lake.sql_conditions import Slice
from common.orchestration import stages, staleness
from common.quality import refused_records, volume
from common.quality.day_rows import CANNOT_RUN, DayRows
from common.quality.profiles import Profile
from common.quality.result import EXAMPLES, CheckResult, could_not_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.runtime.run import Run

# What raw's commit has of the source that tells one content from another: a checksum, or the range of a topic or table.
IDENTIFIES = ("checksum", "offsets", "versions")
HOUR = 3600


def refused(run: Run, name: str) -> list[CheckResult]:
    """Check the share of refused files and rows, so that a broken source does not end up in quarantine unnoticed."""
    contract, ingested = run.contract, _books(run, "raw")
    at_ingest = ingested.get("quarantined", 0)
    # Clean reads the rows that ingest accepted.
    cleaned = _books(run, "processed") if name == "processed" else {"rows_in": ingested.get("accepted", 0)}
    rows = (at_ingest + cleaned.get("quarantined", 0), at_ingest + cleaned.get("rows_in", 0))
    result = _share("Refused", rows, contract.refused_share, contract.refused_severity)
    if not ingested or not cleaned:
        return [_unknown(run, result)]
    result = result if result.success else replace(result, examples=_reasons(run, name))
    return [result] if name == "processed" else [_refused_files(run, ingested), result]


def _refused_files(run: Run, counts: dict[str, int]) -> CheckResult:
    """Check the share of refused files. It counts files, because the rows of an unreadable file are unknown."""
    bad, contract = counts.get("refused_files", 0), run.contract
    files = (bad, bad + counts.get("files", 0))
    result = _share("RefusedFile", files, contract.refused_share, contract.refused_severity)
    result = replace(result, checked=0, failed=0)  # these fields count rows, not files
    if result.success:
        return result
    refused_files = refused_records.refused_files(*_refusals(run, ["ingest"]))
    return replace(result, examples=heapq.nsmallest(EXAMPLES, refused_files))


def _books(run: Run, name: str) -> dict[str, int]:
    """Return the row counts in the day's newest commit; empty if there is none."""
    job, table = layout.STAGES[name]
    commit = delta_log.newest_commit(run.path(table(run.contract)), job, str(run.ds))
    counts: dict[str, int] = commit.books.get("counts", {}) if commit else {}
    return counts


def _unknown(run: Run, result: CheckResult) -> CheckResult:
    """Fail the check: missing counts must not pass as zero rows."""
    tables_ = f"raw/{run.contract.name} and processed/{run.contract.name}"
    return replace(
        result,
        success=False,
        observed=None,
        problem=f"the commits of {tables_} have no row counts for {run.ds}, which the check needs; run ingest and clean "
        "of that day again with --full-refresh",
    )


def _reasons(run: Run, name: str) -> list[str]:
    """Return the most frequent reasons of refused rows, with their counts."""
    jobs = ["ingest"] if name == "raw" else ["ingest", "clean"]
    by_reason = refused_records.counted(*_refusals(run, jobs))
    counts = {reason: days.total() for reason, days in by_reason.items() if reason != FILE_REFUSED}
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{reason} in {count:,}" for reason, count in ranked[:EXAMPLES]]


def _refusals(run: Run, jobs: list[str]) -> tuple[str, Slice]:
    return run.path(layout.quarantine(run.contract)), {"ds": [run.ds], "job": jobs}


def duplicates(run: Run) -> CheckResult:
    """Check the share of repeated keys: some are corrections, but many mean that the source sends rows twice."""
    counts, contract = _books(run, "processed"), run.contract
    repeated = counts.get("duplicates", 0) + counts.get("superseded", 0)
    rows = (repeated, counts.get("rows_in", 0))
    result = _share("Duplicate", rows, contract.duplicate_share, contract.duplicate_severity)
    return result if counts else _unknown(run, result)


def _share(prefix: str, counts: tuple[int, int], limit: float, severity: Severity) -> CheckResult:
    rows, rows_in = counts
    return CheckResult(
        kind="books",
        expectation=f"{prefix}ShareToBeAtMost({limit:g})",
        severity=severity,
        success=rows <= limit * rows_in,
        checked=rows_in,
        failed=rows,
        observed=round(rows / rows_in, 4) if rows_in else 0,
        limit=limit,
    )


def volume_of(run: Run) -> CheckResult:
    """Check the day's row count. On a closed day and without enough history it passes, and `limit` says why."""
    contract, rule, counts = run.contract, run.contract.volume, volume.landed(run)
    count, band = counts.get(run.ds), volume.usual(rule, counts, run.ds)
    return CheckResult(
        kind="volume",
        expectation=f"RowsToBeAsUsual(weeks={rule.weeks}, share={rule.share:g})",
        severity=rule.severity,
        success=band is None or count is None or band[0] <= count <= band[1],
        observed=count,
        limit=[round(bound) for bound in band]
        if band and count is not None
        else volume.unknown(contract, counts, run.ds),
    )


def freshness(run: Run, measured: Sequence[Profile]) -> CheckResult:
    """Check the age of the newest event at the end of ds, so that a backfill of an old day is not stale."""
    rule = run.contract.freshness
    hours = _since_newest_event(run, measured) if run.contract.event_time else _since_last_change(run)
    problem = "" if run.contract.event_time else _source_unknown(run)
    return CheckResult(
        kind="freshness",
        expectation=f"AgeInHoursToBeAtMost({rule.hours})",
        column=run.contract.event_time,
        severity=rule.severity,
        success=not problem and (hours is None or hours <= rule.hours),
        observed=hours,
        limit=rule.hours,
        problem=problem,
    )


def _since_newest_event(run: Run, measured: Sequence[Profile]) -> float | None:
    newest = next((profile.largest for profile in measured if profile.column == run.contract.event_time), None)
    if newest is None:
        return None
    end = end_of(run.ds)
    moment = datetime.fromisoformat(newest)
    return round((end - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds() / HOUR, 1)


def _since_last_change(run: Run) -> float:
    """Return the age of a snapshot in hours: those of each period since its source changed, 30 periods at most.

    Changes that were read to the period's end are of that period, even if there was none.
    """
    source, periods = _source(run, run.ds), 1
    read_to_the_end = bool(changes_of(run.contract)) and run.contract.source.tells_silence
    while source and not read_to_the_end and _source(run, shifted(run.ds, -periods)) == source and periods < 30:
        periods += 1
    return (end_of(run.ds) - start_of(shifted(run.ds, 1 - periods))).total_seconds() / HOUR


def _source(run: Run, ds: date) -> str:
    """The fingerprint of what the day was ingested from; of a source that is asked once, the records' checksum.

    Where a range of a log was read, the range says it: the fingerprint of a log is that of any day.
    """
    state = staleness.state_of(stages.INGEST, replace(run, ds=ds))
    if state is None:
        return ""
    kept = state.facts.get("sources", {})
    return str(next((kept[name] for name in IDENTIFIES if kept.get(name)), state.facts.get("source", "")))


def _source_unknown(run: Run) -> str:
    if _source(run, run.ds):
        return ""
    return f"raw has no source listing for {run.ds}, which a snapshot's freshness needs; run ingest of that day again"


def references(run: Run, rows: DayRows) -> list[CheckResult]:
    """Check that column values exist in the key of another dataset. A lookup that raises becomes a failed result."""
    results = []
    for reference in run.contract.references:
        try:
            results.append(_reference(run, rows.frame, reference))
        except CANNOT_RUN as error:
            results.append(could_not_run(_exists(reference), error, reference.column))
    return results


def _exists(rule: Reference) -> str:
    return f"ValuesToExistIn({rule.dataset}.{rule.key})"


def _reference(run: Run, rows: DataFrame, rule: Reference) -> CheckResult:
    """Find the values that the other table's key did not hold by ds, on any arrival day."""
    from pyspark.sql import functions as F

    from common.lake.period_columns import literal

    other = datasets.load(rule.dataset).contract
    last_ended = ended_by(end_of(run.ds), other.every)
    referring = rows.where(F.col(rule.column).isNotNull()).select(rule.column)
    missing = referring
    # Rows that were superseded later were known on ds, too.
    for table in layout.row_versions(other):
        known = spark_tables.read_partitions(run, table, {}).where(F.col("arrived") <= literal(last_ended))
        missing = missing.join(known.select(F.col(rule.key).alias(rule.column)), rule.column, "left_anti")
    missing, counts = spark_tables.materialize(missing, count=F.count(F.lit(1)))
    shown = counts["count"] and rule.column not in sensitive.sensitive_names(run.contract, "processed")
    examples = missing.distinct().sort(rule.column).limit(EXAMPLES).collect() if shown else []
    return CheckResult(
        kind="reference",
        expectation=_exists(rule),
        column=rule.column,
        severity=rule.severity,
        success=not counts["count"],
        checked=referring.count(),
        failed=counts["count"],
        examples=[str(row[0]) for row in examples],
    )
