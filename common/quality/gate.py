"""The gate: check a day, stop the run on errors, and record warnings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from common.contracts import sensitive, suite
from common.contracts.expectations import Rule, Severity
from common.errors import ContractViolationError
from common.lake import small_tables
from common.lake.storage.files import write_json
from common.orchestration import requirements, run_log, verdicts
from common.quality import checks, drift, measured
from common.quality.day_rows import CANNOT_RUN, DayRows, RowsNotReadableError
from common.quality.gx_check import Opened, judge_measured, open_check, run_rules
from common.quality.measured import Measured
from common.quality.measured_rules import MeasuredTable
from common.quality.profiles import Profile
from common.quality.result import CheckResult, could_not_run
from common.runtime.run import Outcome, Run


def check_day(run: Run) -> list[CheckResult]:
    """Run all checks on the rows that ds added to the table; the rows are read only for what was not measured of them."""
    name, contract = run.options["table"], run.contract
    requirements.require_made(run, name)
    rows, rules = DayRows(run, name), suite.rules_of(contract, name)
    checked = (rules, f"{contract.name}.{name}", run.settings.lake)
    # Great Expectations works in Python, and Spark in its own process: neither waits for the other.
    with ThreadPoolExecutor(1) as beside:
        opened = beside.submit(open_check, *checked)
        try:
            known, problems = _known(run, name, rows)
            results = _judge(rows, known, checked, opened.result)
        except RowsNotReadableError as error:
            return [could_not_run("RowsToBeReadable()", error)]
    if name == "raw":
        return [*checks.refused(run, name), checks.volume_of(run), *results]
    results += problems or _over_time(run, name, known.profiles if known else [])
    if name == "processed":
        results += [*checks.refused(run, name), checks.duplicates(run), *checks.references(run, rows)]
    return results


def _known(run: Run, name: str, rows: DayRows) -> tuple[Measured | None, list[CheckResult]]:
    """What was measured of the rows when they were made, or else now; or why they can't be measured."""
    if known := measured.kept(run, name):
        return known, []
    try:
        known = measured.take(run, name, rows.frame)
    except CANNOT_RUN as error:
        return None, [could_not_run("ColumnsToBeMeasurable()", error)]
    if name == "raw":
        return known, []
    try:
        measured.keep(run, name, known, run.at[rows.table.path])
    except small_tables.WRITE_ERRORS as error:
        run.log.warning(
            "the profiles could not be kept, so drift checks of later days will skip this day; run validate again: %s",
            error,
        )
    return known, []


def _judge(
    rows: DayRows, known: Measured | None, checked: tuple[list[Rule], str, str], opened: Callable[[], Opened]
) -> list[CheckResult]:
    """By what is known, if that is enough, and else by the rows, which also show examples."""
    masked = sensitive.sensitive_names(rows.run.contract, rows.name)
    if known is None:
        return run_rules(rows.frame, *checked, masked, opened=opened)
    table = MeasuredTable(rows.columns, measured.key_of(rows.run.contract, rows.name), known)
    judged = judge_measured(table, *checked, masked, opened)
    return run_rules(rows.frame, *checked, masked, known.rows, opened) if judged is None else judged


def _over_time(run: Run, name: str, profiles: Sequence[Profile]) -> list[CheckResult]:
    results = list(drift.drifted(run, name, profiles))
    return [*results, checks.freshness(run, profiles)] if name == "processed" else results


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
