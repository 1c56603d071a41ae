"""What a day's checks say, and what it means: errors stop the run, warnings are recorded and shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from common import checks, gx, profiles, quality, rules, runs, stale, steadiness, tables
from common.days import around
from common.errors import ContractBroken
from common.files import write_json
from common.known import rows_known
from common.quality import Result
from common.rule import Severity
from common.run import Outcome, Run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def check(run: Run) -> list[Result]:
    """Everything that is expected of the table's rows that the run of ds has brought."""
    name, contract = run.options["table"], run.contract
    stale.insist_made(run, name)
    gx.import_meanwhile()
    # Looked at several times: by the rules, for what is unique, for the profile.
    rows, _ = tables.computed(rows_of(run, name))
    masked = frozenset(column.name for column in contract.columns if column.sensitive)
    suite = f"{contract.name}.{name}"
    found = quality.check(rows, rules.rules_of(contract, name), suite, run.settings.lake, masked)
    if name == "raw":
        return [checks.refused(run, "ingest"), checks.volume_of(run), *found]
    measured = profiles.measure(rows, run, name)
    profiles.keep(run, name, measured)
    found += steadiness.drifted(run, name, measured)
    if name == "processed":
        found += [checks.refused(run, "clean"), checks.duplicates(run), checks.freshness(run, measured)]
        found += checks.references(run, rows)
    return found


def rows_of(run: Run, name: str) -> DataFrame:
    """As they were known on ds: a later correction changes nothing of what is said of this day."""
    if name != "processed":
        return tables.read(run, rules.table_of(run.contract, name), {"ds": [run.ds]})
    rows = rows_known(run, around(run.ds, run.contract.lateness_days), run.ds)
    return rows.where(F.col("arrived") == F.lit(run.ds)).select(rules.table_of(run.contract, name).names)


def decide(run: Run, results: list[Result]) -> Outcome:
    failed = [result for result in results if not result.success]
    errors = [result for result in failed if result.severity == Severity.ERROR or result.problem]
    warnings = [result for result in failed if result not in errors]
    _keep(run, results, success=not errors)
    for result in warnings:
        run.log.warning("%s", result.words)
    for result in errors:
        run.log.error("%s", result.words)
    if errors:
        raise ContractBroken(
            f"{run.contract.name} {run.options['table']} of {run.ds}: {len(errors)} of {len(results)} rules failed; nothing "
            f"downstream should read this day. First: {errors[0].words}. Mend the source or the contract, and run the day again.",
            [result.facts() for result in failed],
        )
    counts = {"rules": len(results), "passed": len(results) - len(failed), "warnings": len(warnings)}
    return Outcome("done", counts, facts={"warnings": [result.facts() for result in warnings]} if warnings else {})


def _keep(run: Run, results: list[Result], success: bool) -> None:
    """The verdicts of the day, for the report. The gate decides without them, too."""
    name = run.options["table"]
    kept = {
        "dataset": run.contract.name,
        "table": name,
        "ds": str(run.ds),
        "run_id": run.run_id,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "success": success,
        "results": [{**result.facts(), "success": result.success} for result in results],
    }
    try:
        write_json(runs.results_place(run.settings.lake, run.contract.name, name, run.ds), kept)
    except OSError as error:
        run.log.warning("the results could not be kept: %s", error)
