"""The checks that look beyond a day's own rows: what was refused, freshness, volume, references."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from common.contracts import datasets, layout, sensitive
from common.contracts.expectations import Reference, Severity
from common.contracts.layout import FILE_REFUSED
from common.errors import ContractDeclarationError, UsageError
from common.lake import delta_log, small_tables, spark_tables
from common.orchestration import run_log
from common.quality import volume
from common.quality.profiles import Profile
from common.quality.result import EXAMPLES, CheckResult, could_not_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.runtime.run import Run

# The data or a declaration is at fault: a column is missing or changed its type, a dataset is unknown.
CANNOT_RUN = (PySparkException, UsageError, ContractDeclarationError)
HOUR = 3600


def refused(run: Run, name: str) -> list[CheckResult]:
    """A source that is broken must not drain into quarantine quietly: whole files, or rows wherever they were refused."""
    contract, landed = run.contract, _books(run, "raw")
    before = landed.get("quarantined", 0)
    # Clean has seen what ingest accepted.
    later = _books(run, "processed") if name == "processed" else {"rows_in": landed.get("accepted", 0)}
    rows = (before + later.get("quarantined", 0), before + later.get("rows_in", 0))
    found = _share("Refused", rows, contract.refused_share, contract.refused_severity)
    if not landed or not later:
        return [_unknown(run, found)]
    found = found if found.success else replace(found, examples=_reasons(run, name))
    return [found] if name == "processed" else [_refused_files(run, landed), found]


def _refused_files(run: Run, counts: dict[str, int]) -> CheckResult:
    """Nobody knows how many rows were in a file that could not be read."""
    bad, contract = counts.get("refused_files", 0), run.contract
    files = (bad, bad + counts.get("files", 0))
    found = _share("RefusedFile", files, contract.refused_share, contract.refused_severity)
    found = replace(found, checked=0, failed=0)  # which are counts of rows
    if found.success:
        return found
    rows = _refusals(run, ["ingest"], ["file", "reasons"])
    named = sorted(row["file"] for row in rows if FILE_REFUSED in row["reasons"])
    return replace(found, examples=named[:EXAMPLES])


def _books(run: Run, name: str) -> dict[str, int]:
    """How the day's rows add up, as the commit that made them says; empty where none does."""
    job, table = layout.STAGES[name]
    commit = delta_log.newest_commit(run.path(table(run.contract)), job, str(run.ds))
    counts: dict[str, int] = commit.books.get("counts", {}) if commit else {}
    return counts


def _unknown(run: Run, found: CheckResult) -> CheckResult:
    """Rows that nobody has counted may not pass for none."""
    tables_ = f"raw/{run.contract.name} and processed/{run.contract.name}"
    return replace(
        found,
        success=False,
        observed=None,
        problem=f"the commits of {tables_} do not say how the rows of {run.ds} add up; run ingest and clean of that day "
        "again, with --full-refresh",
    )


def _reasons(run: Run, name: str) -> list[str]:
    """Why most of the refused were, each reason with the column that it is about, and how many."""
    jobs = ["ingest"] if name == "raw" else ["ingest", "clean"]
    counts: Counter[str] = Counter()
    for row in _refusals(run, jobs, ["reasons", "copies"]):
        if FILE_REFUSED not in row["reasons"]:
            counts.update(dict.fromkeys(row["reasons"], row["copies"]))
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [f"{reason} in {count:,}" for reason, count in ranked[:EXAMPLES]]


def _refusals(run: Run, jobs: list[str], columns: list[str]) -> list[dict[str, Any]]:
    path = run.path(layout.quarantine(run.contract))
    found: list[dict[str, Any]] = small_tables.read_slice(path, {"ds": [run.ds], "job": jobs}, columns).to_pylist()
    return found


def duplicates(run: Run) -> CheckResult:
    """Keys that come again and again: a source that sends everything twice is no source of corrections."""
    counts, contract = _books(run, "processed"), run.contract
    again = counts.get("duplicates", 0) + counts.get("superseded", 0)
    rows = (again, counts.get("rows_in", 0))
    found = _share("Duplicate", rows, contract.duplicate_share, contract.duplicate_severity)
    return found if counts else _unknown(run, found)


def _share(what: str, counted: tuple[int, int], limit: float, severity: Severity) -> CheckResult:
    rows, rows_in = counted
    return CheckResult(
        kind="books",
        expectation=f"{what}ShareToBeAtMost({limit:g})",
        severity=severity,
        success=rows <= limit * rows_in,
        checked=rows_in,
        failed=rows,
        observed=round(rows / rows_in, 4) if rows_in else 0,
        limit=limit,
    )


def volume_of(run: Run) -> CheckResult:
    """A day that nothing is known to expect of passes, and its result says so."""
    rule, counts = run.contract.volume, volume.landed(run)
    seen, band = counts.get(run.ds), volume.usual(run.contract.volume, counts, run.ds)
    return CheckResult(
        kind="volume",
        expectation=f"RowsToBeAsUsual(weeks={rule.weeks}, share={rule.share:g})",
        severity=rule.severity,
        success=band is None or seen is None or band[0] <= seen <= band[1],
        observed=seen,
        limit=[round(each) for each in band] if band and seen is not None else volume.unknown(rule, counts, run.ds),
    )


def freshness(run: Run, found: Sequence[Profile]) -> CheckResult:
    """Judged against the end of the day itself, so that a backfill of an old day is not stale."""
    rule = run.contract.freshness
    hours = _since_newest_event(run, found) if run.contract.event_time else _since_last_change(run)
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


def _since_newest_event(run: Run, found: Sequence[Profile]) -> float | None:
    newest = next((each.largest for each in found if each.column == run.contract.event_time), None)
    if newest is None:
        return None
    end = datetime.combine(run.ds + timedelta(days=1), time(), UTC)
    moment = datetime.fromisoformat(newest)
    return round((end - moment.replace(tzinfo=moment.tzinfo or UTC)).total_seconds() / HOUR, 1)


def _since_last_change(run: Run) -> float:
    """A snapshot that is the same as the day before is as old as that one."""
    mine = run_log.load_other(run, "ingest", run.ds).source
    days = 1
    while mine and run_log.load_other(run, "ingest", run.ds - timedelta(days=days)).source == mine and days < 30:
        days += 1
    return 24.0 * days


def _source_unknown(run: Run) -> str:
    if run_log.load_other(run, "ingest", run.ds).source:
        return ""
    return f"the log of runs does not say what the source held on {run.ds}; run ingest of that day again"


def references(run: Run, rows: DataFrame) -> list[CheckResult]:
    """Whether the values of a column stand where another dataset has them; what can't be looked up is a result, too."""
    found = []
    for each in run.contract.references:
        try:
            found.append(_reference(run, rows, each))
        except CANNOT_RUN as error:
            found.append(could_not_run(_exists(each), error, each.column))
    return found


def _exists(rule: Reference) -> str:
    return f"ValuesToExistIn({rule.dataset}.{rule.key})"


def _reference(run: Run, rows: DataFrame, rule: Reference) -> CheckResult:
    """The values that the other table's key has not had by ds, whatever day it learned of them."""
    from pyspark.sql import functions as F

    other = datasets.load(rule.dataset).contract
    asked = rows.where(F.col(rule.column).isNotNull()).select(rule.column)
    strangers = asked
    # What a better row has replaced since was known on ds all the same.
    for table in (layout.processed(other), layout.superseded(other)):
        known = spark_tables.read_partitions(run, table, {}).where(F.col("arrived") <= F.lit(run.ds))
        strangers = strangers.join(known.select(F.col(rule.key).alias(rule.column)), rule.column, "left_anti")
    strangers, seen = spark_tables.materialize(strangers, count=F.count(F.lit(1)))
    shown = seen["count"] and rule.column not in sensitive.sensitive_names(run.contract, "processed")
    examples = strangers.distinct().sort(rule.column).limit(EXAMPLES).collect() if shown else []
    return CheckResult(
        kind="reference",
        expectation=_exists(rule),
        column=rule.column,
        severity=rule.severity,
        success=not seen["count"],
        checked=asked.count(),
        failed=seen["count"],
        examples=[str(each[0]) for each in examples],
    )
