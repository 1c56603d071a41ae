"""What a day's checks say, and what it means: errors stop the run, warnings are recorded and shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from common.clean.as_of import rows_known
from common.contracts import sensitive, suite
from common.contracts.expectations import Severity
from common.days import day_range
from common.errors import ContractViolationError
from common.lake import delta_log, small_tables, spark_tables
from common.lake.files import write_json
from common.orchestration import run_log, staleness
from common.quality import checks, drift, gx, profiles
from common.quality.checks import CANNOT_RUN
from common.quality.gx_check import run_rules as check_rules
from common.quality.result import CheckResult, could_not_run
from common.runtime.run import Outcome, Run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def check_day(run: Run) -> list[CheckResult]:
    """Everything that is expected of the table's rows that the run of ds has brought."""
    name, contract = run.options["table"], run.contract
    staleness.require_made(run, name)
    gx.import_meanwhile()
    try:
        # Looked at several times: by the rules, for what is unique, for the profile.
        rows, _ = spark_tables.materialize(rows_of(run, name))
    except CANNOT_RUN as error:
        return [could_not_run("RowsToBeReadable()", error)]
    suite_name, masked = f"{contract.name}.{name}", sensitive.sensitive_names(contract, name)
    found = check_rules(rows, suite.rules_of(contract, name), suite_name, run.settings.lake, masked)
    if name == "raw":
        return [*checks.refused(run, name), checks.volume_of(run), *found]
    found += _over_time(run, name, rows)
    if name == "processed":
        found += [*checks.refused(run, name), checks.duplicates(run), *checks.references(run, rows)]
    return found


def rows_of(run: Run, name: str) -> DataFrame:
    """As they were known on ds: a later correction changes nothing of what is said of this day."""
    if name != "processed":
        return spark_tables.read_partitions(run, suite.table_of(run.contract, name), {"ds": [run.ds]})
    rows = rows_known(run, day_range(run.ds, run.contract.lateness_days), run.ds)
    return rows.where(F.col("arrived") == F.lit(run.ds))


def _over_time(run: Run, name: str, rows: DataFrame) -> list[CheckResult]:
    """What a day's profiles tell: how old it is, and how it differs from other days."""
    try:
        measured = profiles.measure(rows, run, name)
    except CANNOT_RUN as error:
        return [could_not_run("ColumnsToBeMeasurable()", error)]
    try:
        profiles.keep(run, name, measured)
    except small_tables.WRITE_ERRORS as error:
        run.log.warning("the profiles could not be kept, so later days can't be compared with this one: %s", error)
    found = list(drift.drifted(run, name, measured))
    return [*found, checks.freshness(run, measured)] if name == "processed" else found


def decide(run: Run, results: list[CheckResult]) -> Outcome:
    failed = [result for result in results if not result.success]
    errors = [result for result in failed if result.severity == Severity.ERROR or result.problem]
    warnings = [result for result in failed if result not in errors]
    _keep(run, results, success=not errors)
    for result in warnings:
        run.log.warning("%s", result.words)
    for result in errors:
        run.log.error("%s", result.words)
    if errors:
        raise ContractViolationError(
            f"{run.contract.name} {run.options['table']} of {run.ds}: {len(errors)} of {len(results)} rules failed; nothing "
            f"downstream should read this day. First: {errors[0].words}. Mend the source or the contract, and run the day again.",
            [result.facts() for result in failed],
        )
    counts = {"rules": len(results), "passed": len(results) - len(failed), "warnings": len(warnings)}
    return Outcome("done", counts, facts={"warnings": [result.facts() for result in warnings]} if warnings else {})


def _keep(run: Run, results: list[CheckResult], success: bool) -> None:
    """The verdicts of the day, for the report. The gate decides without them, too."""
    name = run.options["table"]
    kept = {
        "dataset": run.contract.name,
        "table": name,
        "ds": str(run.ds),
        "run_id": run.run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": delta_log.version(run.path(suite.table_of(run.contract, name))),
        "success": success,
        "results": [{**result.facts(), "success": result.success} for result in results],
    }
    try:
        write_json(run_log.results_place(run.settings.lake, run.contract.name, name, run.ds), kept)
    except OSError as error:
        run.log.warning("the results could not be kept: %s", error)
