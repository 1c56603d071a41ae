"""The gate: check a day, stop the run on errors, and record warnings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from common.clean.as_of import rows_known
from common.contracts import sensitive, suite
from common.contracts.changes import event_dates
from common.contracts.expectations import Severity
from common.errors import ContractViolationError
from common.lake import small_tables, spark_tables
from common.lake.period_columns import literal
from common.lake.storage.files import write_json
from common.orchestration import requirements, run_log, verdicts
from common.quality import checks, drift, profiles
from common.quality.checks import CANNOT_RUN
from common.quality.gx_check import open_check
from common.quality.gx_check import run_rules as check_rules
from common.quality.result import CheckResult, could_not_run
from common.runtime.run import Outcome, Run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def check_day(run: Run) -> list[CheckResult]:
    """Run all checks on the rows that ds added to the table."""
    name, contract = run.options["table"], run.contract
    requirements.require_made(run, name)
    rules, suite_name = suite.rules_of(contract, name), f"{contract.name}.{name}"
    # Great Expectations works in Python, and Spark in its own process: neither waits for the other.
    with ThreadPoolExecutor(2) as beside:
        opened = beside.submit(open_check, rules, suite_name, run.settings.lake)
        try:
            # Rules, uniqueness checks and profiles each read the rows.
            rows, seen = spark_tables.materialize(rows_of(run, name), number=F.count(F.lit(1)))
        except CANNOT_RUN as error:
            return [could_not_run("RowsToBeReadable()", error)]
        over_time = beside.submit(_over_time, run, name, rows)
        masked = sensitive.sensitive_names(contract, name)
        results = check_rules(rows, rules, suite_name, run.settings.lake, masked, seen["number"], opened.result)
        if name == "raw":
            return [*checks.refused(run, name), checks.volume_of(run), *results]
        results += over_time.result()
    if name == "processed":
        results += [*checks.refused(run, name), checks.duplicates(run), *checks.references(run, rows)]
    return results


def rows_of(run: Run, name: str) -> DataFrame:
    """Read the rows as known on ds, so that later corrections do not change the result."""
    if name != "processed":
        return spark_tables.read_partitions(run, suite.table_of(run.contract, name), {"ds": [run.ds]})
    rows = rows_known(run, event_dates(run.contract, run.ds, run.contract.lateness), run.ds)
    return rows.where(F.col("arrived") == literal(run.ds))


def _over_time(run: Run, name: str, rows: DataFrame) -> list[CheckResult]:
    """Profile the day, store the profiles, and check drift and freshness. Raw has none of these."""
    if name == "raw":
        return []
    try:
        measured = profiles.measure(rows, run, name)
    except CANNOT_RUN as error:
        return [could_not_run("ColumnsToBeMeasurable()", error)]
    try:
        profiles.keep(run, name, measured)
    except small_tables.WRITE_ERRORS as error:
        run.log.warning(
            "the profiles could not be kept, so drift checks of later days will skip this day; run validate again: %s",
            error,
        )
    results = list(drift.drifted(run, name, measured))
    return [*results, checks.freshness(run, measured)] if name == "processed" else results


def decide(run: Run, results: list[CheckResult]) -> Outcome:
    """Store and log the results; raise if an error-level check failed or a check could not run."""
    failed = [result for result in results if not result.success]
    errors = [result for result in failed if result.severity == Severity.ERROR or result.problem]
    warnings = [result for result in failed if result not in errors]
    verdict = _verdict(run, results, errors, warnings)
    # The verdict comes last: a run that is killed before it leaves a day that is validated again.
    _keep_results(run, verdict, results)
    verdicts.keep(run, verdict)
    for result in warnings:
        run.log.warning("%s", result.words)
    for result in errors:
        run.log.error("%s", result.words)
    if errors:
        raise ContractViolationError(
            f"{run.contract.name} {run.options['table']} of {run.ds}: {len(errors)} of {len(results)} rules failed, so "
            f"downstream jobs will not read this day. First: {errors[0].words}. Fix the source or contract, then rerun the day.",
            [result.facts() for result in failed],
        )
    return Outcome(
        "done", verdict.counts, facts={"warnings": [result.facts() for result in warnings]} if warnings else {}
    )


def _verdict(
    run: Run, results: list[CheckResult], errors: list[CheckResult], warnings: list[CheckResult]
) -> verdicts.Verdict:
    name = run.options["table"]
    path = suite.table_of(run.contract, name).path
    return verdicts.Verdict(
        ds=run.ds,
        table=name,
        table_id=run.ids[path],
        version=run.at[path],
        success=not errors,
        rules=len(results),
        passed=sum(result.success for result in results),
        failed=[result.expectation for result in errors],
        warned=[result.expectation for result in warnings],
        run_id=run.run_id,
    )


def _keep_results(run: Run, verdict: verdicts.Verdict, results: list[CheckResult]) -> None:
    """Store the day's results for the console. A failed write does not change the gate's decision."""
    record = {
        "dataset": run.contract.name,
        "table": verdict.table,
        "ds": str(run.ds),
        "run_id": run.run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "table_id": verdict.table_id,
        "version": verdict.version,
        "success": verdict.success,
        "results": [{**result.facts(), "success": result.success} for result in results],
    }
    try:
        write_json(run_log.results_place(run.settings.lake, run.contract.name, verdict.table, run.ds), record)
    except OSError as error:
        run.log.warning(
            "the results could not be kept, so the console will not show this validation; run validate again: %s", error
        )
